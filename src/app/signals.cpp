// Signals; see signals.hpp.
#include "app/signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace dure::app {

namespace {

sigset_t handled_signals()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

void tell_failed_writes_by_errors()
{
    std::signal(SIGPIPE, SIG_IGN);   // a peer that left is an error of the write, not the end of the process
    std::signal(SIGXFSZ, SIG_IGN);   // so is a file that has reached its limit: EFBIG, told as a full disk is
}

Signals::Signals()
{
    tell_failed_writes_by_errors();
    const auto set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void Signals::wait_for_stop(const std::function<void()>& reload)
{
    const auto set = handled_signals();
    int received = 0;
    while (sigwait(&set, &received) != 0 || received == SIGHUP)
        if (std::exchange(received, 0) == SIGHUP)
            reload();
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGHUP, SIG_IGN);   // there is nothing left to reload, and who asks for it does not ask for an end
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Signals::request_stop()
{
    if (!failed_.exchange(true))
        ::kill(::getpid(), SIGTERM);
}

}  // namespace dure::app

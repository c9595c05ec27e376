// See command_signals.hpp.
#include "app/command_signals.hpp"

#include <csignal>
#include <iostream>

#include "app/signals.hpp"

namespace dure::app {

namespace {

// Who started the command said that it shall not hear this one (nohup, a job in the background of a script).
bool is_ignored(int signal)
{
    struct sigaction now{};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

CommandSignals::CommandSignals(boost::asio::any_io_executor executor, std::function<void()> stop)
    : set_(std::move(executor)), stop_(std::move(stop))
{
    tell_failed_writes_by_errors();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        if (!is_ignored(signal))
            set_.add(signal);
    set_.async_wait([this](const boost::system::error_code& closed, int signal) {
        if (closed)
            return;
        received_ = signal;
        set_.clear();   // what the next one does is the system's
        std::cerr << "dure: the run is being stopped; a second signal ends the process at once" << std::endl;
        stop_();
    });
}

void CommandSignals::close()
{
    set_.clear();
    set_.cancel();
}

int exit_code_of_signal(int signal)
{
    return 128 + signal;
}

}  // namespace dure::app

// Signals of a command that runs a graph: the first SIGINT, SIGTERM or SIGHUP (its terminal is gone) is told on the command's
// core, so that the run can end with what it has; a second one ends the process at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

#include <functional>

namespace dure::app {

class CommandSignals {
public:
    // One at a time in a process, while the command works. `stop` is called at most once, on the executor.
    CommandSignals(boost::asio::any_io_executor executor, std::function<void()> stop);
    // On the executor, or when it does not run any more: nothing is told from then on.
    void close();

    // 0: none came. Read on the executor, or when it does not run any more.
    int received() const { return received_; }

private:
    boost::asio::signal_set set_;
    std::function<void()> stop_;
    int received_ = 0;
};

// As shells tell it of a process that a signal ended: 130, 143, 129.
int exit_code_of_signal(int signal);

}  // namespace dure::app

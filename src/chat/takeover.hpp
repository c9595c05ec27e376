// Takes over turns whose process died: a worker of module runs on one core, whose body runs the agent for nobody and records
// the turn; and the upkeep of the turns this process executes itself.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <future>

#include "chat/turn.hpp"
#include "chat/turn_runs.hpp"

namespace dure::chat {

// Made and destroyed while its core does not run; start() and stop() from another thread.
class Takeover {
public:
    Takeover(Turns& turns, TurnRuns& runs, Logger& logger, boost::asio::io_context& core);
    ~Takeover();

    void start();
    void stop(Deadline deadline);

private:
    static Task<runs::Ending> finish_turn(Turns& turns, TurnRuns& runs, Logger& logger, runs::RunWriter& writer);

    boost::asio::io_context& core_;
    TurnRuns& runs_;
    runs::Worker worker_;
    boost::asio::cancellation_signal upkeep_;
    std::promise<void> worked_, kept_up_;
    bool started_ = false;
};

}  // namespace dure::chat

// A run of graph "g" by "me", started and waited for; what goes wrong is thrown, as a scenario of a test expects.
#pragma once

#include "dure/runs/runs.hpp"

namespace dure::runs {

inline Task<Run> started_run(Runs& runs, std::string thread, Json input, Json options, Multitask multitask)
{
    Run run;
    run.thread = std::move(thread);
    run.owner = "me";
    run.graph = "g";
    run.input = std::move(input);
    run.options = std::move(options);
    auto started = co_await runs.start(run, multitask);
    if (!started)
        throw std::runtime_error(started.error().message());
    co_return *started;
}

inline Task<Run> ended_run(Runs& runs, std::string id)
{
    auto run = co_await runs.wait(id, "me", Deadline::after(std::chrono::seconds(20)));
    if (!run)
        throw std::runtime_error(run.error().message());
    co_return *run;
}

}  // namespace dure::runs

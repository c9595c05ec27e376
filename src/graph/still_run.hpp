// What a thread is read and updated with outside of a run.
#pragma once

#include "graph/keeper.hpp"

namespace dure::graph {

struct StillRun {
    StillRun(boost::asio::any_io_executor executor, Checkpointer& checkpointer, const std::string& thread)
        : options(options_for(checkpointer, thread)), scope(executor, options, result)
    {}
    static RunOptions options_for(Checkpointer& checkpointer, const std::string& thread)
    {
        RunOptions made;
        made.checkpointer = &checkpointer;
        made.thread = thread;
        return made;
    }

    RunOptions options;
    RunResult result;
    RunScope scope;
};

}  // namespace dure::graph

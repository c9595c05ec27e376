// `dure graph run`: executes a graph of the JSON form and prints its events as JSON lines, the outcome as the last one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/config/settings.hpp"

namespace dure::app {

struct GraphCommand {
    std::string graph_file;
    std::string input_file;  // empty: no input, the thread goes on where it stands
    std::string thread;  // empty: nothing is kept
    std::string checkpoint;  // to go on from instead of the thread's head
    std::optional<std::string> resume;  // JSON: the answer, or {interrupt id: answer}
    std::vector<std::string> modes;
    bool subgraphs = false;
    std::string webhook;  // where the end of the run is posted to; empty: nowhere
};

// 0: the run ended or waits for an answer; 1: it failed; 2: the command or its files are wrong; 130, 143, 129: SIGINT,
// SIGTERM or SIGHUP stopped it. The settings tell the
// database of a thread; null without a thread.
int run_graph(const config::Settings* settings, const GraphCommand& command);

}  // namespace dure::app

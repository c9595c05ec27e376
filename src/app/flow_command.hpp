// `dure flow validate` and `dure flow run`: flow files without a server.
#pragma once

#include <string>
#include <vector>

#include "dure/config/settings.hpp"

namespace dure::app {

struct FlowCommand {
    std::string file;
    std::string message;
    std::string inputs = "{}";         // JSON object
    std::vector<std::string> answers;  // JSON, to the questions of the run in the order they are asked
};

// Prints {"valid", "problems"} as POST /flows/validate answers. 0: it can be saved; 1: it has errors; 2: it cannot be read.
int validate_flow(const config::Settings& settings, const FlowCommand& command);

// Runs the flow in this process: models, tools and secrets of the configuration, nothing is stored. Prints JSON lines while it goes,
// {"event": "message" | "custom" | "step" | "question", …}, and the outcome as the last one: {"status": "succeeded" | "failed" |
// "waiting", "result"?, "error"?}. Sub-flows are the files <slug>.json of flows.directory.
// 0: it succeeded, or waits for an answer that was not given; 1: it cannot run or failed; 2: command or file are wrong.
int run_flow(const config::Settings& settings, const FlowCommand& command);

}  // namespace dure::app

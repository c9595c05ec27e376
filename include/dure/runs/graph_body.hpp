// graph_body: how a worker executes a run that is a graph. The run's input and options are JSON, so that they are durable
// and mean the same in every process:
//   input    {"input": {…}} fresh · {"resume": answer | {interrupt id: answer}} · {"update": {…}, "goto": ["node"]} · null: go on
//   options  see apply_options()
#pragma once

#include "dure/graph/graph.hpp"
#include "dure/runs/worker.hpp"

namespace dure::runs {

// What executes a run: the graph and what the caller adds to its options (context, store, cache, retry …).
struct PreparedRun {
    // What is told in place of an event of the graph; nothing: it is not told.
    struct Told {
        std::string mode;
        Json data;
    };

    graph::CompiledGraph graph;
    graph::RunOptions options;
    std::shared_ptr<void> kept;  // lives as long as the run: what options.context points to
    std::function<std::optional<Told>(const graph::Event&)> translate = {};  // null: events as they are; else without `input`
    std::function<void(const std::string&)> warn = {};  // of values that were dropped (S6); null: nobody is told
};

// Called on the worker's core for each run; an error ends the run.
using GraphSource = std::function<Result<PreparedRun>(const Run& run)>;

RunBody graph_body(GraphSource source);

// invalid_argument naming the field.
Result<graph::RunInput> run_input_of(const Json& input);

// Which events a run tells.
struct Telling {
    graph::Modes modes;
    bool subgraphs = false;
};

// Fields, all optional: modes (list of names), subgraphs, recursion_limit, max_concurrency, durability, checkpoint,
// interrupt_before, interrupt_after, step_timeout_ms, timeout_ms, metadata, on_disconnect (continue, cancel), webhook (an
// address that who starts the run has checked; webhooks.hpp).
// invalid_argument naming what is wrong; unknown fields are refused.
Result<Telling> apply_options(const Json& given, graph::RunOptions& options);

// {code, message, node, failures} of an error, for the run's row and its readers.
Json error_json(const Error& error, const std::vector<graph::NodeFailure>& failures);

}  // namespace dure::runs

// A run of `dure graph run` on a durable thread. It is a run like any other (module runs): its row holds the thread under a
// lease while this process works, so that no second one moves the thread on, and a run whose process died is finished first.
#pragma once

#include <memory>

#include "dure/base/json.hpp"
#include "dure/graph/graph.hpp"
#include "dure/http/egress.hpp"
#include "dure/sql/database.hpp"

namespace dure::app {

struct ThreadRun {
    graph::CompiledGraph graph;
    std::string thread;
    Json input;  // as runs::run_input_of takes it; null: go on
    Json options;  // as runs::apply_options takes them
};

// A JSON line on standard output.
void print_line(const Json& line);
// What the graph dropped on its way (S6), on standard error.
void print_warning(const std::string& warning);

// An end that is to be posted (option webhook) has this long after the run; then it waits for the next run of the thread.
inline constexpr std::chrono::seconds webhook_patience{20};   // longer than the lease of a dead process

struct ThreadEnd {
    bool went_well = false;  // false: the run failed or was cancelled, or the thread is busy elsewhere
    int signal = 0;  // that stopped the command; 0: none
};

// Prints the events and, for each run it executed, the outcome as JSON lines. A dead run is told from its first event; without
// an input or checkpoint of its own the command is then done. SIGINT, SIGTERM and SIGHUP cancel the run, which keeps what is finished.
ThreadEnd run_on_thread(std::unique_ptr<sql::Database> database, const http::EgressPolicy& egress,
                        const ThreadRun& wanted);

}  // namespace dure::app

// What is next, in the form checkpoints hold (Checkpoint::frontier):
//   {"input": {…}}                                           an accepted input that START has not taken yet
//   {"next": ["q"], "sent": [{node, argument, timeout_ms?}], "arrived": {"a,b>c": ["a"]}, "wrote": ["p"]}
// and the results of finished tasks and errors in the form pending writes hold. Names, not indices: a changed graph can
// still read what it knows.
#pragma once

#include "graph/algorithm.hpp"

namespace dure::graph {

Json frontier_of(const Definition& definition, const Progress& progress);
// Names of nodes that the graph does not have any more; empty: all of it was taken.
std::vector<std::string> restore_frontier(const Definition& definition, const Json& frontier, Progress& into);

// Values as durable storage may hold them: without the channels that stay in memory (S8).
Json durable_values(const Definition& definition, const Json& values);

enum class ResultFor { storage, memory };
// {"writes": […], "nodes": […], "sends": […]}
Json result_json(const Definition& definition, const FinishedTask& task, ResultFor where);
Result<FinishedTask> result_from(const Definition& definition, std::size_t node, const Json& stored);

// {code, message, reason?}: nothing of the detail, which may hold what no client may see.
Json error_json(const Error& error);
Error error_from(const Json& stored);

// What `updates` shows of a task: its values; a list for several Commands.
Json shown_update(const Update& update);

}  // namespace dure::graph

// Containers: iteration, loop and sub-flow. "n.X" writes down what is to be done (channels "k.X", "i.X") and goes to the driver
// "d.X"; the driver sends rounds to the body "b.X", a sub-graph; what the body gives comes back in "c.X", and the body leads to
// the driver again, until it is done and the container's edges are decided.
#pragma once

#include "flows/compiler/node_run.hpp"

namespace dure::flows {

bool is_container(const PlannedNode& planned);

// The update of "n.X" in this superstep.
// `step`: the superstep it begins in, by the task `task`.
Result<graph::Update> begin_container(const PlannedNode& planned, const Json& config, const Json& input,
                                      UnixMillis began, std::int64_t step, const std::string& task);
graph::NodeFunction driver_of(std::shared_ptr<const Stage> stage, std::size_t place);
// In place of a body that failed, where somebody catches it.
graph::ErrorHandler body_error_handler(const PlannedNode& planned);
// The last node of a body: what it gives, under "done".
graph::NodeFunction closing_of(std::shared_ptr<const Stage> stage);

}  // namespace dure::flows

// Pins: which version of each sub-flow an execution runs. Found once, at its start, with the rights of who starts it; every
// later worker loads the same versions, whatever was published meanwhile.
#pragma once

#include "dure/executions/flow_source.hpp"

namespace dure::executions {

inline constexpr std::int64_t deepest_subflow = 5;  // flow-format §6

// {"<flow>@<version>": {"id": …, "version": n}} of every sub-flow, those of sub-flows too. A node that names no version means the
// published one, or the draft of a flow that is not published. What a published flow calls, a key that opens it opens too.
// `rights`: gets the models that published documents name (Rights::models), if it is bound.
Task<Result<Json>> find_pins(FlowSource& flows, Caller caller, const RunnableFlow& flow, flows::Rights& rights);
Task<Result<SubflowDocuments>> load_pins(FlowSource& flows, Json pins);

}  // namespace dure::executions

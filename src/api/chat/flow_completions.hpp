// POST /v1/chat/completions for the models `flow:<slug>`: the published flow runs as an execution, its last user message as the
// message, what stood before it as history.
#pragma once

#include "api/stream_places.hpp"
#include "dure/chat/service.hpp"

namespace dure::api {

bool is_flow_model(std::string_view model);

Task<Result<void>> complete_by_flow(const ApiParts& parts, RequestContext& context, const chat::CompletionCall& call,
                                    Deadline deadline);

}  // namespace dure::api

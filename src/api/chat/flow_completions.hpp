// POST /v1/chat/completions for the models `flow:<slug>`: the published flow runs as an execution, its last user message as the
// message, what stood before it as history. The same in sessions of /api/chat, whose own memory is the history there.
#pragma once

#include "api/stream_places.hpp"
#include "dure/chat/service.hpp"
#include "dure/flows/service.hpp"

namespace dure::api {

bool is_flow_model(std::string_view model);

// The flow behind the model, published (not_found "model_not_found"), or of the id, as execute finds it (not_found;
// permission_denied: the caller may not run flows by their ids).
Task<Result<flows::RunnableFlow>> find_flow_model(const ApiParts& parts, const RequestContext& context, std::string model);
Task<Result<flows::RunnableFlow>> find_flow(const ApiParts& parts, const RequestContext& context, std::string id);

// One turn of a session: what ChatService::message() left to its flow. `answer` names flow and session.
Task<Result<void>> message_by_flow(const ApiParts& parts, RequestContext& context, const std::string& message,
                                   Deadline deadline, model::AnswerSink& sink, chat::Answer& answer);

Task<Result<void>> complete_by_flow(const ApiParts& parts, RequestContext& context, const chat::CompletionCall& call,
                                    Deadline deadline);

}  // namespace dure::api

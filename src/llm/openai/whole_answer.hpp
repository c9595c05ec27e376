// Answers that come in one piece: a chat.completion for a request without stream, or instead of the stream asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dure/model/chat.hpp"
#include "llm/failure.hpp"
#include "llm/openai/json_text.hpp"
#include "llm/provider.hpp"

namespace dure::llm::openai {

// Fills `into`; client_body, when given, gets the answer in the client's form with `model` as its model. An ordinary answer
// is spliced, others are rebuilt; what clients read and the provider left out is added, usage as the estimate for `ask`.
MaybeFailure read_whole(std::string_view body, std::string_view model, model::Completion& into,
                                  std::string* client_body, const Ask* ask = nullptr);

// The answer that a client gets has what the completion does not keep: images, annotations.
bool whole_has_more(std::string_view client_body);

// {"error":…} in a 200, or something that is no completion.
MaybeFailure wrong_whole(const OrderedJson& document);
// As one chunk: messages become deltas.
OrderedJson chunk_of_whole(OrderedJson whole);

}  // namespace dure::llm::openai

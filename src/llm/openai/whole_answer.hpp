// Answers that come in one piece: a chat.completion for a request without stream, or instead of the stream asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dure/model/chat.hpp"
#include "llm/answer_form.hpp"
#include "llm/failure.hpp"
#include "llm/openai/json_text.hpp"
#include "llm/provider.hpp"

namespace dure::llm::openai {

// Fills `into`; client_body, when given, gets the answer in the client's form with `model` as its model. An ordinary answer
// is spliced, others are rebuilt; what clients read and the provider left out is added, usage as the estimate for `ask`.
// has_more: the answer has what `into` does not keep (images, annotations, citations).
MaybeFailure read_whole(std::string_view body, std::string_view model, model::Completion& into,
                        std::string* client_body, const Ask* ask = nullptr, bool* has_more = nullptr);

// Holds an answer that has been read to the form it was asked in; client_body is made anew where the document came wrapped.
MaybeFailure hold_to_form(const AnswerForm& form, model::Completion& answer, std::string& client_body);

// {"error":…} in a 200, or something that is no completion.
MaybeFailure wrong_whole(const OrderedJson& document);
// As one chunk: messages become deltas.
OrderedJson chunk_of_whole(OrderedJson whole);

}  // namespace dure::llm::openai

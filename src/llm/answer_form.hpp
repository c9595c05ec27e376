// AnswerForm: the JSON schema a caller wants answers to follow, for targets that cannot be held to one by themselves (capability
// json_schema): the schema goes into the request in words, and what comes back is checked here (llm-upstreams §3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dure/model/chat.hpp"
#include "dure/schema/json_schema.hpp"
#include "llm/failure.hpp"

namespace dure::llm {

class AnswerForm {
public:
    // `schema`: JSON text. The failure is the caller's: `bad_request` with param response_format.
    static MaybeFailure make(std::string_view schema, std::optional<AnswerForm>& into);

    // Empty: the answer fits, or is none that must fit: a refusal, tool calls, one that was cut at its length. `unwrapped`: its
    // text is the document alone now, without the words or the code fence around it; what was rendered of it has those.
    MaybeFailure settle(model::Completion& answer, bool& unwrapped) const;

private:
    explicit AnswerForm(schema::JsonSchema schema) : schema_(std::move(schema)) {}
    schema::JsonSchema schema_;
};

// The line for the system message.
std::string schema_in_words(std::string_view schema);
// The schema of {"type":"json_schema","json_schema":{"schema":…}} as JSON text, a part of the given text; empty: another format.
std::string_view schema_of_format(std::string_view response_format);

}  // namespace dure::llm

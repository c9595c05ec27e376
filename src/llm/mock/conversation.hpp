// The request as the mock provider sees it, the same for typed and relayed requests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/llm/gateway.hpp"

namespace dure::llm::mock {

struct Conversation {
    std::vector<model::Message> messages;
    std::vector<model::ToolDefinition> tools;
    OrderedJson tool_choice;
    OrderedJson response_format;
    std::vector<std::string> stop;
    std::optional<std::int64_t> max_tokens;
    std::int64_t choices = 1;
    std::string background_task;

    // Text of the last user message; empty when there is none.
    std::string last_user() const;
    std::string system_text() const;
    // Tool messages behind the last user message.
    std::vector<const model::Message*> fresh_results() const;
    bool korean() const;
};

Conversation from_typed(const CompletionRequest& request, const CallContext& context);
// The body is a checked JSON object; wrong field types are invalid_argument naming the field.
Result<Conversation> from_body(std::string_view body, const CallContext& context);

}  // namespace dure::llm::mock

// What the mock model says: a pure function of the conversation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/model/chat.hpp"
#include "llm/mock/conversation.hpp"

namespace dure::llm::mock {

struct Answer {
    std::string text;
    std::vector<model::ToolCall> tool_calls;
    std::string finish_reason = "stop";
    model::Usage usage;
};

Answer answer(const Conversation& conversation);

// A chat client's own request (openai-clients §7) by its name or by the marks of its prompt; empty: none of them.
std::string background_task_of(const Conversation& conversation);
// The answer to a background task in its exact form; empty optional for an unknown task.
std::optional<std::string> background_answer(const std::string& task, const Conversation& conversation);

}  // namespace dure::llm::mock

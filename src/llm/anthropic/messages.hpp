// The message list of a request: OpenAI's messages into system blocks and alternating turns of content blocks.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::llm::anthropic {

struct TranslatedMessages {
    OrderedJson system = OrderedJson::array();
    OrderedJson turns = OrderedJson::array();
};

// Of `reasoning_details`: what this dialect's answers are marked with, and what it takes back.
inline constexpr const char* thinking_format = "anthropic-claude-v1";

// Whose history it is. A client is told of its faults; a model's own, as arguments that are no JSON object, are the agent's to tell it.
enum class WrittenBy { client, agent };

Result<TranslatedMessages> translate_messages(const OrderedJson& messages, WrittenBy history);

}  // namespace dure::llm::anthropic

// The message list of a request: OpenAI's messages into system blocks and alternating turns of content blocks.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::llm::anthropic {

struct TranslatedMessages {
    OrderedJson system = OrderedJson::array();
    OrderedJson turns = OrderedJson::array();
};

Result<TranslatedMessages> translate_messages(const OrderedJson& messages);

}  // namespace dure::llm::anthropic

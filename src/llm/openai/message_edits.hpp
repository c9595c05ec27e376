// Changes to a client's own `messages` that a target needs, made in the text: a tree would copy every message (llm-upstreams §3).
#pragma once

#include <string>
#include <string_view>

#include "dure/schema/json_view.hpp"

namespace dure::llm::openai {

struct MessageEdits {
    bool developer_as_system = false;  // the target does not know OpenAI's newer name of the role
    std::string
        system_line;  // joins the first message when that is a system message, else stands before it; empty: none
};

// `span` is the member's text (`"messages":[…]`), `messages` its value, a part of it. The same text where nothing has to change.
std::string edited_messages(std::string_view span, const schema::JsonView& messages, const MessageEdits& edits);

}  // namespace dure::llm::openai

// A call of a tool as a message in OpenAI's form has it.
#pragma once

#include "dure/base/json.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm::openai {

inline OrderedJson call_form(const model::ToolCall& call)
{
    OrderedJson form;
    form["id"] = call.id;
    form["type"] = "function";
    form["function"]["name"] = call.name;
    form["function"]["arguments"] = call.arguments;
    return form;
}

}  // namespace dure::llm::openai

// A call of a tool as a message in OpenAI's form has it; what a provider added to it (`rest`) stays.
#pragma once

#include "dure/base/json.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm::openai {

// Where the name of a call and what it is called with stand.
struct CallBody {
    const char* member;   // the call's type, too
    const char* text;
};

inline CallBody call_body(bool custom)
{
    return custom ? CallBody{"custom", "input"} : CallBody{"function", "arguments"};
}

inline OrderedJson call_form(const model::ToolCall& call, bool custom = false, const OrderedJson& rest = nullptr)
{
    const auto body = call_body(custom);
    OrderedJson form;
    form["id"] = call.id;
    form["type"] = body.member;
    form[body.member]["name"] = call.name;
    form[body.member][body.text] = call.arguments;
    if (rest.is_object())
        form.update(rest, true);
    return form;
}

}  // namespace dure::llm::openai

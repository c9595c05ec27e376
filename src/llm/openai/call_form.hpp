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

// Whatever stands there: update() of the library throws where a text becomes an object.
inline void merge_members(OrderedJson& into, const OrderedJson& from)
{
    for (const auto& [key, value] : from.items()) {
        auto& old = into[key];
        if (old.is_object() && value.is_object())
            merge_members(old, value);
        else
            old = value;
    }
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
        merge_members(form, rest);
    return form;
}

}  // namespace dure::llm::openai

// The lists of known members, and parts of content; see answer_members.hpp.
#include "llm/openai/answer_members.hpp"

#include <algorithm>
#include <array>

namespace dure::llm::openai {

namespace {

bool is_member_text(const OrderedJson& object, const char* name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_string();
}

// Nothing but its body and scalars that number or close the part.
bool is_bare_part(const OrderedJson& part, std::string_view body)
{
    for (const auto& [key, value] : part.items())
        if (key != body &&
            ((value.is_structured() && !value.empty()) || (key == "signature" && value != "" && !value.is_null())))
            return false;
    return true;
}

bool add_text_part(const OrderedJson& part, std::string& text)
{
    if (!part.is_object() || !is_member_text(part, "text") ||
        (part.contains("type") && part["type"] != "text" && part["type"] != "output_text"))
        return false;
    text += part["text"].get_ref<const std::string&>();
    return is_bare_part(part, "text");
}

// {"type":"thinking","thinking":[{"type":"text","text":…}]} or with a string.
bool add_thinking_part(const OrderedJson& part, std::string& thinking)
{
    if (!part.is_object() || !part.contains("type") || part["type"] != "thinking" || !part.contains("thinking"))
        return false;
    const auto& body = part["thinking"];
    if (body.is_string())
        thinking += body.get_ref<const std::string&>();
    else if (!body.is_array())
        return false;
    bool all = is_bare_part(part, "thinking");
    if (body.is_array())
        for (const auto& one : body)
            all = add_text_part(one, thinking) && all;
    return all;
}

// What servers tell of their own work; none of it is a part of the answer.
bool is_bookkeeping(std::string_view key)
{
    static constexpr std::array<std::string_view, 11> known = {"choices",
                                                               "usage",
                                                               "logprobs",
                                                               "message",
                                                               "delta",
                                                               "prompt_filter_results",
                                                               "content_filter_results",
                                                               "content_filter_offsets",
                                                               "x_groq",
                                                               "timings",
                                                               "time_info"};
    return std::find(known.begin(), known.end(), key) != known.end();
}

}  // namespace

std::optional<ContentParts> content_parts(const OrderedJson& message)
{
    const auto content = message.find("content");
    if (content == message.end() || !content->is_array())
        return std::nullopt;
    ContentParts parts;
    for (const auto& part : *content) {
        const bool thinks = part.is_object() && part.contains("type") && part["type"] == "thinking";
        const bool whole = thinks ? add_thinking_part(part, parts.thinking) : add_text_part(part, parts.text);
        parts.has_others = parts.has_others || !whole;
    }
    return parts;
}

void join_content(OrderedJson& message, const ContentParts& parts)
{
    message["content"] = parts.text;
    if (parts.thinking.empty())
        return;
    const auto before = message.find("reasoning_content");
    auto reasoning = before != message.end() && before->is_string() ? before->get<std::string>() : std::string();
    message["reasoning_content"] = std::move(reasoning) + parts.thinking;
}

bool brings_more(const OrderedJson& message)
{
    static constexpr std::array<std::string_view, 7> kept = {
        "role", "content", "reasoning", "reasoning_content", "refusal", "tool_calls", "reasoning_details"};
    for (const auto& [key, value] : message.items())
        if (std::find(kept.begin(), kept.end(), key) == kept.end() && !value.empty() && value != "")
            return true;
    return false;
}

bool brings_more_beside(const OrderedJson& object)
{
    for (const auto& [key, value] : object.items())
        if (value.is_structured() && !value.empty() && !is_bookkeeping(key))
            return true;
    return false;
}

bool brings_more_beside(std::string_view key, std::string_view raw_value)
{
    const bool structured = raw_value.starts_with('[') || raw_value.starts_with('{');
    return structured && raw_value != "[]" && raw_value != "{}" && !is_bookkeeping(key);
}

}  // namespace dure::llm::openai

// Small behaviour of the conversation structs; see chat.hpp.
#include "dure/model/chat.hpp"

namespace dure::model {

std::string_view name_of(Role role)
{
    switch (role) {
    case Role::system: return "system";
    case Role::user: return "user";
    case Role::assistant: return "assistant";
    case Role::tool: return "tool";
    }
    return "user";
}

std::string Message::text() const
{
    if (content.is_string())
        return content.get<std::string>();
    std::string all;
    if (!content.is_array())
        return all;
    for (const auto& part : content) {
        const auto text = part.is_object() ? part.find("text") : part.end();
        if (!part.is_object() || text == part.end() || !text->is_string())
            continue;
        if (!all.empty())
            all += '\n';
        all += text->get_ref<const std::string&>();
    }
    return all;
}

Usage& Usage::operator+=(const Usage& other)
{
    prompt_tokens += other.prompt_tokens;
    completion_tokens += other.completion_tokens;
    cached_tokens += other.cached_tokens;
    reasoning_tokens += other.reasoning_tokens;
    cache_write_tokens += other.cache_write_tokens;
    reported = reported || other.reported;
    estimated = estimated || other.estimated;
    if (other.cost_nano)
        cost_nano = cost_nano.value_or(0) + *other.cost_nano;
    return *this;
}

void Completion::append(const Piece& piece)
{
    text += piece.text;
    reasoning += piece.reasoning;
    refusal += piece.refusal;
    for (const auto& fragment : piece.tool_calls) {
        const auto index = static_cast<std::size_t>(std::max(0, fragment.index));
        if (tool_calls.size() <= index)
            tool_calls.resize(index + 1);
        auto& call = tool_calls[index];
        if (call.id.empty())
            call.id = fragment.id;
        if (call.name.empty())
            call.name = fragment.name;
        call.arguments += fragment.arguments;
    }
}

}  // namespace dure::model

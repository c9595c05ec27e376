// Gathers replacements of parts of the text, then copies it around them; see message_edits.hpp.
#include "llm/openai/message_edits.hpp"

#include <algorithm>
#include <vector>

#include "dure/base/text.hpp"

namespace dure::llm::openai {

namespace {

// `old` is a part of the text; an empty one is a place.
struct Replacement {
    std::string_view old;
    std::string text;
};

std::string json_string(std::string_view text)
{
    std::string out;
    append_json_string(out, text);
    return out;
}

bool is_system(const schema::JsonView& message)
{
    const auto role = message.find("role");
    return role && (role->string_is("system") || role->string_is("developer"));
}

// Several system messages, or one that is not the first, are more than some servers' templates take.
Replacement with_line(const schema::JsonView& messages, const std::string& line)
{
    const auto first = messages.at(0);
    const auto content = first && is_system(*first) ? first->find("content") : std::nullopt;
    if (content && content->is_string()) {
        const auto raw = content->raw();
        const auto added = json_string(raw == "\"\"" ? line : "\n\n" + line);
        return {raw.substr(raw.size() - 1), added.substr(1)};   // the closing quote
    }
    if (content && content->is_array() && content->size() > 0)
        return {content->raw().substr(content->raw().size() - 1),
                R"(,{"type":"text","text":)" + json_string(line) + "}]"};
    return {messages.raw().substr(1, 0), R"({"role":"system","content":)" + json_string(line) + (first ? "}," : "}")};
}

}  // namespace

std::string edited_messages(std::string_view span, const schema::JsonView& messages, const MessageEdits& edits)
{
    std::vector<Replacement> changes;
    if (edits.developer_as_system && span.find("developer") != std::string_view::npos)
        messages.for_each_element([&](const schema::JsonView& message) {
            const auto role = message.is_object() ? message.find("role") : std::nullopt;
            if (role && role->string_is("developer"))
                changes.push_back({role->raw(), "\"system\""});
        });
    if (!edits.system_line.empty() && messages.is_array())
        changes.push_back(with_line(messages, edits.system_line));
    std::sort(changes.begin(), changes.end(),
              [](const Replacement& a, const Replacement& b) { return a.old.data() < b.old.data(); });
    std::string out;
    const char* at = span.data();
    for (const auto& change : changes) {
        out.append(at, change.old.data());
        out += change.text;
        at = change.old.data() + change.old.size();
    }
    return out.append(at, span.data() + span.size());
}

}  // namespace dure::llm::openai

// What the members of an answer mean beside its text: content that is a list of parts, and members that a completion does
// not keep. An answer with such members is never given to another caller from memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "llm/openai/json_text.hpp"

namespace dure::llm::openai {

// Content that is a list, taken apart.
struct ContentParts {
    std::string text;  // of the parts of type "text", joined
    std::string thinking;  // of the parts of type "thinking" (Mistral)
    bool has_others =
        false;  // parts that are neither, or that have more than their text (images, references, signatures)
};

// nullopt: the content of this delta or message is no list.
std::optional<ContentParts> content_parts(const OrderedJson& message);
// Puts the text in the list's place and appends the thinking to reasoning_content.
void join_content(OrderedJson& message, const ContentParts& parts);

// Of a delta or message: members that a completion does not keep (images, annotations).
bool brings_more(const OrderedJson& message);
// The same of a whole document or a choice: lists and objects (citations, search results), scalars tell of the server.
bool brings_more_beside(const OrderedJson& object);
// One member of such an object by its raw value, for the scanners.
bool brings_more_beside(std::string_view key, std::string_view raw_value);

}  // namespace dure::llm::openai

// Foreign JSON texts made safe to parse: bounded nesting, and lone surrogate escapes, which strict parsers refuse but
// providers send when they cut a text between the halves of a pair.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/json.hpp"

namespace dure::llm::openai {

// Lone halves found by parse_foreign() stand in the strings of the document as characters of a private range until
// join_surrogates() has been called on those that count.
struct ForeignJson {
    OrderedJson document;                 // discarded: not JSON, or nested deeper than 64
    bool lone_surrogates = false;
};
ForeignJson parse_foreign(std::string_view text);

// Joins a half left over from the text before (`carry`, 0: none) with this text; other lone halves become U+FFFD. A high
// half at the very end is kept in `carry` for the next text.
void join_surrogates(std::string& text, std::uint32_t& carry);

// The same for a document nothing follows: every string and key of it, each for itself.
void settle_surrogates(OrderedJson& document);
void settle_surrogates(std::string& text);
// parse_foreign() of a whole document: no halves are left in it.
OrderedJson parse_whole(std::string_view text);

// Bytes that a document takes in memory, about: lists of small values take many times their text.
std::size_t room_of(const OrderedJson& document);

// Appends a JSON string's text without its quotes, decoded. The text has been checked.
void append_decoded(std::string& out, std::string_view raw);

}  // namespace dure::llm::openai

// The JSON document type. OrderedJson keeps the order of keys as written: what a client sent is given back in its order.
// Requests are checked by schema::check_json before they are parsed (depth, keys, numbers, UTF-8, duplicate keys).
#pragma once

#include <nlohmann/json.hpp>

namespace dure {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// For texts that may hold invalid UTF-8 (foreign input): bad bytes become U+FFFD instead of an exception.
template <class Document>
std::string dump(const Document& document)
{
    return document.dump(-1, ' ', false, Document::error_handler_t::replace);
}

}  // namespace dure

// The text of a JSON document, as dump() (json.hpp) gives it, at less than half of its cost: strings are passed over eight bytes at a
// time. For what is written with every turn, step and event. Of invalid UTF-8 each bad byte becomes U+FFFD.
#pragma once

#include <string>

#include "dure/base/json.hpp"

namespace dure {

void append_json(std::string& out, const Json& document);
void append_json(std::string& out, const OrderedJson& document);

inline std::string json_text(const Json& document)
{
    std::string out;
    append_json(out, document);
    return out;
}

inline std::string json_text(const OrderedJson& document)
{
    std::string out;
    append_json(out, document);
    return out;
}

}  // namespace dure

// check_json: is a text one strict JSON document (RFC 8259), within bounds that keep everything behind it safe? One pass,
// no tree, no recursion. Every request body goes through here before JsonView or a parser sees it.
#pragma once

#include <cstddef>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::schema {

struct JsonLimits {
    std::size_t depth = 64;  // arrays and objects inside each other; at most 1024 counts
    std::size_t keys_per_object = 10000;
    std::size_t number_length = 64;  // characters of one number
    bool refuse_duplicates = true;  // keys are compared decoded
    bool refuse_nul = true;  // \u0000 in a string or key
};

// Invalid UTF-8 and lone surrogate escapes are refused always. Errors: invalid_argument, reason "invalid_json", the byte
// offset in the message, and param() the path of the place when there is one ("messages.0.content").
// `members`, where given, becomes the index of the document when that is an object, else empty: no second pass for it.
Result<void> check_json(std::string_view text, const JsonLimits& limits = {}, JsonIndex* members = nullptr);

}  // namespace dure::schema

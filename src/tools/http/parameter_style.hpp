// How OpenAPI writes an argument into a path or a header: the styles simple, label and matrix, which are those of RFC 6570.
// Separators stand as they are, what they separate is encoded.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "dure/base/json.hpp"

namespace dure::tools {

struct ParameterStyle {
    enum class Kind { simple, label, matrix };
    Kind kind = Kind::simple;
    bool explode = false;
    std::string name;  // of the parameter: matrix says it
};

// The members of a list as they are; of an object name after value: {"R": 1} -> ["R", 1].
Json members_in_turn(const Json& value);

// Empty for null, and for a list or an object without members.
std::string styled(const ParameterStyle& style, const Json& value,
                   const std::function<std::string(std::string_view)>& encode);

}  // namespace dure::tools

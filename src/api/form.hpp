// Bodies of HTML forms, as a browser sends them in either of its encodings: names and values, decoded and checked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/context.hpp"

namespace dure::api {

class Form {
public:
    static constexpr std::size_t longest = 16 * 1024;
    static constexpr std::size_t most_fields = 50;

    // invalid_argument: broken escapes, text that is not UTF-8, too many fields, a name given twice.
    static Result<Form> parse(std::string_view body);
    // Of multipart/form-data, which clients of FastAPI Users log in with; `type` is the Content-Type with the boundary.
    // Also refused: files, and anything around the parts.
    static Result<Form> parse_parts(std::string_view body, std::string_view type);

    // nullptr when it is missing.
    const std::string* find(std::string_view name) const;

private:
    bool add(std::string name, std::string value);
    bool add_part(std::string_view part);

    QueryParameters fields_;
};

// Reads the body of a form route. unsupported_media_type for any other Content-Type.
Task<Result<Form>> read_form(RequestContext& context);

}  // namespace dure::api

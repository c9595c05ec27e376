// The body of an `http` node's request.
#pragma once

#include <string>

#include "nodes/config_reader.hpp"

namespace dure::nodes {

struct HttpBody {
    std::string bytes;
    std::string content_type;   // empty: no body
};

// The forms of http_request.hpp.
HttpBody read_http_body(ConfigReader& reader);
std::string percent_encoded(std::string_view text);

}  // namespace dure::nodes

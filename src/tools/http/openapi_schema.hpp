// Schemas of an OpenAPI document as JSON schemas of tool arguments: what is referred to moves into $defs, once per name,
// so that recursive schemas stay finite; words that only OpenAPI knows are translated or left out. What stands beside a $ref
// applies together with it from version 3.1; 3.0 says it is to be ignored.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "dure/base/json.hpp"

namespace dure::tools {

// What is wrong with an operation; thrown inside of the OpenAPI reader only.
struct OpenApiProblem {
    std::string message;
};

// The value a $ref (or a chain of them) leads to; others are given back as they are.
const Json& openapi_resolve(const Json& document, const Json& value);

// Of one operation. `budget` counts values of all operations of the document down.
class OpenApiSchemas {
public:
    OpenApiSchemas(const Json& document, std::size_t& budget);

    Json convert(const Json& schema) { return convert(schema, 0); }
    // Of everything convert() referred to; empty: nothing.
    Json definitions();

private:
    Json convert(const Json& schema, int depth);
    Json convert_object(const Json& schema, int depth);
    Json convert_properties(const Json& properties, int depth);
    Json reference(const std::string& pointer);
    Json beside_reference(const Json& schema, Json reference, int depth);

    const Json& document_;
    std::size_t& budget_;
    const bool siblings_count_;
    std::map<std::string, std::string> names_;  // pointer -> name in $defs
    std::deque<std::string> open_;  // pointers that are not converted yet
    Json definitions_ = Json::object();
};

}  // namespace dure::tools

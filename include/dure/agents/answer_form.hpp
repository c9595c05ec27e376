// A demanded form of an answer: JSON, valid under a schema. Reads it out of what a model said, or tells the model what is wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "dure/schema/json_schema.hpp"

namespace dure::agents {

// What is wrong with an answer, in words for the model.
struct FormFault {
    std::string problem;
};

// The text of the JSON document in `text`: models like to wrap it into a code fence, so what stands between the outermost
// brackets is taken too.
std::variant<std::string, FormFault> document_in(std::string_view text,
                                                 const std::optional<schema::JsonSchema>& schema);

}  // namespace dure::agents

// The JSON document in what a model said. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace dure::llm {

// A part of `text`: the whole without the blanks around it or, because models like to wrap JSON into a code fence, what stands
// between the outermost brackets. Empty: there is none, or one nested too deeply to be read.
std::optional<std::string_view> json_in_text(std::string_view text);

}  // namespace dure::llm

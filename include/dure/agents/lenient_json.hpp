// JSON as models write it: in fences, between sentences, with single quotes, trailing commas, Python's words, bare keys,
// comments, or cut before its last brackets. The strict reading is tried first; what it takes is taken as it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dure/base/json.hpp"

namespace dure::agents {

// The first object of `text` that can be read and is one of those `wanted`; if none is, the first that can be read; nothing when
// there is none. Work is bounded: texts above 256 KiB (32 KiB to be mended), objects nested deeper than 64 and what stands behind
// the eighth opening bracket are not read.
std::optional<Json> object_in(std::string_view text, bool (*wanted)(const Json& object) = nullptr);

// Rewrites JSON-like text into JSON where it can; the result may still be no JSON.
std::string mended(std::string_view text);

}  // namespace dure::agents

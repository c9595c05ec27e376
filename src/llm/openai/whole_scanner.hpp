// The fast look at a whole answer: one strict pass over its text, no tree. It knows the ordinary answer (one choice with a
// text and a usual finish, and usage) and refuses everything else, valid or not; the slow path decides then.
#pragma once

#include <string_view>

#include "dure/model/chat.hpp"

namespace dure::llm::openai {

struct ScannedWhole {
    std::string_view model;  // raw, with its quotes
    std::string_view content;  // raw text without quotes
    std::string_view finish;  // stop, length
    model::Usage usage;
    bool has_more = false;  // beside the text: images, annotations, citations
};

// False: not an ordinary answer.
bool scan_whole(std::string_view text, ScannedWhole& whole);

}  // namespace dure::llm::openai

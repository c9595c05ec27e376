// What a request needs of a target, and which targets of a model have it (llm-upstreams §6 PICK, §9 case 30). Looked at
// only for models whose targets differ or cannot do everything.
#pragma once

#include <vector>

#include "llm/catalog.hpp"

namespace dure::llm {

struct Needs {
    bool tools = false;
    bool images = false;
    bool several_choices = false;  // n > 1
    bool logprobs = false;
    bool json_schema = false;
    std::int64_t prompt_tokens = 0;  // a low estimate; 0: unknown (images count otherwise)
};
Needs needs_of(const Ask& ask);

// One flag for each target. Tools, choices and logprobs are never dropped: the error says so when no target has them. Images
// and the length only prefer targets that are said to take them, because what is said may be less than what is true.
Result<std::vector<bool>> capable_targets(const ModelEntry& model, const Ask& ask);

}  // namespace dure::llm

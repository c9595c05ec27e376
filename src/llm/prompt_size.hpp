// How large a prompt is, for estimates of its tokens (llm-upstreams §8: UTF-8 bytes / 4). What counts is the text that is said:
// neither the JSON around it nor the way it is escaped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dure/llm/gateway.hpp"

namespace dure::llm {

struct PromptSize {
    std::size_t bytes = 0;
    std::int64_t images = 0;   // each as many tokens, whatever its bytes are

    std::int64_t tokens() const;
};

PromptSize prompt_size(std::span<const model::Message> messages);
PromptSize prompt_size(const CompletionRequest& request);
// One pass over the client's body, without a copy of it. Any shape is taken: what is not known counts with its bytes.
PromptSize prompt_size(const RelayRequest& request);

}  // namespace dure::llm

// Bodies of requests in the OpenAI dialect (llm-upstreams §3): a client's own text with as few changes as needed, without
// a tree, or one built from a typed request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/llm/gateway.hpp"

namespace dure::llm::openai {

// What a target was found not to take; learned from its answers.
struct Repairs {
    std::string token_limit;              // the name it wants: max_tokens or max_completion_tokens; empty: as sent
    std::vector<std::string> dropped;     // top-level fields to leave out
    bool drops(std::string_view field) const;
};

// Learns from an `unsupported_param` failure; false when the parameter can be neither renamed nor dropped.
bool learn(Repairs& repairs, std::string_view param);

std::string relay_body(const RelayRequest& request, std::string_view upstream_model, const Repairs& repairs,
                       std::vector<std::string>& dropped);
std::string typed_body(const CompletionRequest& request, std::string_view upstream_model, bool stream,
                       const Repairs& repairs);

}  // namespace dure::llm::openai

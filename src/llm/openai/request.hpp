// Bodies of requests in the OpenAI dialect (llm-upstreams §3): a client's own text with as few changes as needed, without
// a tree, or one built from a typed request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/llm/gateway.hpp"

namespace dure::llm::openai {

// What a target was found not to take; learned from its answers.
struct Repairs {
    std::string token_limit;  // the name it wants: max_tokens or max_completion_tokens; empty: as configured
    std::vector<std::string> dropped;     // top-level fields to leave out
    bool schema_in_words = false;         // it takes no response_format with a schema
    bool drops(std::string_view field) const;
};

// What the target's configuration says of it, and what was learned.
struct BodyRules {
    bool developer_role = false;      // else `system` stands there
    bool newer_token_limit =
        false;  // it takes max_completion_tokens; else max_tokens, which all know that are no such models
    bool json_schema = true;          // else the schema is told in words
    bool single_model = false;        // a list of models, OpenRouter's own chain, is left out
    Repairs repairs;
    std::optional<std::int64_t> answer_limit;  // for a request that names none; see Ask
};

// What became of a request on its way into a body.
struct BodyNotes {
    std::vector<std::string> dropped;   // fields, as the client named them
    std::string schema;                 // told in words: answers must be checked against it; empty: none
};

// Learns from an `unsupported_param` failure; false when the parameter can be neither renamed nor dropped.
bool learn(Repairs& repairs, std::string_view param);

std::string relay_body(const RelayRequest& request, std::string_view upstream_model, const BodyRules& rules, BodyNotes& notes);
std::string typed_body(const CompletionRequest& request, std::string_view upstream_model, bool stream,
                       const BodyRules& rules, BodyNotes& notes);

}  // namespace dure::llm::openai

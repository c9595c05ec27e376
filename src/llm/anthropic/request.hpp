// A request of the OpenAI form as one of the Anthropic Messages API (llm-upstreams §5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::llm::anthropic {

struct RequestOptions {
    std::string model;                    // the provider's name for it
    std::int64_t max_output = 4096;       // when the client names no limit
    bool sampling = false;  // anthropic-version 2023-06-01: temperature, top_p, top_k, thinking budgets
    bool json_schema = true;              // the model can be held to a schema
    bool stream = false;
    bool of_agent = false;                // the messages are the agent's own history
};

struct TranslatedRequest {
    OrderedJson body;
    std::vector<std::string> dropped;  // parameters that do not exist there, as the client named them
    std::string schema;  // not empty: told in words, as JSON text; the answer has to be checked against it
    std::string answer_tool;  // not empty: the forced tool whose input is the content (json_schema)
};

// Errors name the place in param, e.g. "messages[2].tool_calls[0].function.arguments".
Result<TranslatedRequest> translate_request(OrderedJson request, const RequestOptions& options);

}  // namespace dure::llm::anthropic

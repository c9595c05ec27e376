// Question: what a node with the fields of `llm` asks a model: which one, system prompt, conversation, sampling.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dure/schema/json_schema.hpp"
#include "nodes/config_reader.hpp"
#include "nodes/state.hpp"

namespace dure::nodes {

struct Question {
    std::string model;                        // configured id
    std::string system;
    std::vector<model::Message> messages;     // without `system`
    std::optional<double> temperature;
    std::optional<std::int64_t> max_tokens;
    OrderedJson extra;                        // top_p, stop; or null
    bool stream = true;
    Json schema;                              // of the answer; null: plain text
    std::optional<schema::JsonSchema> form;   // it, compiled

    std::string last_user_text() const;
};

// The fields of `llm` in a config. invalid_argument with every wrong field; not_found "model_not_found"; permission_denied
// "model_not_permitted"; a memory or knowledge that
// this server does not have is refused by name.
Result<Question> read_question(const Shared& shared, const flows::NodeCall& call);
// As above, of another node's config (a worker), without a conversation.
Result<Question> read_model_fields(const Shared& shared, const flows::RunFacts& facts, const Json& config);
// For kinds with a text of their own in place of prompt and messages.
Result<Question> read_question_about(const Shared& shared, const flows::NodeCall& call, std::string text);

// `system` first, then the messages.
llm::CompletionRequest request_for(const Question& question);

}  // namespace dure::nodes

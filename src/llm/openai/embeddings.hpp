// Embedding requests and answers in the OpenAI dialect: batches, floats or base64, order by index.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/model/chat.hpp"
#include "llm/failure.hpp"
#include "llm/openai/request.hpp"

namespace dure::llm::openai {

// A part of the input that goes out as one request.
struct EmbeddingBatch {
    std::size_t first = 0;
    std::size_t count = 0;
};

// `most` (at least 1): of texts, or of lists of tokens, in one.
std::vector<EmbeddingBatch> embedding_batches(const model::EmbeddingRequest& request, std::size_t most);
// What the client has set beside is sent with each part, but for what the target has refused.
std::string embedding_body(const model::EmbeddingRequest& request, const EmbeddingBatch& batch, std::string_view model,
                           const Repairs& repairs);
// Appends the vectors of one answer, in the order of their indexes, and adds its usage.
MaybeFailure read_embeddings(std::string_view body, std::size_t expected, model::EmbeddingAnswer& into);

}  // namespace dure::llm::openai

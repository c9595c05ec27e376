// The built-in embedder `local`: deterministic, offline, no model file. Words, their character n-grams (Korean syllables
// taken apart into jamo, so that endings and particles of one stem stay close) and the topics a lexicon knows them to be
// about, in English and Korean, are hashed into 256 dimensions (dure/llm/text_features.hpp).
#pragma once

#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm {

inline constexpr std::size_t local_dimensions = 256;

// L2-normalised; the zero vector for a text without a letter or digit.
std::vector<float> local_embedding(std::string_view text, std::size_t dimensions = local_dimensions);

// The texts' vectors, on the core of whoever asks: others get their turn between the texts. A text of at most 128 KiB, 2 MiB in all.
Task<Result<model::EmbeddingAnswer>> embed_locally(const model::EmbeddingRequest& request);

}  // namespace dure::llm

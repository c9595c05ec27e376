// What a text is made of, for everything that compares texts without a model: its words (in their basic form), pieces of
// its words, and the topics its words are about in English and Korean (config/lexicon/topics.txt, compiled in).
// The built-in embedder hashes these into a vector; the selection of tools weighs them by how rare they are among the tools.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace dure::llm {

enum class FeatureKind : std::uint8_t { word, piece, topic };

struct Feature {
    std::uint64_t id = 0;  // the same for the same word, piece or topic, in every process
    float weight = 0;  // above 0
    FeatureKind kind = FeatureKind::word;
};

// Each feature once, in ascending order of ids; empty for a text without a letter, digit or known sign. Any bytes are taken.
// Thread-safe.
std::vector<Feature> text_features(std::string_view text);

}  // namespace dure::llm

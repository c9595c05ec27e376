// Features of a text; see text_features.hpp.
#include "dure/llm/text_features.hpp"

#include <algorithm>
#include <cmath>

#include "llm/text/topics.hpp"
#include "llm/text/words.hpp"

namespace dure::llm {
namespace text_features_of {

constexpr float word_weight = 1.5f;
constexpr float piece_weight = 1.0f;
constexpr float filler_part = 0.2f;
constexpr std::size_t piece_lengths[] = {3, 4, 5};

std::uint64_t hash_letters(const char32_t* letters, std::size_t count, std::uint64_t seed)
{
    std::uint64_t hash = 0xcbf29ce484222325ull ^ seed;
    for (std::size_t i = 0; i < count; ++i)
        hash = (hash ^ letters[i]) * 0x100000001b3ull;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ull;
    return hash ^ (hash >> 32);
}

void add_word(const Word& word, std::vector<Feature>& features)
{
    const auto stem = stem_of(word);
    const float part = is_filler(stem) ? filler_part : 1.0f;
    features.push_back({hash_letters(stem.data(), stem.size(), 1), part * word_weight, FeatureKind::word});
    Letters framed;
    framed.reserve(word.letters.size() + 2);
    framed.push_back(1);   // marks the beginning of a word, where stems stand
    framed.append(word.letters).push_back(2);
    for (const auto length : piece_lengths)
        for (std::size_t i = 0; i + length <= framed.size(); ++i)
            features.push_back(
                {hash_letters(framed.data() + i, length, length), part * piece_weight, FeatureKind::piece});
}

// What occurs twice counts more than once, and less than twice.
std::vector<Feature> merged(std::vector<Feature> features)
{
    std::sort(features.begin(), features.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < features.size();) {
        auto one = features[i];
        float squares = 0;
        for (; i < features.size() && features[i].id == one.id; ++i)
            squares += features[i].weight * features[i].weight;
        one.weight = std::sqrt(squares);
        features[kept++] = one;
    }
    features.resize(kept);
    return features;
}

}  // namespace text_features_of

std::vector<Feature> text_features(std::string_view text)
{
    using namespace text_features_of;
    const auto words = words_of(text);
    const auto& topics = Topics::builtin();
    std::vector<Feature> features;
    for (const auto& word : words)
        if (word.writing != Writing::sign)
            add_word(word, features);
    topics.find(words, [&](const TopicHint& hint) {
        features.push_back({topics.id(hint.topic), hint.strength, FeatureKind::topic});
    });
    return merged(std::move(features));
}

}  // namespace dure::llm

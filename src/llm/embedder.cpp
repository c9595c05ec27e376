// Feature hashing of words, their pieces and topics; see embedder.hpp.
#include "llm/embedder.hpp"

#include <cmath>

#include "dure/llm/text_features.hpp"

namespace dure::llm {

namespace {

constexpr std::size_t most_texts = 2048;

// A topic stands for whole words in two languages, so it must outweigh the many pieces of one of them.
constexpr float topic_share = 6.0f;

}  // namespace

std::vector<float> local_embedding(std::string_view text, std::size_t dimensions)
{
    std::vector<float> sums(dimensions, 0.0f);
    for (const auto& feature : text_features(text)) {
        const auto weight = feature.kind == FeatureKind::topic ? topic_share * feature.weight : feature.weight;
        sums[feature.id % dimensions] += (feature.id >> 63) != 0 ? weight : -weight;
    }
    double square = 0;
    for (const auto value : sums)
        square += static_cast<double>(value) * value;
    if (square > 0)
        for (auto& value : sums)
            value = static_cast<float>(value / std::sqrt(square));
    return sums;
}

Result<model::EmbeddingAnswer> embed_locally(const model::EmbeddingRequest& request)
{
    if (!request.token_input.is_null())
        return Error(Errc::invalid_argument, "This embedding model takes text, not token ids.").param("input");
    if (request.input.empty() || request.input.size() > most_texts)
        return Error(Errc::invalid_argument, "'input' must hold between 1 and 2048 texts.").param("input");
    const auto dimensions = request.dimensions.value_or(static_cast<std::int64_t>(local_dimensions));
    if (dimensions < 1 || dimensions > static_cast<std::int64_t>(local_dimensions))
        return Error(Errc::invalid_argument, "'dimensions' must be between 1 and 256.").param("dimensions");
    model::EmbeddingAnswer answer;
    for (const auto& text : request.input) {
        if (text.empty())
            return Error(Errc::invalid_argument, "'input' must not hold an empty text.").param("input");
        answer.vectors.push_back(local_embedding(text, static_cast<std::size_t>(dimensions)));
        answer.usage.prompt_tokens += static_cast<std::int64_t>((text.size() + 3) / 4);
    }
    return answer;
}

}  // namespace dure::llm

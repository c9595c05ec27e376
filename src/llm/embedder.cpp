// Feature hashing of words, their pieces and topics; see embedder.hpp.
#include "llm/embedder.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cmath>

#include "dure/llm/text_features.hpp"

namespace dure::llm {

namespace {

constexpr std::size_t most_texts = 2048;

// A topic stands for whole words in two languages, so it must outweigh the many pieces of one of them.
constexpr float topic_share = 6.0f;

// A text takes about a second for each 5 MB.
constexpr std::size_t longest_text = 128 << 10;
constexpr std::size_t longest_request = 2 << 20;
constexpr std::size_t bytes_without_pause = 64 << 10;

Error wrong_input(const std::string& message)
{
    return Error(Errc::invalid_argument, message).param("input");
}

Result<void> check_request(const model::EmbeddingRequest& request, std::int64_t dimensions)
{
    if (!request.token_input.is_null())
        return wrong_input("This embedding model takes text, not token ids.");
    if (request.input.empty() || request.input.size() > most_texts)
        return wrong_input("'input' must hold between 1 and 2048 texts.");
    if (dimensions < 1 || dimensions > static_cast<std::int64_t>(local_dimensions))
        return Error(Errc::invalid_argument, "'dimensions' must be between 1 and 256.").param("dimensions");
    std::size_t all = 0;
    for (const auto& text : request.input) {
        if (text.empty())
            return wrong_input("'input' must not hold an empty text.");
        if (text.size() > longest_text)
            return wrong_input("A text of 'input' is longer than the 131072 bytes that this embedding model reads.");
        all += text.size();
    }
    if (all > longest_request)
        return wrong_input("'input' holds more than the 2097152 bytes that this embedding model reads at once.");
    return {};
}

// A text of signs alone is like no other, which its zeros say; clients divide by the length of what they are given.
void give_length(std::vector<float>& vector)
{
    if (std::all_of(vector.begin(), vector.end(), [](float value) { return value == 0; }))
        vector.front() = 1;
}

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

Task<Result<model::EmbeddingAnswer>> embed_locally(const model::EmbeddingRequest& request)
{
    const auto dimensions = request.dimensions.value_or(static_cast<std::int64_t>(local_dimensions));
    if (auto fine = check_request(request, dimensions); !fine)
        co_return fine.error();
    model::EmbeddingAnswer answer;
    std::size_t since_pause = 0;
    for (const auto& text : request.input) {
        if (since_pause + text.size() > bytes_without_pause && since_pause > 0) {
            co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
            since_pause = 0;
        }
        since_pause += text.size();
        give_length(answer.vectors.emplace_back(local_embedding(text, static_cast<std::size_t>(dimensions))));
        answer.usage.prompt_tokens += static_cast<std::int64_t>((text.size() + 3) / 4);
    }
    co_return answer;
}

}  // namespace dure::llm

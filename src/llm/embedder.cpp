// Feature hashing of words and n-grams; see embedder.hpp.
#include "llm/embedder.hpp"

#include <cmath>
#include <cstdint>

namespace dure::llm {

namespace {

constexpr std::size_t most_texts = 2048;

// One code point of valid or broken UTF-8; broken bytes count as U+FFFD each.
std::uint32_t take_code_point(std::string_view text, std::size_t& at)
{
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80)
        return lead;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
    std::uint32_t code = more == 3 ? lead & 0x07u : more == 2 ? lead & 0x0fu : lead & 0x1fu;
    for (int i = 0; i < more; ++i) {
        if (at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80)
            return 0xfffd;
        code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fu);
    }
    return more == 0 ? 0xfffd : code;
}

bool part_of_word(std::uint32_t code)
{
    if (code < 0x80)
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
    const bool sign = (code >= 0x2000 && code <= 0x206f) || (code >= 0x3000 && code <= 0x303f) ||
                      (code >= 0xff00 && code <= 0xff0f) || code == 0xfffd || (code >= 0x80 && code <= 0xbf);
    return !sign;
}

// A syllable as its two or three jamo, everything else as itself in lower case.
void append_letters(std::vector<std::uint32_t>& letters, std::uint32_t code)
{
    if (code >= 'A' && code <= 'Z')
        code += 32;
    if (code < 0xac00 || code > 0xd7a3) {
        letters.push_back(code);
        return;
    }
    const auto syllable = code - 0xac00;
    letters.push_back(0x1100 + syllable / 588);
    letters.push_back(0x1161 + syllable % 588 / 28);
    if (syllable % 28 != 0)
        letters.push_back(0x11a7 + syllable % 28);
}

std::uint64_t hash_letters(const std::uint32_t* letters, std::size_t count, std::uint64_t seed)
{
    std::uint64_t hash = 0xcbf29ce484222325ull ^ seed;
    for (std::size_t i = 0; i < count; ++i)
        hash = (hash ^ letters[i]) * 0x100000001b3ull;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ull;
    return hash ^ (hash >> 32);
}

class Features {
public:
    explicit Features(std::size_t dimensions) : sums_(dimensions, 0.0f) {}

    void add_word(const std::vector<std::uint32_t>& word)
    {
        if (word.empty())
            return;
        add(hash_letters(word.data(), word.size(), 1), 1.5f);
        std::vector<std::uint32_t> framed;
        framed.reserve(word.size() + 2);
        framed.push_back(1);   // marks the beginning of a word, where stems stand
        framed.insert(framed.end(), word.begin(), word.end());
        framed.push_back(2);
        for (const std::size_t length : {std::size_t{3}, std::size_t{4}, std::size_t{5}})
            for (std::size_t i = 0; i + length <= framed.size(); ++i)
                add(hash_letters(framed.data() + i, length, length), 1.0f);
    }

    std::vector<float> normalised()
    {
        double square = 0;
        for (const auto value : sums_)
            square += static_cast<double>(value) * value;
        if (square > 0)
            for (auto& value : sums_)
                value = static_cast<float>(value / std::sqrt(square));
        return std::move(sums_);
    }

private:
    void add(std::uint64_t hash, float weight)
    {
        sums_[hash % sums_.size()] += (hash >> 63) != 0 ? weight : -weight;
    }

    std::vector<float> sums_;
};

}  // namespace

std::vector<float> local_embedding(std::string_view text, std::size_t dimensions)
{
    Features features(dimensions);
    std::vector<std::uint32_t> word;
    for (std::size_t at = 0; at < text.size();) {
        const auto code = take_code_point(text, at);
        if (part_of_word(code)) {
            append_letters(word, code);
            continue;
        }
        features.add_word(word);
        word.clear();
    }
    features.add_word(word);
    return features.normalised();
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

// Reading and searching of the lexicon; see topics.hpp.
#include "llm/text/topics.hpp"

#include <algorithm>

#include "dure/base/error.hpp"
#include "dure/base/text.hpp"

namespace dure::llm {
namespace text_topics {

constexpr float strong = 1.0f;
constexpr float weak = 0.5f;

std::uint64_t id_of(std::string_view topic)
{
    std::uint64_t hash = 0xcbf29ce484222325ull ^ 0x70;
    for (const auto byte : topic)
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ull;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ull;
    return hash ^ (hash >> 32);
}

std::string_view take_until(std::string_view& text, char end)
{
    const auto at = std::min(text.find(end), text.size());
    const auto part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return trim(part);
}

void insert(std::vector<TopicHint>& hints, TopicHint hint)
{
    for (auto& known : hints)
        if (known.topic == hint.topic) {
            known.strength = std::max(known.strength, hint.strength);
            return;
        }
    hints.push_back(hint);
}

// Words of one syllable are too short to be looked for inside of others.
bool is_sought_inside(const std::vector<Word>& words)
{
    return words.size() == 1 && words[0].writing == Writing::hangul && syllables_of(words[0].letters) >= 2;
}

}  // namespace text_topics

using namespace text_topics;

Topics::Topics(std::string_view file)
{
    for (std::size_t line = 1; !file.empty(); ++line) {
        auto rest = take_until(file, '\n');
        if (rest.empty() || rest.front() == '#')
            continue;
        if (rest.front() != '=' && rest.front() != '~') {
            ids_.push_back(id_of(rest));
            continue;
        }
        if (ids_.empty())
            throw InvariantBroken("the lexicon has words before its first topic, in line " + std::to_string(line));
        const TopicHint hint{static_cast<std::uint32_t>(ids_.size() - 1), rest.front() == '=' ? strong : weak};
        rest.remove_prefix(1);
        while (!rest.empty())
            add(take_until(rest, ','), hint);
    }
}

const Topics& Topics::builtin()
{
    static const Topics topics(builtin_topics());
    return topics;
}

void Topics::add(std::string_view entry, TopicHint hint)
{
    const auto words = words_of(entry);
    if (words.empty() || words.size() > most_words)
        throw InvariantBroken("the lexicon cannot take '" + std::string(entry) + "': one to four words are an entry");
    if (is_sought_inside(words)) {
        std::uint32_t node = 0;
        for (const auto letter : words[0].letters) {
            const auto [place, fresh] =
                inner_[node].next.try_emplace(letter, static_cast<std::uint32_t>(inner_.size()));
            node = place->second;
            if (fresh)
                inner_.emplace_back();
        }
        insert(inner_[node].hints, hint);
        return;
    }
    std::u32string key;
    for (const auto& word : words)
        key += (key.empty() ? U"" : U" ") + stem_of(word);
    insert(phrases_[key], hint);
}

std::vector<const Topics::Hints*> Topics::at(const std::vector<Word>& words, std::size_t first,
                                             std::size_t& taken) const
{
    std::u32string key;
    const Hints* longest = nullptr;
    for (std::size_t count = 1; count <= most_words && first + count <= words.size(); ++count) {
        key += (key.empty() ? U"" : U" ") + stem_of(words[first + count - 1]);
        if (const auto found = phrases_.find(key); found != phrases_.end()) {
            longest = &found->second;
            taken = count;
        }
    }
    if (longest != nullptr)
        return {longest};
    const auto& word = words[first];
    if (word.writing != Writing::hangul)
        return {};
    if (auto known = inside(word.letters); !known.empty())
        return known;
    const auto found = phrases_.find(stem_of(word, 1));   // "비가" is "비"
    return found == phrases_.end() ? std::vector<const Hints*>() : std::vector<const Hints*>{&found->second};
}

std::vector<const Topics::Hints*> Topics::inside(const Letters& word) const
{
    std::vector<const Hints*> known;
    for (std::size_t from = 0; from < word.size();) {
        std::uint32_t node = 0;
        std::size_t end = 0;
        for (auto i = from; i < word.size() && begins_syllable(word[from]); ++i) {
            const auto next = inner_[node].next.find(word[i]);
            if (next == inner_[node].next.end())
                break;
            node = next->second;
            if (inner_[node].hints.empty())
                continue;
            if (end == 0)
                known.push_back(nullptr);
            known.back() = &inner_[node].hints;
            end = i + 1;
        }
        from = end == 0 ? from + 1 : end;
    }
    return known;
}

}  // namespace dure::llm

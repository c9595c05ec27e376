// A text as its words: split at signs and where writing systems meet ("KTX표" is two words), in lower case, Hangul taken
// apart into jamo. And the basic form of a word: English without its endings, Korean without particles and endings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dure::llm {

using Letters = std::basic_string<char32_t>;

enum class Writing : std::uint8_t { latin, digits, hangul, other, sign };

struct Word {
    Letters letters;  // jamo of Hangul
    Writing writing = Writing::other;
};

std::vector<Word> words_of(std::string_view text);

// The letters that carry the meaning: "예약을" and "예약해줘" give "예약", "shipping" and "ships" give "ship". Cuts Korean words
// down to `least_syllables`, never further.
Letters stem_of(const Word& word, std::size_t least_syllables = 2);

// Words that say nothing about the matter: "the", "알려줘".
bool is_filler(const Letters& stem);

bool begins_syllable(char32_t letter);  // of Hangul, in jamo
std::size_t syllables_of(const Letters& letters);

}  // namespace dure::llm

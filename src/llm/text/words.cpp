// Splitting of texts into words; see words.hpp.
#include "llm/text/words.hpp"

#include <algorithm>

namespace dure::llm {
namespace text_words {

// One code point of valid or broken UTF-8; broken bytes count as U+FFFD each.
char32_t take_code_point(std::string_view text, std::size_t& at)
{
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80)
        return lead;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
    char32_t code = more == 3 ? lead & 0x07u : more == 2 ? lead & 0x0fu : lead & 0x1fu;
    for (int i = 0; i < more; ++i) {
        if (at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80)
            return 0xfffd;
        code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fu);
    }
    return more == 0 ? 0xfffd : code;
}

// Signs that mean something by themselves; the lexicon knows them.
bool is_telling_sign(char32_t code)
{
    constexpr std::u32string_view signs = U"+*%×÷$€£¥₩℃℉";
    return signs.find(code) != std::u32string_view::npos;
}

bool is_hangul(char32_t code)
{
    return (code >= 0xac00 && code <= 0xd7a3) || (code >= 0x1100 && code <= 0x11ff) ||
           (code >= 0x3131 && code <= 0x318e);
}

bool splits_words(char32_t code)
{
    if (code < 0x80)
        return !((code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z'));
    return (code >= 0x2000 && code <= 0x206f) || (code >= 0x3000 && code <= 0x303f) ||
           (code >= 0xff00 && code <= 0xff0f) || code == 0xfffd || (code >= 0x80 && code <= 0xbf);
}

Writing writing_of(char32_t code)
{
    if (code >= '0' && code <= '9')
        return Writing::digits;
    if (code < 0x250)
        return Writing::latin;
    return is_hangul(code) ? Writing::hangul : Writing::other;
}

// A syllable as its two or three jamo, everything else as itself in lower case.
void append_letters(Letters& letters, char32_t code)
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

// "pm10" is one word, "10cm" and "9인치" are two.
bool goes_on(const Word& word, Writing writing)
{
    return word.writing == writing || (word.writing == Writing::latin && writing == Writing::digits);
}

}  // namespace text_words

using namespace text_words;

std::vector<Word> words_of(std::string_view text)
{
    std::vector<Word> words;
    bool open = false;   // the last word may go on
    for (std::size_t at = 0; at < text.size();) {
        const auto code = take_code_point(text, at);
        if (is_telling_sign(code)) {
            words.push_back({Letters(1, code), Writing::sign});
            open = false;
            continue;
        }
        if (splits_words(code)) {
            open = false;
            continue;
        }
        const auto writing = writing_of(code);
        if (!open || !goes_on(words.back(), writing))
            words.push_back({{}, writing});
        append_letters(words.back().letters, code);
        open = true;
    }
    return words;
}

bool begins_syllable(char32_t letter)
{
    return letter >= 0x1100 && letter <= 0x1112;
}

std::size_t syllables_of(const Letters& letters)
{
    return static_cast<std::size_t>(std::count_if(letters.begin(), letters.end(), begins_syllable));
}

}  // namespace dure::llm

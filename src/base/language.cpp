// See language.hpp.
#include "dure/base/language.hpp"

#include <cstddef>

namespace dure {

// Hangul jamo, compatibility jamo and syllables by their UTF-8 bytes.
bool holds_hangul(std::string_view text)
{
    for (std::size_t at = 0; at + 2 < text.size(); ++at) {
        const auto first = static_cast<unsigned char>(text[at]);
        const auto second = static_cast<unsigned char>(text[at + 1]);
        const bool jamo = first == 0xe1 && second >= 0x84 && second <= 0x87;
        const bool compatibility = first == 0xe3 && second >= 0x84 && second <= 0x86;
        const bool syllable =
            (first == 0xea && second >= 0xb0) || first == 0xeb || first == 0xec || (first == 0xed && second <= 0x9e);
        if (jamo || compatibility || syllable)
            return true;
    }
    return false;
}

bool speaks_korean(std::string_view configured, std::string_view text)
{
    return configured == "ko" || (configured != "en" && holds_hangul(text));
}

}  // namespace dure

// Korean or English, as far as built-in texts need it: one Hangul character makes a text Korean.
#pragma once

#include <string_view>

namespace dure::llm {

// Hangul syllables and jamo, by their UTF-8 lead bytes (U+1100…, U+3131…, U+AC00…U+D7A3).
inline bool has_hangul(std::string_view text)
{
    for (std::size_t at = 0; at + 2 < text.size(); ++at) {
        const auto first = static_cast<unsigned char>(text[at]);
        const auto second = static_cast<unsigned char>(text[at + 1]);
        if (first == 0xea && second >= 0xb0)
            return true;
        if (first >= 0xeb && first <= 0xed && (first != 0xed || second <= 0x9e))
            return true;
        if ((first == 0xe1 && second >= 0x84 && second <= 0x87) || (first == 0xe3 && second >= 0x84 && second <= 0x86))
            return true;
    }
    return false;
}

}  // namespace dure::llm

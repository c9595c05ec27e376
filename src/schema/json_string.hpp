// What stands between the quotes of a JSON string, decoded. Shared by the checker (keys) and the view.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dure/base/json_text.hpp"

namespace dure::schema {

// Position behind the closing quote of a string whose bytes begin at `begin`, where it ends within sixteen bytes and holds
// nothing but ordinary characters up to there: most keys and many values. 0: look for it byte by byte.
inline std::size_t short_string_end(std::string_view text, std::size_t begin)
{
#if defined(__SSE2__)
    if (begin + 16 <= text.size()) {
        const auto bytes = json_words::sixteen(text.data() + begin);
        // As signed numbers what is not ASCII is below the control characters.
        const auto low = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))));
        const auto special = low | json_words::quotes_and_backslashes(bytes);
        const auto first = begin + static_cast<std::size_t>(std::countr_zero(special | 0x8000u));
        if (text[first] == '"')
            return first + 1;
    }
#else
    static_cast<void>(text);
    static_cast<void>(begin);
#endif
    return 0;
}

// Never fails: an escape that does not exist and a lone surrogate become U+FFFD.
std::string decode_json_string(std::string_view inner);

}  // namespace dure::schema

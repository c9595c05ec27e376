// See letter_case.hpp. Most characters of most texts are ASCII or Hangul; the first are done without the tables of utf8proc.
#include "flows/expressions/letter_case.hpp"

#include <utf8proc.h>

namespace dure::flows {

namespace {

template <class Map>
std::string each_character(std::string_view text, Map map)
{
    std::string out;
    out.reserve(text.size());
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    for (std::size_t at = 0; at < text.size();) {
        utf8proc_int32_t character = bytes[at];
        utf8proc_ssize_t length = 1;
        if (character >= 0x80)
            length = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &character);
        if (length <= 0) {
            out += text[at++];
            continue;
        }
        at += static_cast<std::size_t>(length);
        const auto mapped = map(character);
        if (mapped < 0x80) {
            out += static_cast<char>(mapped);
            continue;
        }
        utf8proc_uint8_t encoded[4];
        const auto size = utf8proc_encode_char(mapped, encoded);
        out.append(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size));
    }
    return out;
}

utf8proc_int32_t to_upper(utf8proc_int32_t character)
{
    if (character < 0x80)
        return character >= 'a' && character <= 'z' ? character - 32 : character;
    return utf8proc_toupper(character);
}

utf8proc_int32_t to_lower(utf8proc_int32_t character)
{
    if (character < 0x80)
        return character >= 'A' && character <= 'Z' ? character + 32 : character;
    return utf8proc_tolower(character);
}

}  // namespace

std::string upper_case(std::string_view text)
{
    return each_character(text, to_upper);
}

std::string lower_case(std::string_view text)
{
    return each_character(text, to_lower);
}

// Over the upper case: some letters have two lower ones (σ and ς).
std::string without_case(std::string_view text)
{
    return each_character(text, [](utf8proc_int32_t character) { return to_lower(to_upper(character)); });
}

}  // namespace dure::flows

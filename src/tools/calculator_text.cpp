// Brings what people and models type into the calculator's own characters: full-width forms, × ÷ − · and wide spaces.
#include "tools/calculator_text.hpp"

#include <utility>

#include "dure/base/text.hpp"
#include "tools/calculator.hpp"

namespace dure::tools {
namespace {

constexpr std::pair<std::string_view, std::string_view> replacements[] = {
    {"×", "*"}, {"✕", "*"}, {"·", "*"},  {"⋅", "*"},    {"÷", "/"},      {"∕", "/"},
    {"−", "-"}, {"–", "-"}, {"π", "pi"}, {"√", "sqrt"}, {"\u00a0", " "}, {"\u3000", " "},
};

std::size_t width_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

std::string_view in_ascii(std::string_view character)
{
    for (const auto& [from, to] : replacements)
        if (character == from)
            return to;
    return {};
}

// U+FF01 … U+FF5E are the full-width forms of '!' … '~'.
char narrow(std::string_view character)
{
    if (character.size() != 3 || character[0] != '\xef')
        return 0;
    const auto middle = static_cast<unsigned char>(character[1]);
    const auto last = static_cast<unsigned char>(character[2]);
    const int code = ((middle & 0x3f) << 6) | (last & 0x3f);
    return code >= 0xf01 && code <= 0xf5e ? static_cast<char>(code - 0xf01 + '!') : '\0';
}

}  // namespace

Result<std::string> normalize_expression(std::string_view text)
{
    if (!valid_utf8(text))
        return Error(Errc::invalid_argument, "The expression is not valid UTF-8.");
    std::string plain;
    std::size_t characters = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (++characters > longest_expression)
            return Error(Errc::invalid_argument, "The expression is longer than 1000 characters.");
        const auto character = text.substr(at, width_of(static_cast<unsigned char>(text[at])));
        at += character.size();
        if (character.size() == 1)
            plain += character;
        else if (const auto known = in_ascii(character); !known.empty())
            plain += known;
        else if (const char narrowed = narrow(character))
            plain += narrowed;
        else
            return Error(Errc::invalid_argument,
                         "The character '" + std::string(character) + "' has no meaning in an expression.");
    }
    return plain;
}

}  // namespace dure::tools

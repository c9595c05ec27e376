// Decoding of JSON strings; see json_string.hpp.
#include "schema/json_string.hpp"

#include "dure/base/hex_digit.hpp"
#include "dure/base/text.hpp"

namespace dure::schema {

namespace decoding {

constexpr std::uint32_t replacement = 0xFFFD;

// Decodes the \u escape whose backslash stands at `at`, with its second half when it is a surrogate pair; moves `at`
// behind it.
std::uint32_t take_unicode(std::string_view inner, std::size_t& at)
{
    const auto first = hex4(inner.substr(at + 2));
    if (!first) {
        at += 2;
        return replacement;
    }
    at += 6;
    if (*first < 0xD800 || *first > 0xDFFF)
        return *first;
    const bool pair = *first <= 0xDBFF && inner.substr(at).starts_with("\\u");
    const auto second = pair ? hex4(inner.substr(at + 2)) : std::nullopt;
    if (!second || *second < 0xDC00 || *second > 0xDFFF)
        return replacement;
    at += 6;
    return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

std::optional<char> simple_escape(char letter)
{
    switch (letter) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return std::nullopt;
    }
}

}  // namespace decoding

std::string decode_json_string(std::string_view inner)
{
    std::string out;
    out.reserve(inner.size());
    std::size_t at = 0;
    while (at < inner.size()) {
        const auto escape = inner.find('\\', at);
        if (escape == std::string_view::npos)
            return out.append(inner.substr(at));
        out.append(inner.substr(at, escape - at));
        at = escape;
        const char letter = at + 1 < inner.size() ? inner[at + 1] : '\0';
        if (letter == 'u') {
            append_utf8(out, decoding::take_unicode(inner, at));
            continue;
        }
        if (const auto plain = decoding::simple_escape(letter))
            out += *plain;
        else
            append_utf8(out, decoding::replacement);
        at += 2;
    }
    return out;
}

}  // namespace dure::schema

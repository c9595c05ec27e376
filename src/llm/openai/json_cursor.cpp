// JsonCursor; see json_cursor.hpp.
#include "llm/openai/json_cursor.hpp"

#include <algorithm>

#include "dure/base/json_text.hpp"
#include "dure/base/text.hpp"

namespace dure::llm::openai {

namespace {

constexpr int deepest_skip = 16;

bool hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Length of a strict escape at `at`, 0 when it is broken or half of a surrogate pair.
std::size_t escape_length(std::string_view text, std::size_t at)
{
    if (at + 1 >= text.size())
        return 0;
    const char kind = text[at + 1];
    if (kind != 'u')
        return std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos ? 0 : 2;
    const auto is_unit = [&](std::size_t place) {
        return text.size() >= place + 6 && text[place] == '\\' && text[place + 1] == 'u' &&
               std::all_of(text.begin() + static_cast<std::ptrdiff_t>(place + 2),
                           text.begin() + static_cast<std::ptrdiff_t>(place + 6), hex_digit);
    };
    if (!is_unit(at))
        return 0;
    const bool surrogate = (text[at + 2] == 'd' || text[at + 2] == 'D') && text[at + 3] >= '8';
    if (!surrogate)
        return 6;
    const bool high = text[at + 3] == '8' || text[at + 3] == '9' || text[at + 3] == 'a' || text[at + 3] == 'b' ||
                      text[at + 3] == 'A' || text[at + 3] == 'B';
    const bool low_follows = is_unit(at + 6) && (text[at + 8] == 'd' || text[at + 8] == 'D') &&
                             std::string_view("cdefCDEF").find(text[at + 9]) != std::string_view::npos;
    return high && low_follows ? 12 : 0;
}

}  // namespace

std::size_t end_of_string(std::string_view text, std::size_t start)
{
    bool high_bytes = false;
    for (auto at = start; (at = plain_json_run_end(text, at)) < text.size();) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c == '"')
            return high_bytes && !valid_utf8(text.substr(start, at - start)) ? std::string_view::npos : at;
        if (c < 0x20)
            return std::string_view::npos;
        if (c == '\\') {
            const auto length = escape_length(text, at);
            if (length == 0)
                return std::string_view::npos;
            at += length;
            continue;
        }
        high_bytes = true;
        while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80)
            ++at;
    }
    return std::string_view::npos;
}

bool JsonCursor::literal(std::string_view word)
{
    if (!text_.substr(at_).starts_with(word))
        return false;
    at_ += word.size();
    return true;
}

bool JsonCursor::number()
{
    if (peek() == '-')
        ++at_;
    if (peek() == '0')
        ++at_;
    else if (!digits())
        return false;
    if (peek() == '.' && (++at_, !digits()))
        return false;
    if (peek() != 'e' && peek() != 'E')
        return true;
    ++at_;
    if (peek() == '+' || peek() == '-')
        ++at_;
    return digits();
}

bool JsonCursor::whole_number(std::string_view& span)
{
    const auto start = at_;
    if (peek() < '1' || peek() > '9' || !digits() || peek() == '.' || peek() == 'e' || peek() == 'E')
        return false;
    span = text_.substr(start, at_ - start);
    return true;
}

bool JsonCursor::string_rest(std::string_view& raw)
{
    const auto end = end_of_string(text_, at_);
    if (end == std::string_view::npos)
        return false;
    raw = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
}

bool JsonCursor::value_span(std::string_view& span)
{
    const auto start = at_;
    if (!skip())
        return false;
    span = text_.substr(start, at_ - start);
    return !span.empty();
}

bool JsonCursor::digits()
{
    const auto start = at_;
    while (peek() >= '0' && peek() <= '9')
        ++at_;
    return at_ > start;
}

bool JsonCursor::skip(int depth)
{
    if (depth > deepest_skip)
        return false;
    std::string_view ignored;
    switch (peek()) {
    case '"': return string(ignored);
    case '{': return object([&](std::string_view, std::size_t, std::size_t) { return skip(depth + 1); });
    case '[': return array(depth);
    case 't': return literal("true");
    case 'f': return literal("false");
    case 'n': return literal("null");
    default: return number();
    }
}

bool JsonCursor::array(int depth)
{
    ++at_;
    blanks();
    if (peek() == ']') {
        ++at_;
        return true;
    }
    for (;;) {
        blanks();
        if (!skip(depth + 1))
            return false;
        blanks();
        if (peek() == ']') {
            ++at_;
            return true;
        }
        if (!take(','))
            return false;
    }
}

}  // namespace dure::llm::openai

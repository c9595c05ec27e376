// check_param(); see param_check.hpp.
#include "sql/param_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "dure/base/text.hpp"

namespace dure::sql {

namespace {

constexpr std::size_t longest_text = 64 << 20;

// Of eight bytes: none is zero or above U+007F. A borrow of a zero sets a high bit, or it was set before.
bool plain_ascii(std::uint64_t word)
{
    constexpr auto every = [](std::uint64_t byte) { return byte * 0x0101'0101'0101'0101U; };
    return (((word - every(1)) | word) & every(0x80)) == 0;
}

// As ids and most texts: one pass, eight bytes at a time, the last eight perhaps over some that were looked at before.
bool plain_ascii(std::string_view text)
{
    std::uint64_t word = 0;
    if (text.size() < sizeof word)
        return std::ranges::all_of(text, [](char c) { return static_cast<signed char>(c) > 0; });
    const char* const last = text.data() + text.size() - sizeof word;
    for (const char* at = text.data(); at < last; at += sizeof word) {
        std::memcpy(&word, at, sizeof word);
        if (!plain_ascii(word))
            return false;
    }
    std::memcpy(&word, last, sizeof word);
    return plain_ascii(word);
}

Result<void> check_text(std::string_view text)
{
    if (text.size() > longest_text)
        return Error(Errc::invalid_argument, "A value is too large to be stored.");
    if (plain_ascii(text))
        return {};
    if (text.find('\0') != std::string_view::npos)
        return Error(Errc::invalid_argument, "A text may not hold the character U+0000.");
    if (!valid_utf8(text))
        return Error(Errc::invalid_argument, "A text is not valid UTF-8.");
    return {};
}

}  // namespace

Result<void> check_text_or_real(const Param::Value& value)
{
    if (const auto* text = std::get_if<std::string_view>(&value))
        return check_text(*text);
    // SQLite keeps a NaN as NULL without a word.
    if (const auto* real = std::get_if<double>(&value); real && !std::isfinite(*real))
        return Error(Errc::invalid_argument, "A number is not finite.");
    return {};
}

}  // namespace dure::sql

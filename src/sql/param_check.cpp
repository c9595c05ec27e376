// check_param(); see param_check.hpp.
#include "sql/param_check.hpp"

#include <cmath>
#include <cstring>

#include "dure/base/text.hpp"

namespace dure::sql {

namespace {

constexpr std::size_t longest_text = 64 << 20;

// No U+0000 and nothing above U+007F, as of ids and most texts: one pass, eight bytes at a time.
bool plain_ascii(std::string_view text)
{
    constexpr auto every = [](std::uint64_t byte) { return byte * 0x0101'0101'0101'0101U; };
    const char* at = text.data();
    std::size_t left = text.size();
    std::uint64_t word = every(1);
    for (; left >= sizeof word; at += sizeof word, left -= sizeof word) {
        std::memcpy(&word, at, sizeof word);
        if ((((word - every(1)) | word) & every(0x80)) != 0)  // a borrow of a zero, or a bit that ASCII does not have
            return false;
    }
    for (; left > 0; ++at, --left)
        if (static_cast<signed char>(*at) <= 0)
            return false;
    return true;
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

Result<void> check_param(const Param::Value& value)
{
    if (const auto* text = std::get_if<std::string_view>(&value))
        return check_text(*text);
    // SQLite keeps a NaN as NULL without a word.
    if (const auto* real = std::get_if<double>(&value); real && !std::isfinite(*real))
        return Error(Errc::invalid_argument, "A number is not finite.");
    return {};
}

}  // namespace dure::sql

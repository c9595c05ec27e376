// check_param(); see param_check.hpp.
#include "sql/param_check.hpp"

#include <cmath>

#include "dure/base/text.hpp"

namespace dure::sql {

namespace {

constexpr std::size_t longest_text = 64 << 20;

Result<void> check_text(std::string_view text)
{
    if (text.size() > longest_text)
        return Error(Errc::invalid_argument, "A value is too large to be stored.");
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

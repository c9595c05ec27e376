// Points in time in query strings: RFC 3339 ("2026-11-21T02:15:00Z"), or a day ("2026-11-21", UTC).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"

namespace dure::api {

enum class DayMeans { its_start, its_end };   // its end is the start of the next one

// Empty text: no time.
inline Result<std::optional<UnixMillis>> read_time(const std::string& text, const char* parameter, DayMeans day)
{
    constexpr UnixMillis one_day = 86'400'000;
    if (text.empty())
        return std::optional<UnixMillis>();
    if (const auto point = parse_rfc3339(text))
        return point;
    if (text.size() == 10)
        if (const auto start = parse_rfc3339(text + "T00:00:00Z"))
            return std::min(*start + (day == DayMeans::its_end ? one_day : 0), last_rfc3339);
    const auto message = std::string(parameter) + " must be a time like 2026-11-21T02:15:00Z or a day like 2026-11-21";
    return Error(Errc::invalid_argument, message + ".")
        .param(parameter)
        .problem({{"query", parameter}, message, "datetime_parsing"});
}

// A span that ends before it begins is no question that nothing fits, but a slip.
inline Result<void> check_span(UnixMillis from, UnixMillis to, const char* parameter)
{
    if (from <= to)
        return {};
    const auto message = std::string(parameter) + " must not be behind the end of the span";
    return Error(Errc::invalid_argument, message + ".")
        .param(parameter)
        .problem({{"query", parameter}, message, "value_error"});
}

}  // namespace dure::api

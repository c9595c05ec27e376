// Where a client of server-sent events goes on: the id it saw last, as a browser sends it when it connects again.
#pragma once

#include <charconv>
#include <optional>

#include "api/context.hpp"

namespace dure::api {

// Nothing where the header is absent or empty; invalid_argument for what cannot be the number of an event.
inline Result<std::optional<std::int64_t>> last_event_id(const RequestContext& context)
{
    const auto last = context.header("last-event-id");
    if (last.empty())
        return std::optional<std::int64_t>();
    std::int64_t number = -1;
    const auto read = std::from_chars(last.data(), last.data() + last.size(), number);
    if (read.ec != std::errc() || read.ptr != last.data() + last.size() || number < 0)
        return Error(Errc::invalid_argument, "Last-Event-ID is not the number of an event.")
            .param("Last-Event-ID")
            .problem({{"header", "Last-Event-ID"}, "Last-Event-ID is not the number of an event", "int_parsing"});
    return std::optional(number);
}

}  // namespace dure::api

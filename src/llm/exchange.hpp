// What the exchanges of all dialects share: URLs of a provider, and how a failed send or an error answer becomes a Failure.
#pragma once

#include <algorithm>
#include <string_view>

#include "dure/config/settings.hpp"
#include "dure/http/client.hpp"
#include "llm/failure.hpp"

namespace dure::llm {

inline constexpr std::size_t largest_answer = 64u << 20;
inline constexpr std::size_t largest_error_answer = 256u << 10;

// {base}/path, whether or not the base ends in a slash; its query is kept. Throws InvariantBroken for a base that is no URL.
http::Url endpoint_url(const config::Provider& settings, std::string_view path);
// How long a head is waited for. Most providers send that of an answer without a stream when all of it is made, so there it has the
// time of the whole answer (llm-upstreams §7: 180 s beside 30 s) unless the provider's settings say another time for heads.
inline config::Milliseconds patience_for_head(const config::ProviderTimeouts& timeouts, bool stream, bool reasoning)
{
    if (stream)
        return timeouts.head;
    if (timeouts.head == config::ProviderTimeouts().head)
        return std::max(timeouts.head, timeouts.total);
    return reasoning ? std::max(timeouts.head, timeouts.first_output_reasoning) : timeouts.head;
}
// A request that was not answered by a head; and a body that broke off.
Failure failure_of_send(const Error& error);
Failure failure_of_body(const Error& error);
// Whether the answer has this media type.
bool is_type(const http::ResponseStream& response, std::string_view type);
// retry-after, x-should-retry, and for a 429 the reset headers of both dialects.
void note_limits(const http::ResponseStream& response, Failure& failure);

}  // namespace dure::llm

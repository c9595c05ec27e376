// See exchange.hpp.
#include "llm/exchange.hpp"

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::llm {

namespace {

// How long until every limit that is used up has room again.
std::optional<std::chrono::milliseconds> limit_reset(const http::ResponseStream& response, std::int64_t now)
{
    std::optional<std::chrono::milliseconds> longest;
    const auto look = [&](const std::string& remaining, const std::string& reset) {
        const auto left = trim(response.header(remaining));
        if (!left.empty() && left != "0")
            return;   // not the one that was reached
        const auto pause = parse_limit_reset(response.header(reset), now);
        if (pause && (!longest || *pause > *longest))
            longest = pause;
    };
    for (const std::string kind : {"requests", "tokens"})
        look("x-ratelimit-remaining-" + kind, "x-ratelimit-reset-" + kind);
    for (const std::string kind : {"requests", "tokens", "input-tokens", "output-tokens"})
        look("anthropic-ratelimit-" + kind + "-remaining", "anthropic-ratelimit-" + kind + "-reset");
    return longest;
}

}  // namespace

http::Url endpoint_url(const config::Provider& settings, std::string_view path)
{
    auto base = settings.base_url;
    std::string query;
    if (const auto mark = base.find('?'); mark != std::string::npos) {
        query = base.substr(mark);
        base.resize(mark);
    }
    while (base.ends_with('/'))
        base.pop_back();
    auto url = http::parse_url(base + std::string(path) + query);
    if (!url)
        throw InvariantBroken("provider '" + settings.name + "': base_url cannot be used: " + url.error().message());
    return std::move(*url);
}

Failure failure_of_body(const Error& error)
{
    const auto kind_of = [](const Error& one) {
        if (one.reason() == "connect")
            return FailureClass::connect;
        if (one.reason() == "no_descriptors")
            return FailureClass::no_descriptors;
        if (one.code() == Errc::timeout)
            return FailureClass::timeout;
        if (one.code() == Errc::unavailable)
            return FailureClass::busy;
        if (one.code() == Errc::payload_too_large)
            return FailureClass::protocol;
        return one.reason() == "protocol" ? FailureClass::protocol : FailureClass::interrupted;
    };
    Failure failure(kind_of(error), "");
    failure.detail = error.detail().empty() ? error.message() : error.detail();
    return failure;
}

Failure failure_of_send(const Error& error)
{
    auto failure = failure_of_body(error);
    if (failure.kind == FailureClass::interrupted)
        failure.kind = FailureClass::server;   // a new connection that ends without a word: nothing has begun that could break off
    return failure;
}

bool is_type(const http::ResponseStream& response, std::string_view type)
{
    const auto value = response.header("content-type");
    return equals_ignoring_case(trim(value.substr(0, value.find(';'))), type);
}

void note_limits(const http::ResponseStream& response, Failure& failure)
{
    const auto now = SystemClock().now();
    failure.retry_after = parse_retry_after(response.header("retry-after-ms"), response.header("retry-after"), now);
    failure.same_target_forbidden = response.header("x-should-retry") == "false";
    if (failure.kind == FailureClass::rate_limit)
        failure.limit_reset = limit_reset(response, now);
}

}  // namespace dure::llm

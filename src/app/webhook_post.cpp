// See webhook_post.hpp.
#include "app/webhook_post.hpp"

#include <charconv>

namespace dure::app {

namespace {

constexpr std::size_t read_of_answer = 16'384;   // so that its connection can be used again
constexpr int status_gone = 410;

std::optional<std::chrono::milliseconds> asked_pause(const http::ResponseStream& answer)
{
    const auto text = answer.header("retry-after");
    std::int64_t seconds = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (wrong != std::errc() || end != text.data() + text.size() || seconds < 0 || seconds > 86'400)
        return std::nullopt;
    return std::chrono::seconds(seconds);
}

runs::PostOutcome not_sent(const Error& error)
{
    runs::PostOutcome outcome;
    outcome.hopeless = error.code() == Errc::permission_denied || error.code() == Errc::invalid_argument;
    outcome.cause = error.message();
    return outcome;
}

Task<runs::PostOutcome> post_webhook(http::Client& client, const http::EgressPolicy& policy, const runs::Webhook& webhook,
                                     Deadline deadline)
{
    const auto url = http::parse_url(webhook.url);
    if (!url)
        co_return not_sent(url.error());
    http::ClientRequest request(http::Method::post, *url);
    request.headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", webhook.id}, {"User-Agent", "dure"}};
    request.body = webhook.body;
    request.deadline = deadline;
    request.egress = &policy;
    const auto answer = co_await client.send(request);
    if (!answer)
        co_return not_sent(answer.error());
    const auto status = (*answer)->status();
    runs::PostOutcome outcome;
    outcome.taken = status >= 200 && status < 300;
    outcome.hopeless = status == status_gone;
    outcome.cause = "the receiver answered " + std::to_string(status);
    outcome.pause = asked_pause(**answer);
    (void)co_await (*answer)->read_all(read_of_answer, deadline);   // the status has told
    co_return outcome;
}

}  // namespace

runs::Webhooks::Post webhook_post(http::Client& client, const http::EgressPolicy& policy)
{
    return [&client, &policy](const runs::Webhook& webhook, Deadline deadline) {
        return post_webhook(client, policy, webhook, deadline);
    };
}

Result<void> check_webhook(const http::EgressPolicy& policy, const std::string& url)
{
    const auto parsed = http::parse_url(url);
    const auto allowed = parsed ? policy.check(*parsed) : Result<void>(parsed.error());
    if (allowed)
        return {};
    return Error(Errc::invalid_argument, allowed.error().message()).param(runs::webhook_option);
}

}  // namespace dure::app

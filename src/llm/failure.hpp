// How an attempt failed, in the classes of llm-upstreams §6: the classifier (status and body to class, a table), what
// the retry plan does about a class, and the error a client sees for it (§9).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/config/settings.hpp"

namespace dure::llm {

enum class FailureClass {
    connect,
    timeout,
    server,
    overloaded,
    rate_limit,
    quota,
    auth,
    context_length,
    unsupported_param,
    model_missing,
    content_filter,
    bad_request,
    protocol,
    interrupted,
    busy,          // our own limit of running requests towards the provider
    no_descriptors,   // our own want: nothing was sent, and nothing is known of the provider
    no_target,     // every target is cooled down or broken; nothing was sent
    cancelled,     // the reader has gone
};
std::string_view name_of(FailureClass kind);

struct Failure {
    Failure() = default;
    Failure(FailureClass what, std::string sentence) : kind(what), message(std::move(sentence)) {}

    FailureClass kind = FailureClass::server;
    std::string message;            // one sentence for the client
    std::string code;               // the provider's own code, only of failures that are the caller's
    std::string param;
    std::string detail;             // for the log
    int status = 0;                 // upstream's, 0: none
    std::optional<std::chrono::milliseconds> retry_after;
    std::optional<std::chrono::milliseconds> limit_reset;   // from the rate limit headers: until there is room again
    std::optional<std::chrono::milliseconds>
        cooled_for;  // rate_limit: how long nothing is sent there, for the client to come back then
    bool same_target_forbidden = false;   // x-should-retry: false
    bool of_the_target = true;      // false: says nothing of the target's health
    bool after_output = false;      // the client has seen a part of the answer
};

// How an attempt ended: with a failure, or (empty) without. Small where there is none, because every coroutine between an
// answer and its reader holds one for as long as the answer lasts.
class MaybeFailure {
public:
    MaybeFailure() = default;
    MaybeFailure(std::nullopt_t) {}
    MaybeFailure(Failure failure) : failure_(std::make_unique<Failure>(std::move(failure))) {}
    MaybeFailure(const MaybeFailure& other) : failure_(other ? std::make_unique<Failure>(*other) : nullptr) {}
    MaybeFailure(MaybeFailure&&) noexcept = default;
    MaybeFailure& operator=(const MaybeFailure& other) { return *this = MaybeFailure(other); }
    MaybeFailure& operator=(MaybeFailure&&) noexcept = default;
    ~MaybeFailure() = default;

    explicit operator bool() const { return failure_ != nullptr; }
    bool has_value() const { return failure_ != nullptr; }
    Failure& operator*() { return *failure_; }
    const Failure& operator*() const { return *failure_; }
    Failure* operator->() { return failure_.get(); }
    const Failure* operator->() const { return failure_.get(); }

private:
    std::unique_ptr<Failure> failure_;
};

// Takes out what only this provider is to be sent: providers repeat keys and headers in their errors, and not every key looks like
// one. Values shorter than 8 characters stay: they are no secrets, and parts of words.
void hide_own_secrets(Failure& failure, const config::Provider& provider);
// The error towards the client; the message is redacted.
Error to_error(const Failure& failure);
// The error's reason where it is one of ours, for labels of metrics: of words that providers make up there is no end.
std::string_view error_type_of(const Error& error);
// How long a target that is limited and names no time is left alone, at first; what a client is told then.
inline constexpr std::chrono::seconds pause_without_header{5};

// What an upstream said about an error, wherever it stood: a body, or an event of a stream (status 0 then, unless the
// provider gave an HTTP status as its code).
struct UpstreamProblem {
    int status = 0;
    std::string code;
    std::string type;
    std::string message;
    std::string param;
};
// Reads {"error":{…}}, {"error":"text"}, {"object":"error",…}, {"message":…} and {"detail":…} with a text or FastAPI's list; other shapes leave
// the fields empty. OpenRouter tells of its moderation beside the message: that is read as the code content_filter.
UpstreamProblem read_problem(int status, const OrderedJson& body);
Failure classify(const UpstreamProblem& problem);
// How long until the limit has room again: `1s`, `6m0s`, `12ms` (OpenAI), or an RFC 3339 time (Anthropic).
std::optional<std::chrono::milliseconds> parse_limit_reset(std::string_view text, std::int64_t now_unix_ms);
// A whole error answer, also when the body is not JSON.
Failure classify_answer(int status, std::string_view body);
// retry-after-ms, retry-after (seconds, fractional, or an HTTP date against `now_unix_ms`).
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view milliseconds, std::string_view seconds_or_date,
                                                           std::int64_t now_unix_ms);

}  // namespace dure::llm

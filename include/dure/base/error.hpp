// The one error type of the product. Expected outcomes travel as Result<T>; exceptions are for broken invariants and
// outages only and are caught once, at the edge of a request. Module api maps Errc to HTTP in a single switch.
#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace dure {

enum class Errc {
    invalid_argument,        // the request's content is wrong
    unauthenticated,         // no credential, or not a valid one
    permission_denied,       // known caller, missing permission
    not_found,               // also: exists, but belongs to somebody else
    method_not_allowed,
    conflict,                // state changed meanwhile, or unique value taken
    precondition_failed,     // If-Match
    request_timeout,         // the client did not send in time
    payload_too_large,
    target_too_long,
    unsupported_media_type,
    expectation_failed,      // Expect asks for something else than 100-continue
    head_too_large,
    rate_limited,
    cancelled,               // the caller left or the server stops
    internal,                // broken invariant; nothing of it reaches a client
    not_implemented,         // HTTP method or coding nobody here knows
    upstream_failed,         // a model provider or tool server answered wrongly
    unavailable,             // a dependency or capacity is missing now; try again
    timeout,                 // our own deadline, waiting for somebody else
    storage_full,
};

// One wrong field of a request: where it stands (["body", "messages", "0", "role"]), what is wrong, machine word.
struct FieldProblem {
    std::vector<std::string> location;
    std::string message;
    std::string type;

    // What of a flow's document the problem is about; either may be empty. The entry then has `code` and `level` as well (flow-format §9).
    struct Part {
        std::string node_id;
        std::string edge_id;
    };
    std::optional<Part> part = {};
};

// What rarely comes with an error.
struct ErrorExtra {
    std::string reason;      // stable machine word, e.g. "model_not_found"; OpenAI's `code`
    std::string param;       // name of the wrong field, OpenAI's `param`
    std::vector<FieldProblem> problems;
    std::optional<std::chrono::seconds> retry_after;
    std::optional<bool> should_retry;           // sent as x-should-retry
    std::vector<std::string> allowed_methods;   // of method_not_allowed
};

class [[nodiscard]] Error {
public:
    Error() : code_(Errc::internal) {}   // boost::system::result demands one
    Error(Errc code, std::string message) : code_(code) { writable().message = std::move(message); }

    // The builder calls below return *this, so an error reads as one expression.
    Error&& detail(std::string text) &&;          // for the log only, never for a client
    Error&& reason(std::string word) &&;
    Error&& param(std::string field) &&;
    Error&& problem(FieldProblem one) &&;
    Error&& problems(std::vector<FieldProblem> all) &&;
    Error&& retry_after(std::chrono::seconds pause) &&;
    Error&& should_retry(bool yes) &&;
    Error&& allowed_methods(std::vector<std::string> methods) &&;

    Errc code() const { return code_; }
    const std::string& message() const { return text().message; }   // may reach the client
    const std::string& detail() const { return text().detail; }
    const ErrorExtra& extra() const { return text().extra; }
    const std::string& reason() const { return extra().reason; }
    const std::string& param() const { return extra().param; }

private:
    struct Text {
        std::string message;
        std::string detail;
        ErrorExtra extra;
    };
    const Text& text() const;
    Text& writable();

    // All but the code stands elsewhere, so that a Result<T>, of which every coroutine frame holds several, stays small.
    // Shared: errors are copied into logs, events and answers; a builder call on a shared one makes a copy.
    Errc code_;
    std::shared_ptr<Text> text_;
};

template <class T>
using Result = boost::system::result<T, Error>;

// What boost::system::result throws from value() on an error: a broken invariant at the place of the call.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

// Name of a code for logs and metrics, e.g. "not_found".
std::string_view name_of(Errc code);

// Logic errors that no caller can handle; caught once at the edge and answered as 500.
class InvariantBroken : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

}  // namespace dure

// Gives up the current coroutine or function with the error of an expression of type Result<T>.
#define DURE_CO_TRY_VOID(expression)                       \
    do {                                                   \
        if (auto dure_result_ = (expression); !dure_result_) \
            co_return dure_result_.error();                \
    } while (false)

// Error: builder calls and names. See error.hpp for the rules.
#include "dure/base/error.hpp"

namespace dure {

namespace {
const ErrorExtra no_extra{};
}

const ErrorExtra& Error::extra() const
{
    return extra_ ? *extra_ : no_extra;
}

ErrorExtra& Error::writable_extra()
{
    auto copy = extra_ ? std::make_shared<ErrorExtra>(*extra_) : std::make_shared<ErrorExtra>();
    extra_ = copy;
    return *copy;
}

Error&& Error::detail(std::string text) &&
{
    detail_ = std::move(text);
    return std::move(*this);
}

Error&& Error::reason(std::string word) &&
{
    writable_extra().reason = std::move(word);
    return std::move(*this);
}

Error&& Error::param(std::string field) &&
{
    writable_extra().param = std::move(field);
    return std::move(*this);
}

Error&& Error::problem(FieldProblem one) &&
{
    writable_extra().problems.push_back(std::move(one));
    return std::move(*this);
}

Error&& Error::problems(std::vector<FieldProblem> all) &&
{
    writable_extra().problems = std::move(all);
    return std::move(*this);
}

Error&& Error::retry_after(std::chrono::seconds pause) &&
{
    writable_extra().retry_after = pause;
    return std::move(*this);
}

Error&& Error::should_retry(bool yes) &&
{
    writable_extra().should_retry = yes;
    return std::move(*this);
}

Error&& Error::allowed_methods(std::vector<std::string> methods) &&
{
    writable_extra().allowed_methods = std::move(methods);
    return std::move(*this);
}

void throw_exception_from_error(const Error& error, const boost::source_location& where)
{
    throw InvariantBroken(std::string(where.function_name()) + ": value() of an error: " + error.message());
}

std::string_view name_of(Errc code)
{
    switch (code) {
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::unauthenticated: return "unauthenticated";
    case Errc::permission_denied: return "permission_denied";
    case Errc::not_found: return "not_found";
    case Errc::method_not_allowed: return "method_not_allowed";
    case Errc::conflict: return "conflict";
    case Errc::precondition_failed: return "precondition_failed";
    case Errc::request_timeout: return "request_timeout";
    case Errc::payload_too_large: return "payload_too_large";
    case Errc::target_too_long: return "target_too_long";
    case Errc::unsupported_media_type: return "unsupported_media_type";
    case Errc::head_too_large: return "head_too_large";
    case Errc::rate_limited: return "rate_limited";
    case Errc::cancelled: return "cancelled";
    case Errc::internal: return "internal";
    case Errc::not_implemented: return "not_implemented";
    case Errc::upstream_failed: return "upstream_failed";
    case Errc::unavailable: return "unavailable";
    case Errc::timeout: return "timeout";
    case Errc::storage_full: return "storage_full";
    }
    return "internal";
}

}  // namespace dure

// Error: builder calls and names. See error.hpp for the rules.
#include "dure/base/error.hpp"

namespace dure {

const Error::Text& Error::text() const
{
    static const Text none;
    return text_ ? *text_ : none;
}

Error::Text& Error::writable()
{
    if (!text_)
        text_ = std::make_shared<Text>();
    else if (text_.use_count() > 1)
        text_ = std::make_shared<Text>(*text_);
    return *text_;
}

Error&& Error::detail(std::string text) &&
{
    writable().detail = std::move(text);
    return std::move(*this);
}

Error&& Error::reason(std::string word) &&
{
    writable().extra.reason = std::move(word);
    return std::move(*this);
}

Error&& Error::param(std::string field) &&
{
    writable().extra.param = std::move(field);
    return std::move(*this);
}

Error&& Error::problem(FieldProblem one) &&
{
    writable().extra.problems.push_back(std::move(one));
    return std::move(*this);
}

Error&& Error::problems(std::vector<FieldProblem> all) &&
{
    writable().extra.problems = std::move(all);
    return std::move(*this);
}

Error&& Error::retry_after(std::chrono::seconds pause) &&
{
    writable().extra.retry_after = pause;
    return std::move(*this);
}

Error&& Error::should_retry(bool yes) &&
{
    writable().extra.should_retry = yes;
    return std::move(*this);
}

Error&& Error::allowed_methods(std::vector<std::string> methods) &&
{
    writable().extra.allowed_methods = std::move(methods);
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
    case Errc::expectation_failed: return "expectation_failed";
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

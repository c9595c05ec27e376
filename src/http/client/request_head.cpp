// The head of a request, from checked parts only: nothing of a caller's text can start a line of its own.
#include <algorithm>
#include <charconv>

#include "dure/base/text.hpp"
#include "http/client/exchange.hpp"
#include "http/client/field_text.hpp"

namespace dure::http::outgoing {
namespace request_head_parts {

bool is_ours(std::string_view name)
{
    for (const std::string_view ours : {"host", "content-length", "connection", "transfer-encoding", "expect", "upgrade", "te"})
        if (name.size() == ours.size() && equals_ignoring_case(name, ours))   // mostly no call
            return true;
    return false;
}

bool has_visible_text_only(std::string_view target)
{
    return std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool may_have_body(Method method)
{
    return method == Method::post || method == Method::put || method == Method::patch;
}

std::string host_of(const Url& url)
{
    auto host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    if (url.port != (url.tls ? 443 : 80))
        host += ":" + std::to_string(url.port);
    return host;
}

}  // namespace request_head_parts

HeadEnd::HeadEnd(Method method, std::string_view body)
{
    constexpr std::string_view length_of_body = "Content-Length: ";
    constexpr std::string_view line_end = "\r\n";
    auto* at = text_.data();
    if (!body.empty() || request_head_parts::may_have_body(method)) {
        at = std::copy(length_of_body.begin(), length_of_body.end(), at);
        at = std::to_chars(at, text_.data() + text_.size(), body.size()).ptr;
        at = std::copy(line_end.begin(), line_end.end(), at);
    }
    at = std::copy(line_end.begin(), line_end.end(), at);
    size_ = static_cast<std::size_t>(at - text_.data());
}

}  // namespace dure::http::outgoing

namespace dure::http {

Result<RequestForm> RequestForm::make(Method method, Url url, const HeaderFields& headers)
{
    using namespace outgoing;
    if (!url.target.starts_with('/') || !request_head_parts::has_visible_text_only(url.target))
        return Error(Errc::invalid_argument, "The URL is not valid.").reason("invalid_url");
    std::string lines;
    lines.append(name_of(method)).append(" ").append(url.target).append(" HTTP/1.1\r\nHost: ");
    lines.append(request_head_parts::host_of(url)).append("\r\n");
    for (const auto& [name, value] : headers) {
        // The value may be a secret: only the name is said.
        if (!may_be_sent(name, value))
            return Error(Errc::invalid_argument, "A header field of an outgoing request is not allowed.")
                .reason("invalid_header")
                .detail("field " + (is_token(name) ? name : std::string("with a broken name")));
        lines.append(name).append(": ").append(value).append("\r\n");
    }
    RequestForm form(method, std::move(url));
    form.lines_ = SecretString(std::move(lines));
    return form;
}

bool may_be_sent(std::string_view name, std::string_view value)
{
    return outgoing::is_token(name) && outgoing::is_field_text(value) && !outgoing::request_head_parts::is_ours(name);
}

}  // namespace dure::http

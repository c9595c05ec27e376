// The head of a request, from checked parts only: nothing of a caller's text can start a line of its own.
#include <algorithm>

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

void append_host(std::string& head, const Url& url)
{
    const bool v6 = url.host.find(':') != std::string::npos;
    head.append(v6 ? "[" : "").append(url.host).append(v6 ? "]" : "");
    if (url.port != (url.tls ? 443 : 80))
        head.append(":").append(std::to_string(url.port));
}

std::size_t size_of_fields(const ClientRequest& request)
{
    constexpr std::size_t around = 4;   // ": " and the line's end
    std::size_t size = 0;
    for (const auto& [name, value] : request.headers)
        size += name.size() + value.size() + around;
    return size;
}

}  // namespace request_head_parts

Result<std::string> request_head(const ClientRequest& request)
{
    using namespace request_head_parts;
    if (!request.url.target.starts_with('/') || !has_visible_text_only(request.url.target))
        return Error(Errc::invalid_argument, "The URL is not valid.").reason("invalid_url");
    constexpr std::size_t other_words = 96;   // method, version, port, length
    std::string head;
    head.reserve(size_of_fields(request) + request.url.target.size() + request.url.host.size() + other_words);
    head.append(name_of(request.method)).append(" ").append(request.url.target).append(" HTTP/1.1\r\nHost: ");
    append_host(head, request.url);
    head.append("\r\n");
    for (const auto& [name, value] : request.headers) {
        // The value may be a secret: only the name is said.
        if (!may_be_sent(name, value))
            return Error(Errc::invalid_argument, "A header field of an outgoing request is not allowed.")
                .reason("invalid_header")
                .detail("field " + (is_token(name) ? name : std::string("with a broken name")));
        head.append(name).append(": ").append(value).append("\r\n");
    }
    if (!request.body.empty() || may_have_body(request.method))
        head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
    head.append("\r\n");
    return head;
}

}  // namespace dure::http::outgoing

bool dure::http::may_be_sent(std::string_view name, std::string_view value)
{
    return outgoing::is_token(name) && outgoing::is_field_text(value) && !outgoing::request_head_parts::is_ours(name);
}

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
        if (equals_ignoring_case(name, ours))
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

std::string host_field(const Url& url)
{
    const bool v6 = url.host.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + url.host + "]" : url.host;
    return url.port == (url.tls ? 443 : 80) ? host : host + ":" + std::to_string(url.port);
}

}  // namespace request_head_parts

Result<std::string> request_head(const ClientRequest& request)
{
    using namespace request_head_parts;
    if (!request.url.target.starts_with('/') || !has_visible_text_only(request.url.target))
        return Error(Errc::invalid_argument, "The URL is not valid.").reason("invalid_url");
    std::string head(name_of(request.method));
    head.append(" ").append(request.url.target).append(" HTTP/1.1\r\nHost: ").append(host_field(request.url)).append("\r\n");
    for (const auto& [name, value] : request.headers) {
        // The value may be a secret: only the name is said.
        if (!is_token(name) || !is_field_text(value) || is_ours(name))
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

// fetch; see fetch.hpp.
#include "dure/http/fetch.hpp"

#include "dure/base/text.hpp"

namespace dure::http {
namespace fetch_parts {

constexpr int most_redirects = 3;

bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Error bad_redirect(const char* why)
{
    return Error(Errc::upstream_failed, std::string("The redirect is not followed: ") + why + ".").reason("redirect");
}

bool may_cross_origins(std::string_view name)
{
    for (const std::string_view harmless : {"accept", "accept-language", "content-type"})
        if (equals_ignoring_case(name, harmless))
            return true;
    return false;
}

// Changes the request into the one that follows the redirect.
Result<Url> follow(const Url& from, int status, std::string_view location, FetchRequest& request)
{
    auto to = resolve_reference(from, location);
    if (!to)
        return bad_redirect("its address is not valid");
    if (from.tls && !to->tls)
        return bad_redirect("it leads from https to http");
    const bool asks_again = status == 303 || ((status == 301 || status == 302) && request.method == Method::post);
    if (to->origin() != from.origin()) {
        const bool nothing_crosses = request.only_for_first_origin;
        if (nothing_crosses && !asks_again && !request.body.empty())
            return bad_redirect("it leads to another server, which may not have the body");
        std::erase_if(request.headers,
                      [&](const auto& field) { return nothing_crosses || !may_cross_origins(field.first); });
    }
    if (asks_again && request.method != Method::head) {
        request.method = Method::get;
        request.body.clear();
        std::erase_if(request.headers,
                      [](const auto& field) { return equals_ignoring_case(field.first, "content-type"); });
    }
    return to;
}

bool is_encoded(const ResponseStream& answer)
{
    const auto coding = answer.header("content-encoding");
    return !coding.empty() && !equals_ignoring_case(coding, "identity");
}

}  // namespace fetch_parts

using namespace fetch_parts;

std::string_view FetchAnswer::header(std::string_view name) const
{
    for (const auto& [key, value] : headers)
        if (equals_ignoring_case(key, name))
            return value;
    return {};
}

Result<Url> resolve_reference(const Url& from, std::string_view location)
{
    location = trim(location.substr(0, location.find('#')));
    const auto path = std::string_view(from.target).substr(0, from.target.find('?'));
    std::string text = from.origin();
    if (location.empty())
        return Error(Errc::invalid_argument, "The address is empty.").reason("invalid_url");
    const auto scheme_end = location.find(':');
    if (scheme_end != std::string_view::npos && scheme_end < location.find_first_of("/?"))
        text = location;
    else if (location.starts_with("//"))
        text = (from.tls ? "https:" : "http:") + std::string(location);
    else if (location.starts_with('/'))
        text += location;
    else if (location.starts_with('?'))
        text += std::string(path) + std::string(location);
    else
        text += std::string(path.substr(0, path.rfind('/') + 1)) + std::string(location);
    return parse_url(text);
}

Task<Result<FetchAnswer>> fetch(Client& client, const EgressPolicy& policy, FetchRequest request)
{
    auto url = parse_url(request.url);
    if (!url)
        co_return url.error();
    for (int redirects = 0;; ++redirects) {
        ClientRequest one(request.method, *url);
        one.headers = request.headers;
        one.headers.emplace_back("Accept-Encoding", "identity");
        one.body = request.body;
        one.deadline = request.deadline;
        one.timeouts = request.timeouts;
        one.egress = &policy;
        auto answer = co_await client.send(one);
        if (!answer)
            co_return answer.error();
        const auto location = (*answer)->header("location");
        if (is_redirect((*answer)->status()) && !location.empty()) {
            if (redirects == most_redirects)
                co_return bad_redirect("there are more than 3");
            auto next = follow(*url, (*answer)->status(), location, request);
            if (!next)
                co_return next.error();
            url = std::move(next);
            continue;
        }
        if (is_encoded(**answer))
            co_return Error(Errc::upstream_failed, "The answer is compressed although nobody asked for that.")
                .reason("protocol");
        auto body = co_await (*answer)->read_all(request.largest_answer, request.deadline);
        if (!body)
            co_return body.error();
        co_return FetchAnswer{(*answer)->status(), (*answer)->headers(), std::move(*body)};
    }
}

}  // namespace dure::http

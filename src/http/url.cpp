// Url: the one parser of absolute URLs for requests this server makes. Strict on purpose: what browsers repair
// (backslashes, odd spellings of IPv4, userinfo) is refused, since two readers could disagree about the host.
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "dure/base/text.hpp"
#include "dure/http/client.hpp"

namespace dure::http {
namespace url_parts {

constexpr std::size_t longest_url = 8 * 1024;

Error refused(const char* why)
{
    return Error(Errc::invalid_argument, std::string("The URL is not valid: ") + why + ".").reason("invalid_url");
}

bool is_visible_ascii(std::string_view text)
{
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_digits(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_label(std::string_view label)
{
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), allowed);
}

// A host whose last label looks like a number is an IPv4 address to some resolvers ("127.1", "0x7f.1"): then it must be
// a canonical one.
bool is_name_or_ipv4(std::string_view host)
{
    if (host.empty() || host.size() > 253)
        return false;
    std::string_view last;
    for (std::string_view rest = host;;) {
        const std::size_t dot = std::min(rest.find('.'), rest.size());
        last = rest.substr(0, dot);
        if (!is_label(last))
            return false;
        if (dot == rest.size())
            break;
        rest.remove_prefix(dot + 1);
    }
    if (!is_digits(last) && !last.starts_with("0x"))
        return true;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address_v4(std::string(host), error);
    return !error && address.to_string() == host;
}

bool is_ipv6(std::string_view host)
{
    boost::system::error_code error;
    boost::asio::ip::make_address_v6(std::string(host), error);
    return !error && host.find('%') == std::string_view::npos;
}

bool parse_port(std::string_view text, std::uint16_t& port)
{
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    return is_digits(text) && error == std::errc() && stop == end && port != 0;
}

// "host", "host:port", "[v6]", "[v6]:port"
const char* parse_authority(std::string_view authority, Url& url)
{
    const bool bracketed = authority.starts_with('[');
    const std::size_t host_end = bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
    if (host_end == std::string_view::npos)
        return "an IPv6 address is not closed";
    url.host = ascii_lower(bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end));
    if (bracketed ? !is_ipv6(url.host) : !is_name_or_ipv4(url.host))
        return "no host name or address stands in it";
    const std::string_view rest = authority.substr(host_end + (bracketed ? 1 : 0));
    if (!rest.empty() && (rest[0] != ':' || !parse_port(rest.substr(1), url.port)))
        return "the port is not a number from 1 to 65535";
    return nullptr;
}

}  // namespace url_parts

std::string Url::origin() const
{
    const bool v6 = host.find(':') != std::string::npos;
    return (tls ? "https://" : "http://") + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text)
{
    using namespace url_parts;
    if (text.size() > longest_url)
        return refused("it is too long");
    if (!is_visible_ascii(text) || text.find('\\') != std::string_view::npos)
        return refused("it holds a character that must be escaped");
    if (text.find('#') != std::string_view::npos)
        return refused("a fragment is not allowed");
    Url url;
    const std::size_t scheme_end = text.find("://");
    const std::string scheme = ascii_lower(text.substr(0, std::min(scheme_end, text.size())));
    if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https"))
        return refused("it must start with http:// or https://");
    url.tls = scheme == "https";
    url.port = url.tls ? 443 : 80;
    text.remove_prefix(scheme_end + 3);
    const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
    const std::string_view authority = text.substr(0, authority_end);
    if (authority.find('@') != std::string_view::npos)
        return refused("user names and passwords are not allowed");
    if (const char* const problem = parse_authority(authority, url))
        return refused(problem);
    url.target = text.substr(authority_end);
    if (!url.target.starts_with('/'))
        url.target.insert(0, 1, '/');
    return url;
}

}  // namespace dure::http

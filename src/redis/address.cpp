// parse_address(); see address.hpp.
#include "dure/redis/address.hpp"

#include <charconv>
#include <optional>

#include "dure/base/text.hpp"

namespace dure::redis {

namespace addresses {

Error wrong(std::string message)
{
    return Error(Errc::invalid_argument, "the Redis URL " + std::move(message));
}

template <class Number>
std::optional<Number> whole_number(std::string_view text)
{
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

bool printable(std::string_view text)
{
    for (const char c : text)
        if (c <= ' ' || c == 127)
            return false;
    return true;
}

Result<void> read_login(std::string_view login, Address& address)
{
    const auto colon = login.find(':');
    auto user = percent_decode(login.substr(0, colon));
    auto password = percent_decode(colon == std::string_view::npos ? std::string_view() : login.substr(colon + 1));
    if (!user || !password)
        return wrong("has a broken %-escape in its user or password");
    if (password->empty())
        return wrong("names a user without a password");
    address.user = std::move(*user);
    address.password = SecretString(std::move(*password));
    return {};
}

Result<void> read_host(std::string_view place, Address& address)
{
    std::string_view port;
    if (place.starts_with('[')) {
        const auto close = place.find(']');
        if (close == std::string_view::npos)
            return wrong("has no ']' behind its address");
        address.host = std::string(place.substr(1, close - 1));
        port = place.substr(close + 1);
    } else {
        const auto colon = place.find(':');
        address.host = std::string(place.substr(0, colon));
        port = colon == std::string_view::npos ? std::string_view() : place.substr(colon);
    }
    if (address.host.empty())
        return wrong("names no host");
    if (port.empty())
        return {};
    const auto number = port.starts_with(':') ? whole_number<std::uint16_t>(port.substr(1)) : std::nullopt;
    if (!number || *number == 0)
        return wrong("has no port between 1 and 65535 behind its host");
    address.port = *number;
    return {};
}

}  // namespace addresses

Result<Address> parse_address(std::string_view url)
{
    using namespace addresses;
    const bool tls = url.starts_with("rediss://");
    if (!tls && !url.starts_with("redis://"))
        return wrong("must begin with redis:// or rediss://");
    if (!printable(url))
        return wrong("holds a space or control character");
    url.remove_prefix(url.find("//") + 2);
    Address address;
    address.tls = tls;
    const auto slash = url.find('/', url.rfind('@') == std::string_view::npos ? 0 : url.rfind('@'));
    auto place = url.substr(0, slash);
    if (const auto at = place.rfind('@'); at != std::string_view::npos) {
        if (auto login = read_login(place.substr(0, at), address); !login)
            return login.error();
        place.remove_prefix(at + 1);
    }
    if (auto host = read_host(place, address); !host)
        return host.error();
    if (slash == std::string_view::npos || slash + 1 == url.size())
        return address;
    const auto database = whole_number<int>(url.substr(slash + 1));
    if (!database || *database < 0)
        return wrong("must end in the number of a database");
    address.database = *database;
    return address;
}

}  // namespace dure::redis

// The egress policy; see egress.hpp.
#include "dure/http/egress.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "dure/http/client.hpp"

namespace dure::http {
namespace egress_parts {

namespace ip = boost::asio::ip;

struct Range4 {
    std::uint32_t first;
    int bits;
};

constexpr std::uint32_t quad(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d)
{
    return a << 24 | b << 16 | c << 8 | d;
}

// IANA special-purpose registry, everything that is not globally reachable, with multicast and 6to4 relays.
constexpr Range4 closed4[] = {
    {quad(0, 0, 0, 0), 8},      {quad(10, 0, 0, 0), 8},     {quad(100, 64, 0, 0), 10}, {quad(127, 0, 0, 0), 8},
    {quad(169, 254, 0, 0), 16}, {quad(172, 16, 0, 0), 12},  {quad(192, 0, 0, 0), 24},  {quad(192, 0, 2, 0), 24},
    {quad(192, 88, 99, 0), 24}, {quad(192, 168, 0, 0), 16}, {quad(198, 18, 0, 0), 15}, {quad(198, 51, 100, 0), 24},
    {quad(203, 0, 113, 0), 24}, {quad(224, 0, 0, 0), 4},    {quad(240, 0, 0, 0), 4},
};

bool is_public4(std::uint32_t address)
{
    return std::none_of(std::begin(closed4), std::end(closed4),
                        [&](const Range4& range) { return (address ^ range.first) >> (32 - range.bits) == 0; });
}

using Bytes6 = ip::address_v6::bytes_type;

std::uint32_t inner4(const Bytes6& bytes, std::size_t at)
{
    return quad(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

bool begins(const Bytes6& bytes, std::initializer_list<unsigned> prefix)
{
    return std::equal(prefix.begin(), prefix.end(), bytes.begin(), [](unsigned a, unsigned char b) { return a == b; });
}

bool is_public6(const ip::address_v6& address)
{
    const auto bytes = address.to_bytes();
    if (address.scope_id() != 0)
        return false;
    if (begins(bytes, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}))   // NAT64: as public as what is inside
        return is_public4(inner4(bytes, 12));
    if ((bytes[0] & 0xe0) != 0x20)  // outside of 2000::/3: ::, ::1, mapped, compatible, fc00::/7, fe80::/10, ff00::/8 …
        return false;
    if (begins(bytes, {0x20, 0x02}))  // 6to4
        return is_public4(inner4(bytes, 2));
    const bool special = begins(bytes, {0x20, 0x01}) && (bytes[2] & 0xfe) == 0;  // 2001::/23: Teredo, benchmark, ORCHID
    const bool example = begins(bytes, {0x20, 0x01, 0x0d, 0xb8}) || (begins(bytes, {0x3f, 0xff}) && bytes[2] < 0x10);
    return !special && !example;
}

Error not_allowed(const Url& url, const char* message, const std::string& why)
{
    return Error(Errc::permission_denied, message).reason("egress").detail(url.origin() + ": " + why);
}

std::vector<ip::address> interface_addresses()
{
    std::vector<ip::address> all;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0)
        return all;  // without interfaces there is nobody to reach
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr)
            continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in socket{};
            std::memcpy(&socket, one->ifa_addr, sizeof socket);
            all.emplace_back(ip::address_v4(ntohl(socket.sin_addr.s_addr)));
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 socket{};
            std::memcpy(&socket, one->ifa_addr, sizeof socket);
            Bytes6 bytes;
            std::memcpy(bytes.data(), &socket.sin6_addr, bytes.size());
            all.emplace_back(ip::address_v6(bytes));
        }
    }
    ::freeifaddrs(list);
    return all;
}

}  // namespace egress_parts

using namespace egress_parts;

bool is_public(const boost::asio::ip::address& address)
{
    return address.is_v4() ? is_public4(address.to_v4().to_uint()) : is_public6(address.to_v6());
}

bool EgressPolicy::is_exception(const Url& url) const
{
    return exceptions_.contains({url.host, url.port});
}

Result<EgressPolicy> EgressPolicy::make(const Options& options)
{
    EgressPolicy policy;
    policy.ports_.insert(options.ports.begin(), options.ports.end());
    for (const auto& entry : options.allow) {
        const auto url = parse_url("http://" + entry);
        const bool with_port = entry.ends_with(":" + std::to_string(url ? url->port : 0));
        if (!url || !with_port || url->target != "/" || entry.find('/') != std::string::npos)
            return Error(Errc::invalid_argument, "egress.allow: '" + entry + "' is no host:port").param("egress.allow");
        policy.exceptions_.insert({url->host, url->port});
    }
    if (options.own_port == 0)
        return policy;
    boost::system::error_code no_address;
    const auto own = ip::make_address(options.own_host, no_address);
    if (!no_address && !own.is_unspecified())
        policy.own_.insert({own, options.own_port});
    else
        for (const auto& address : interface_addresses())
            policy.own_.insert({address, options.own_port});
    return policy;
}

Result<void> EgressPolicy::check(const Url& url) const
{
    if (is_exception(url))
        return boost::system::in_place_value;
    if (!ports_.contains(url.port))
        return not_allowed(url, "Requests to this port are not allowed.", "port is not in egress.ports");
    boost::system::error_code a_name;
    const auto address = ip::make_address(url.host, a_name);
    return a_name ? Result<void>(boost::system::in_place_value) : check(url, address);
}

Result<void> EgressPolicy::check(const Url& url, const boost::asio::ip::address& address) const
{
    if (is_exception(url))
        return boost::system::in_place_value;
    if (!is_public(address) || own_.contains({address, url.port}))
        return not_allowed(url, "Requests to private or reserved addresses are not allowed.", address.to_string());
    return boost::system::in_place_value;
}

}  // namespace dure::http

// See peer_policy.hpp.
#include "http/server/peer_policy.hpp"

#include <algorithm>
#include <charconv>

#include "dure/base/text.hpp"

namespace dure::http {

namespace ip = boost::asio::ip;

namespace peer_policy_parts {

template <class Bytes>
bool same_prefix(const Bytes& a, const Bytes& b, unsigned bits)
{
    const auto whole = bits / 8;
    if (!std::equal(a.begin(), a.begin() + whole, b.begin()))
        return false;
    const auto left = bits % 8;
    return left == 0 || ((a[whole] ^ b[whole]) >> (8 - left)) == 0;
}

// An entry of the proxies' header: an address, perhaps with a port, IPv6 perhaps in brackets.
std::optional<ip::address> parse_entry(std::string_view text)
{
    text = trim(text);
    if (!text.empty() && text.front() == '[')
        text = text.substr(1, text.find(']') - 1);
    else if (std::count(text.begin(), text.end(), ':') == 1)
        text = text.substr(0, text.find(':'));
    boost::system::error_code error;
    const auto address = ip::make_address(std::string(text), error);
    if (error)
        return std::nullopt;
    return plain_address(address);
}

}  // namespace peer_policy_parts

ip::address plain_address(const ip::address& address)
{
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    return address;
}

bool AddressBlock::contains(const ip::address& address) const
{
    if (network.is_v4() != address.is_v4())
        return false;
    return network.is_v4() ? peer_policy_parts::same_prefix(network.to_v4().to_bytes(), address.to_v4().to_bytes(), prefix)
                           : peer_policy_parts::same_prefix(network.to_v6().to_bytes(), address.to_v6().to_bytes(), prefix);
}

Result<AddressBlock> parse_address_block(std::string_view text)
{
    const auto refuse = [&] {
        return Error(Errc::invalid_argument, "\"" + std::string(text) + "\" is neither an address nor a CIDR block.");
    };
    const auto slash = text.find('/');
    boost::system::error_code error;
    const auto address = plain_address(ip::make_address(std::string(text.substr(0, slash)), error));
    if (error)
        return refuse();
    AddressBlock block{address, address.is_v4() ? 32u : 128u};
    if (slash == text.npos)
        return block;
    const auto digits = text.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (failed != std::errc() || end != digits.data() + digits.size() || prefix > block.prefix)
        return refuse();
    block.prefix = prefix;
    return block;
}

Result<PeerPolicy> PeerPolicy::make(const ServerOptions& options, bool loopback)
{
    PeerPolicy policy;
    for (const auto& proxy : options.trusted_proxies) {
        auto block = parse_address_block(proxy);
        if (!block)
            return block.error();
        policy.proxies_.push_back(*block);
    }
    policy.proxy_header_ = options.proxy_header;
    policy.any_host_ = !options.check_host || (!loopback && options.allowed_hosts.empty());
    for (const auto& host : options.allowed_hosts)
        policy.hosts_.push_back(ascii_lower(host));
    return policy;
}

bool PeerPolicy::host_allowed(std::string_view host_field) const
{
    if (any_host_ || host_field.empty())   // without a Host field it is no browser: HTTP/1.0
        return true;
    const auto end = host_field.front() == '[' ? host_field.find(']') + 1 : host_field.find(':');
    const auto name = ascii_lower(host_field.substr(0, end));
    if (name == "localhost" || name == "127.0.0.1" || name == "[::1]")
        return true;
    return std::find(hosts_.begin(), hosts_.end(), name) != hosts_.end();
}

bool PeerPolicy::trusts(const ip::address& socket) const
{
    return std::any_of(proxies_.begin(), proxies_.end(), [&](const AddressBlock& block) { return block.contains(socket); });
}

std::string PeerPolicy::client_address(const ip::address& socket, const RequestHead& head) const
{
    auto client = socket;
    if (proxy_header_.empty() || !trusts(socket))
        return client.to_string();
    for (auto field = head.headers.rbegin(); field != head.headers.rend(); ++field) {
        if (!equals_ignoring_case(field->name, proxy_header_))
            continue;
        for (auto left = field->value; !left.empty();) {
            const auto comma = left.rfind(',');
            const auto entry = peer_policy_parts::parse_entry(comma == left.npos ? left : left.substr(comma + 1));
            if (!entry)
                return client.to_string();
            client = *entry;
            if (!trusts(client))
                return client.to_string();
            left = comma == left.npos ? std::string_view() : left.substr(0, comma);
        }
    }
    return client.to_string();
}

}  // namespace dure::http

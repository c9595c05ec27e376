// Where requests of tools and flows may go (threat-model §6). The client asks three times: for the URL before anything
// is looked up, for every address its name has, and for the peer after the connect. The connection goes to an address
// that was checked, never to the name again, so an answer of the name server that changes in between changes nothing.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dure/base/error.hpp"

namespace dure::http {

struct Url;

// False for everything that is not a public unicast address: loopback, private, link-local (metadata), CGNAT, benchmark,
// documentation, multicast, reserved, ULA, and IPv6 forms that carry such an IPv4 address.
bool is_public(const boost::asio::ip::address& address);

// Immutable after make(); thread-safe.
class EgressPolicy {
public:
    struct Options {
        std::vector<std::string>
            allow;  // "host:port", exactly as it stands in URLs; neither port nor address is checked then
        std::vector<std::int64_t> ports{80, 443};
        std::string own_host;  // where this server listens; a wildcard means every interface
        std::uint16_t own_port = 0;
    };

    // invalid_argument: an entry of allow is no host:port.
    static Result<EgressPolicy> make(const Options& options);

    // permission_denied, reason "egress", message without addresses (it may reach a model), detail for the log.
    Result<void> check(const Url& url) const;
    Result<void> check(const Url& url, const boost::asio::ip::address& address) const;

private:
    bool is_exception(const Url& url) const;

    std::set<std::pair<std::string, std::uint16_t>> exceptions_;
    std::set<std::int64_t> ports_;
    std::set<std::pair<boost::asio::ip::address, std::uint16_t>> own_;
};

}  // namespace dure::http

// Whom the server believes: which proxies may name a client's address, and which Host names it answers to.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/http/message.hpp"
#include "dure/http/server.hpp"

namespace dure::http {

// A CIDR block; a single address is one of full length.
struct AddressBlock {
    boost::asio::ip::address network;
    unsigned prefix = 0;

    bool contains(const boost::asio::ip::address& address) const;
};
Result<AddressBlock> parse_address_block(std::string_view text);

class PeerPolicy {
public:
    // invalid_argument for a proxy that is neither an address nor a block. `loopback`: the server listens only there.
    static Result<PeerPolicy> make(const ServerOptions& options, bool loopback);

    // Of a Host field that is well-formed; empty: none was sent.
    bool host_allowed(std::string_view host_field) const;
    bool trusts(const boost::asio::ip::address& socket) const;
    // The right-most entry of the proxies' header that is no proxy itself; what cannot be read ends the search.
    std::string client_address(const boost::asio::ip::address& socket, const RequestHead& head) const;

private:
    std::vector<AddressBlock> proxies_;
    std::string proxy_header_;
    std::vector<std::string> hosts_;
    bool any_host_ = true;
};

// v4-mapped addresses as v4, so that one client has one name.
boost::asio::ip::address plain_address(const boost::asio::ip::address& address);

}  // namespace dure::http

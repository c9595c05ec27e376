// New connections: look the name up, try every address within one time budget, then TLS. An egress policy stands
// between the two steps of dial(): it sees the addresses and the connection goes to one of them, never to the name.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dure/base/channel.hpp"
#include "dure/base/error.hpp"
#include "dure/http/client.hpp"
#include "http/client/connection.hpp"

namespace dure::http::outgoing {

// One per core.
class Dialer {
public:
    Dialer(CoreExecutor executor, std::shared_ptr<boost::asio::ssl::context> context);

    // Errors have the reason "connect", "no_descriptors", or "egress" when the policy (null: none) refuses one of the addresses.
    Task<Result<std::unique_ptr<Connection>>> dial(const Url& url, std::shared_ptr<TlsSession> session,
                                                   const EgressPolicy* policy, Deadline until);

private:
    struct Lookup;
    using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

    Task<Result<Endpoints>> resolve(const Url& url, Deadline until);
    Task<Result<std::unique_ptr<Connection>>> open(const Url& url, Endpoints addresses,
                                                   std::shared_ptr<TlsSession> session, Deadline until);
    std::shared_ptr<Lookup> lookup(const Url& url);

    CoreExecutor executor_;
    std::shared_ptr<boost::asio::ssl::context> context_;
    // Running look-ups by "host:port". The system's resolver cannot be interrupted and runs one at a time per core, so
    // that connections to the same name share one, and a waiter that gives up leaves it running.
    std::map<std::string, std::shared_ptr<Lookup>> running_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dure::http::outgoing

// MCP over Streamable HTTP: every message is a POST whose answer is JSON or a stream of events; a GET stream, where the
// server offers one, brings notifications. All of it under the egress policy.
#pragma once

#include <string>
#include <vector>

#include "dure/base/log.hpp"
#include "dure/base/secret.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "tools/mcp/transport.hpp"

namespace dure::tools::mcp {

struct HttpOptions {
    std::string server;  // its name, for the log
    http::Url url;
    std::vector<std::pair<std::string, SecretString>> headers;
};

// Client and policy outlive it. The executor is that of a core.
std::unique_ptr<Transport> make_http_transport(boost::asio::any_io_executor executor, HttpOptions options,
                                               http::Client& client, const http::EgressPolicy& policy, Logger& logger,
                                               TransportEvents events);

}  // namespace dure::tools::mcp

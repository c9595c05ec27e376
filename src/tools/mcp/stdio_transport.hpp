// MCP over a child process: one JSON message per line on its standard input and output; its standard error goes to the log.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dure/base/log.hpp"
#include "tools/mcp/transport.hpp"

namespace dure::tools::mcp {

struct StdioOptions {
    std::string server;  // its name, for the log
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;  // all of it
    std::vector<std::string> secrets;  // values of it that no log line shows
};

std::unique_ptr<Transport> make_stdio_transport(boost::asio::any_io_executor executor, StdioOptions options,
                                                Logger& logger, TransportEvents events);

}  // namespace dure::tools::mcp

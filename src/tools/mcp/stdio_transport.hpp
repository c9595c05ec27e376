// MCP over a child process: one JSON message per line on its standard input and output; its standard error goes to the log.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dure/base/log.hpp"
#include "tools/mcp/transport.hpp"

namespace dure::tools::mcp {

// Splits bytes into lines, however they arrive. Lines over `longest` bytes make it overflow for good.
class LineReader {
public:
    explicit LineReader(std::size_t longest) : longest_(longest) {}
    void feed(std::string_view bytes);
    // The next whole line without its end; the view lives until the next call of either.
    bool next(std::string_view& line);
    bool overflowed() const { return overflowed_; }

private:
    const std::size_t longest_;
    std::string buffer_;
    std::size_t at_ = 0;
    std::size_t scanned_ = 0;
    bool overflowed_ = false;
};

struct StdioOptions {
    std::string server;  // its name, for the log
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;  // all of it
    std::vector<std::string> secrets;  // values of it that no log line shows
};

std::unique_ptr<Transport> make_stdio_transport(boost::asio::any_io_executor executor, StdioOptions options,
                                                Logger& logger, TransportEvents events);

}  // namespace dure::tools::mcp

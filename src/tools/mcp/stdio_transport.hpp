// MCP over a child process: one JSON message per line on its standard input and output; its standard error goes to the log.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dure/base/log.hpp"
#include "tools/mcp/transport.hpp"

namespace dure::tools::mcp {

// Splits bytes into lines, however they arrive. Of a line over `longest` bytes only the two ends are kept.
class LineReader {
public:
    explicit LineReader(std::size_t longest) : longest_(longest) {}
    void feed(std::string_view bytes);
    enum class Got { nothing, line, cut };
    // The next line without its end; of one that was cut its last bytes, and head() has its first. The views live until the next
    // call of feed() or next().
    Got next(std::string_view& line);
    std::string_view head() const { return head_; }

private:
    static constexpr std::size_t kept = 256;  // of either end of a line that is cut
    void cut();

    const std::size_t longest_;
    std::string buffer_;
    std::string head_;
    std::size_t at_ = 0;
    std::size_t scanned_ = 0;
    bool cutting_ = false;  // what is in the buffer is the end of a line whose beginning is in head_
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

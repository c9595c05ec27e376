// How JSON-RPC messages reach an MCP server: a child process's pipes or Streamable HTTP. One transport is one connection:
// when it is lost, a new one is made. Used on the core it was made on, only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"

namespace dure::tools::mcp {

// What a transport tells its owner, at any time between open() and close(). The functions may not wait.
struct TransportEvents {
    std::function<void(Json message)> on_message;  // requests, notifications and responses of the server
    // A response over longest_message was passed over; with the id of its request where it could be read.
    std::function<void(std::optional<std::int64_t> id)> on_too_long;
    std::function<void(const std::string& why)> on_lost;  // once; the connection is of no use any more
};

class Transport {
public:
    virtual ~Transport() = default;
    // The process is started; HTTP needs nothing.
    virtual Task<Result<void>> open() = 0;
    // Sends one message; with `answer_to` it is a request of that id. Its response comes through on_message: at the latest
    // when send() returns with HTTP, at any time later with a process. Errors: reason "session" when the server has forgotten
    // the session.
    virtual Task<Result<void>> send(std::string message, std::optional<std::int64_t> answer_to, Deadline deadline) = 0;
    // After initialize: the version both speak; HTTP opens its stream of notifications.
    virtual void initialized(const std::string& version) = 0;
    // Ends the session and whatever runs for it, within the deadline.
    virtual Task<void> close(Deadline deadline) = 0;
};

}  // namespace dure::tools::mcp

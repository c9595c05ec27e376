// One conversation with an MCP server, from initialize to its end: requests find their responses by id, the server's own
// requests are answered, notifications are told. Used on one core.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dure/base/channel.hpp"
#include "tools/mcp/protocol.hpp"
#include "tools/mcp/transport.hpp"

namespace dure::tools::mcp {

struct SessionEvents {
    std::function<void()> on_tools_changed;
    std::function<void(const std::string& why)> on_lost;  // once
};

class Session : public std::enable_shared_from_this<Session> {
public:
    using MakeTransport = std::function<std::unique_ptr<Transport>(TransportEvents)>;

    static std::shared_ptr<Session> make(boost::asio::any_io_executor executor, SessionEvents events,
                                         const MakeTransport& make);

    // initialize, version, initialized. Errors of the transport; reason "version" when no common one is known.
    Task<Result<void>> connect(Deadline deadline);
    // All pages; at most 1000 tools.
    Task<Result<std::vector<ToolInfo>>> list_tools(std::vector<std::string>& problems, Deadline deadline);
    // The result of tools/call. Being cancelled or out of time, it tells the server so.
    Task<Result<Json>> call_tool(const std::string& name, const Json& arguments, const std::string& idempotency_key,
                                 Deadline deadline);
    // Every waiting request fails; the transport ends.
    Task<void> close(Deadline deadline);

    const std::string& server_version() const { return server_version_; }

private:
    struct Waiting;

    Session(boost::asio::any_io_executor executor, SessionEvents events)
        : executor_(std::move(executor)), events_(std::move(events))
    {}
    Task<Result<Json>> request(std::string_view method, Json parameters, Deadline deadline,
                               bool can_be_cancelled = true);
    Task<Result<void>> exchange(std::int64_t id, std::string text, Waiting& waiting, Deadline deadline);
    void take(Json message);
    void too_long(std::optional<std::int64_t> id);
    void lose(const std::string& why);
    // In the background, holding this session.
    void tell(std::string message);

    boost::asio::any_io_executor executor_;
    SessionEvents events_;
    std::unique_ptr<Transport> transport_;
    std::int64_t next_id_ = 1;
    std::map<std::int64_t, Waiting*> waiting_;
    int telling_ = 0;
    bool lost_ = false;
    std::string server_version_;
};

}  // namespace dure::tools::mcp

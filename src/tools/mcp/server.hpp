// One configured MCP server under supervision: connected, listed, its tools put into the registry; listed again when it
// says so; connected again, with growing pauses, when it is lost. Its work happens on one core, calls come from any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "dure/base/cores.hpp"
#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/http/client.hpp"
#include "dure/http/egress.hpp"
#include "dure/tools/registry.hpp"
#include "tools/mcp/session.hpp"
#include "tools/mcp/wait_list.hpp"

namespace dure::tools::mcp {

// Everything outlives the servers.
struct ServerWorld {
    Cores& cores;
    http::Client& client;
    const http::EgressPolicy& egress;
    Registry& registry;
    Logger& logger;
    const config::Tools& settings;
};

class Server : public std::enable_shared_from_this<Server> {
public:
    // Runs on core `home`.
    Server(ServerWorld world, const config::McpServer& settings, std::size_t home);

    void start();
    // Ends the session; ended() says when it is over. Thread-safe.
    void stop();
    bool ended() const { return ended_.load(); }
    // The first attempt to connect is over.
    bool settled() const { return settled_.load(); }

    // Lists the tools again, or connects at once; true when that was tried to its end before the deadline. From any core.
    Task<bool> refresh(Deadline deadline);
    std::vector<LoadProblem> problems() const;
    // Why it cannot be called now; empty: it can, if only after waiting a little: a connection that was lost counts as there
    // for `patience`. Thread-safe.
    std::string why_unavailable() const;
    static constexpr auto patience = std::chrono::seconds(10);
    const std::string& source() const { return source_; }

    // From any core. Where the connection was just lost, it waits for the next one. A call that the server has not begun (it
    // had been restarted) is made again once, on a new session.
    Task<Result<Json>> call(const std::string& tool, const Json& arguments, const std::string& idempotency_key,
                            Deadline deadline);

private:
    Task<void> supervise();
    Task<bool> connect();
    Task<void> live();
    Task<bool> list();
    Task<void> pause(Steady::duration time);
    Task<Result<Json>> call_here(const std::string& tool, const Json& arguments, const std::string& idempotency_key,
                                 Deadline deadline);
    Task<bool> refresh_here(Deadline deadline);
    bool usable() const { return session_ && ready_ && !lost_; }
    // False when it will not be usable soon.
    Task<bool> wait_until_usable(Deadline deadline);
    Steady::time_point missed_until() const;
    std::unique_ptr<Transport> transport(TransportEvents events);
    std::shared_ptr<Tool> tool_of(const ToolInfo& info);
    std::string exposed_name(const std::string& name) const;
    void say(const std::string& why, std::vector<LoadProblem> problems);
    void fail(const Error& error, const char* doing);
    std::string why() const;

    const ServerWorld world_;
    const config::McpServer& settings_;
    const std::string source_;
    const boost::asio::any_io_executor executor_;
    std::atomic<bool> ended_{true};
    std::atomic<bool> settled_{false};

    mutable std::mutex guard_;  // of what other threads ask for
    std::string why_ = "it is not connected yet";
    std::vector<LoadProblem> problems_;
    Steady::time_point missed_until_{};  // until then a lost connection is waited for

    // On the home core only.
    std::shared_ptr<Session> session_;
    Signal changed_;  // for the supervisor: lost, list again, stop, connect now
    WaitList round_done_;  // for those who wait for it
    std::uint64_t rounds_ = 0;  // attempts to connect or list that are over
    bool ready_ = false;  // connected and listed
    bool lost_ = false;
    bool list_again_ = false;
    bool now_ = false;
    bool stopping_ = false;
};

}  // namespace dure::tools::mcp

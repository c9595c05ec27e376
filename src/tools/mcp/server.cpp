// Server; see server.hpp. supervise(): connect -> list -> live (until it is lost) -> close -> pause -> connect …
#include "tools/mcp/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "dure/base/run_on.hpp"
#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "tools/http/tool_file.hpp"
#include "tools/mcp/http_transport.hpp"
#include "tools/mcp/stdio_transport.hpp"

namespace dure::tools::mcp {
namespace server_parts {

constexpr auto connect_time = std::chrono::seconds(30);   // programs that install themselves first take long
constexpr auto list_time = std::chrono::seconds(15);
constexpr auto close_time = std::chrono::seconds(5);
constexpr auto first_pause_of_server = std::chrono::milliseconds(200);
constexpr auto longest_pause_of_server = std::chrono::seconds(5);
constexpr auto stable_life = std::chrono::seconds(10);  // a connection that lived so long makes pauses short again
constexpr std::size_t longest_tool_name = 64;

// What a child gets of our environment without being told.
constexpr const char* inherited[] = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"};

std::string legal(const std::string& text)
{
    std::string name;
    for (const char c : text)
        name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
                    ? c
                    : '_';
    if (name.size() > longest_tool_name)
        name = name.substr(0, longest_tool_name - 9) + "_" + hex(sha256(text)).substr(0, 8);
    return name;
}

class McpTool final : public Tool {
public:
    McpTool(std::shared_ptr<Server> server, model::ToolDefinition definition, const ToolInfo& info, std::string version)
        : server_(std::move(server)), definition_(std::move(definition)), remote_name_(info.name), acts_(info.acts),
          version_(std::move(version))
    {}

    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return server_->source(); }
    std::string why_unavailable() const override { return server_->why_unavailable(); }
    bool acts() const override { return acts_; }
    std::string version() const override { return version_; }

    Task<Result<Json>> execute(const Json& arguments, const Caller& caller, Deadline deadline) override
    {
        co_return co_await server_->call(remote_name_, arguments, caller.idempotency_key, deadline);
    }

private:
    const std::shared_ptr<Server> server_;
    const model::ToolDefinition definition_;
    const std::string remote_name_;
    const bool acts_;
    const std::string version_;
};

}  // namespace server_parts

using namespace server_parts;

Server::Server(ServerWorld world, const config::McpServer& settings, std::size_t home)
    : world_(world), settings_(settings), source_("mcp:" + settings.name),
      executor_(world.cores.at(home).get_executor()), changed_(executor_), round_done_(executor_)
{}

void Server::start()
{
    ended_ = false;
    boost::asio::co_spawn(executor_, supervise(), [self = shared_from_this()](std::exception_ptr thrown) {
        if (thrown)
            self->world_.logger.error("supervision of a tool server ended", {{"server", self->settings_.name}});
        self->say("it is no longer supervised", {});
        self->settled_ = true;
        self->ended_ = true;
    });
}

void Server::stop()
{
    boost::asio::post(executor_, [self = shared_from_this()] {
        self->stopping_ = true;
        self->changed_.notify();
        self->round_done_.notify_all();
    });
}

std::string Server::why() const
{
    const std::lock_guard lock(guard_);
    return why_;
}

std::string Server::why_unavailable() const
{
    const std::lock_guard lock(guard_);
    return Steady::now() < missed_until_ ? std::string() : why_;
}

Steady::time_point Server::missed_until() const
{
    const std::lock_guard lock(guard_);
    return missed_until_;
}

std::vector<LoadProblem> Server::problems() const
{
    const std::lock_guard lock(guard_);
    return problems_;
}

void Server::say(const std::string& why, std::vector<LoadProblem> problems)
{
    const std::lock_guard lock(guard_);
    why_ = why;
    problems_ = std::move(problems);
}

void Server::fail(const Error& error, const char* doing)
{
    world_.logger.warn(
        "tool server failed",
        {{"server", settings_.name}, {"while", doing}, {"error", error.message()}, {"detail", error.detail()}});
    say("the tool server '" + settings_.name + "' is not connected: " + error.message(),
        {{source_, {}, error.message()}});
    if (ready_) {  // it was connected until now
        const std::lock_guard lock(guard_);
        missed_until_ = Steady::now() + patience;
    }
}

Task<void> Server::supervise()
{
    Steady::duration wait = first_pause_of_server;
    while (!stopping_) {
        const auto began = Steady::now();
        const bool connected = co_await connect();
        ready_ = connected;
        settled_ = true;
        ++rounds_;
        round_done_.notify_all();
        if (connected)
            co_await live();
        ready_ = false;
        const auto session = std::exchange(session_, nullptr);
        co_await session->close(Deadline::after(close_time));
        if (stopping_)
            break;
        wait = connected && Steady::now() - began > stable_life ? Steady::duration(first_pause_of_server) : wait;
        co_await pause(wait);
        wait = std::min<Steady::duration>(wait * 2, longest_pause_of_server);
    }
}

Task<bool> Server::connect()
{
    lost_ = list_again_ = now_ = false;
    SessionEvents events;
    events.on_tools_changed = [this] { list_again_ = true, changed_.notify(); };
    events.on_lost = [this](const std::string& why) {
        lost_ = true;
        fail(Error(Errc::upstream_failed, "The connection was lost.").detail(why), "connected");
        changed_.notify();
    };
    session_ = Session::make(executor_, std::move(events),
                             [this](TransportEvents told) { return transport(std::move(told)); });
    if (auto connected = co_await session_->connect(Deadline::after(connect_time)); !connected) {
        fail(connected.error(), "connecting");
        co_return false;
    }
    co_return co_await list();
}

Task<void> Server::live()
{
    while (!lost_ && !stopping_) {
        if (std::exchange(list_again_, false)) {
            const bool listed = co_await list();
            ++rounds_;
            round_done_.notify_all();
            if (!listed)
                co_return;
            continue;
        }
        co_await changed_.wait();
    }
}

// Cut short by stop() and by those who need the server now.
Task<void> Server::pause(Steady::duration time)
{
    const auto until = Deadline::after(time);
    while (!stopping_ && !now_ && !until.passed())
        co_await changed_.wait(until.at());
}

Task<bool> Server::list()
{
    std::vector<std::string> wrong;
    const auto listed = co_await session_->list_tools(wrong, Deadline::after(list_time));
    if (!listed) {
        fail(listed.error(), "listing its tools");
        co_return false;
    }
    std::vector<std::shared_ptr<Tool>> tools;
    for (const auto& info : *listed)
        if (matches(settings_.allow, info.name))
            tools.push_back(tool_of(info));
    std::vector<LoadProblem> problems;
    for (auto& message : wrong)
        problems.push_back({source_, {}, std::move(message)});
    world_.logger.info("tool server listed", {{"server", settings_.name}, {"tools", tools.size()}});
    if (!lost_)
        say({}, {});
    for (auto& problem : world_.registry.replace(source_, std::move(tools)))
        problems.push_back(std::move(problem));
    for (const auto& problem : problems)
        world_.logger.warn("tool left out",
                           {{"source", problem.source}, {"tool", problem.name}, {"why", problem.message}});
    const std::lock_guard lock(guard_);
    problems_ = std::move(problems);
    co_return true;
}

std::string Server::exposed_name(const std::string& name) const
{
    auto exposed = legal(name);
    const auto owner = world_.registry.group_of(exposed);
    return owner.empty() || owner == source_ ? exposed : legal(settings_.name + "_" + name);
}

std::shared_ptr<Tool> Server::tool_of(const ToolInfo& info)
{
    model::ToolDefinition definition;
    definition.name = exposed_name(info.name);
    definition.description = info.description.empty() ? info.title : info.description;
    definition.parameters = info.schema;
    if (!definition.parameters.contains("type"))
        definition.parameters["type"] = "object";
    return std::make_shared<McpTool>(shared_from_this(), std::move(definition), info,
                                     hex(sha256(session_->server_version() + dump(info.schema))));
}

std::unique_ptr<Transport> Server::transport(TransportEvents events)
{
    const auto& variables = world_.settings.variables;
    if (settings_.transport == "http") {
        HttpOptions options;
        options.server = settings_.name;
        options.url = http::parse_url(settings_.url).value();  // checked with the configuration
        for (const auto& [header, variable] : settings_.headers_env)
            if (const auto value = variables.find(variable); value != variables.end())
                options.headers.emplace_back(header, value->second);
        return make_http_transport(executor_, std::move(options), world_.client, world_.egress, world_.logger,
                                   std::move(events));
    }
    StdioOptions options;
    options.server = settings_.name;
    options.command = settings_.command;
    for (const auto* name : inherited)
        if (const auto value = variables.find(name); value != variables.end())
            options.environment[name] = value->second.reveal();
    for (const auto& [name, value] : settings_.env)
        options.environment[name] = value;
    for (const auto& [name, variable] : settings_.secrets_env)
        if (const auto value = variables.find(variable); value != variables.end()) {
            options.environment[name] = value->second.reveal();
            options.secrets.emplace_back(value->second.reveal());
        }
    return make_stdio_transport(executor_, std::move(options), world_.logger, std::move(events));
}

Task<Result<Json>> Server::call(const std::string& tool, const Json& arguments, const std::string& idempotency_key,
                                Deadline deadline)
{
    co_return co_await run_on(executor_, call_here(tool, arguments, idempotency_key, deadline));
}

Task<Result<Json>> Server::call_here(const std::string& tool, const Json& arguments, const std::string& idempotency_key,
                                     Deadline deadline)
{
    const auto self = shared_from_this();
    for (int attempt = 0;; ++attempt) {
        if (!co_await wait_until_usable(deadline))
            co_return Error(Errc::unavailable, stopping_ ? "the server is stopping" : why());
        const auto session = session_;
        auto result = co_await session->call_tool(tool, arguments, idempotency_key, deadline);
        const bool not_begun =
            result.has_error() && (result.error().reason() == "session" || result.error().reason() == "connect");
        if (!not_begun || attempt > 0)
            co_return result;
        if (session == session_) {  // the first to notice
            lost_ = true;
            now_ = true;
            fail(result.error(), "calling");
            changed_.notify();
        }
    }
}

// No longer than `patience` after the connection was lost, and not to the very end of the caller's time: its answer says why.
Task<bool> Server::wait_until_usable(Deadline deadline)
{
    const auto to_tell = std::min<Steady::duration>(deadline.left() / 10, std::chrono::milliseconds(250));
    const Deadline end(deadline.at() - to_tell);
    while (!usable() && !stopping_) {
        const Deadline until(std::min(end.at(), missed_until()));
        if (until.passed())
            break;
        co_await round_done_.wait(until);
    }
    co_return usable();
}

Task<bool> Server::refresh(Deadline deadline)
{
    co_return co_await run_on(executor_, refresh_here(deadline));
}

Task<bool> Server::refresh_here(Deadline deadline)
{
    const auto self = shared_from_this();
    const auto before = rounds_;
    list_again_ = now_ = true;
    changed_.notify();
    while (rounds_ == before && !stopping_ && !deadline.passed())
        co_await round_done_.wait(deadline);
    co_return rounds_ != before;
}

}  // namespace dure::tools::mcp

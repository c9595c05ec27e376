// Session; see session.hpp.
#include "tools/mcp/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <set>

#include "dure/base/cancellation.hpp"
#include "dure/base/text.hpp"

namespace dure::tools::mcp {
namespace session_parts {

constexpr int most_pages = 100;
constexpr std::size_t most_tools = 1000;
constexpr int most_told_at_once = 16;  // answers and cancellations on their way; a server that asks for more gets none
constexpr auto telling_time = std::chrono::seconds(5);
constexpr std::string_view no_such_method = "rpc:-32601";

Error connection_lost()
{
    return Error(Errc::upstream_failed, "The connection to the tool server was lost.").reason("lost");
}

}  // namespace session_parts

using namespace session_parts;

struct Session::Waiting {
    explicit Waiting(const boost::asio::any_io_executor& executor) : changed(executor) {}
    Signal changed;
    std::optional<Result<Json>> outcome;
};

std::shared_ptr<Session> Session::make(boost::asio::any_io_executor executor, SessionEvents events,
                                       const MakeTransport& make)
{
    std::shared_ptr<Session> session(new Session(std::move(executor), std::move(events)));
    const std::weak_ptr<Session> weak = session;
    session->transport_ = make({.on_message =
                                    [weak](Json message) {
                                        if (const auto self = weak.lock())
                                            self->take(std::move(message));
                                    },
                                .on_too_long =
                                    [weak](std::optional<std::int64_t> id) {
                                        if (const auto self = weak.lock())
                                            self->too_long(id);
                                    },
                                .on_lost =
                                    [weak](const std::string& why) {
                                        if (const auto self = weak.lock())
                                            self->lose(why);
                                    }});
    return session;
}

Task<Result<void>> Session::connect(Deadline deadline)
{
    if (auto opened = co_await transport_->open(); !opened)
        co_return opened.error();
    const auto result = co_await request("initialize", initialize_parameters(), deadline, false);
    if (!result)
        co_return result.error();
    const auto version = result->value("protocolVersion", Json());
    if (!version.is_string() || !is_known_version(version.get_ref<const std::string&>()))
        co_return Error(Errc::upstream_failed, "The tool server speaks another version of the protocol.")
            .reason("version");
    const auto info = result->value("serverInfo", Json::object());
    server_version_ = dump(info);
    transport_->initialized(version.get<std::string>());
    co_return co_await transport_->send(notification_text("notifications/initialized", Json::object()), {}, deadline);
}

Task<Result<std::vector<ToolInfo>>> Session::list_tools(std::vector<std::string>& problems, Deadline deadline)
{
    std::vector<ToolInfo> all;
    std::string cursor;
    std::set<std::string> seen;  // their digests: a cursor may be long
    for (int page = 0; page < most_pages; ++page) {
        const auto result =
            co_await request("tools/list", cursor.empty() ? Json::object() : Json{{"cursor", cursor}}, deadline);
        if (!result && result.error().reason() == no_such_method) {  // a server of resources or prompts alone
            problems.emplace_back("the server has no tools");
            co_return all;
        }
        if (!result)
            co_return result.error();
        for (auto& tool : read_tools(*result, problems))
            all.push_back(std::move(tool));
        cursor = next_cursor(*result);
        if (cursor.empty())
            co_return all;
        if (all.size() >= most_tools)
            break;
        if (!seen.insert(sha256(cursor)).second) {
            problems.emplace_back(
                "the server's list of tools repeats itself (a nextCursor came again), what follows is left out");
            co_return all;
        }
    }
    problems.emplace_back("the server's list of tools is too long, the rest is left out");
    all.resize(std::min(all.size(), most_tools));
    co_return all;
}

Task<Result<Json>> Session::call_tool(const std::string& name, const Json& arguments,
                                      const std::string& idempotency_key, Deadline deadline)
{
    Json parameters{{"name", name}, {"arguments", arguments}};
    if (!idempotency_key.empty())
        parameters["_meta"] = {{"dure/idempotency-key", idempotency_key}};
    auto result = co_await request("tools/call", std::move(parameters), deadline);
    if (!result)
        co_return result.error();
    co_return read_call(*result);
}

Task<Result<Json>> Session::request(std::string_view method, Json parameters, Deadline deadline, bool can_be_cancelled)
{
    const auto self = shared_from_this();
    const auto id = next_id_++;
    Waiting waiting(executor_);
    struct Place {
        Session& session;
        std::int64_t id;
        ~Place() { session.waiting_.erase(id); }
    } const place{*this, id};
    waiting_[id] = &waiting;
    Result<void> done;
    try {
        done = co_await exchange(id, request_text(id, method, parameters), waiting, deadline);
    } catch (const boost::system::system_error&) {  // cancelled
        if (can_be_cancelled && !lost_)
            tell(notification_text("notifications/cancelled", cancelled_parameters(id, "the caller left")));
        throw;
    }
    if (waiting.outcome)
        co_return std::move(*waiting.outcome);
    if (done.has_error() && done.error().code() == Errc::timeout && done.error().reason() != "connect" &&
        can_be_cancelled && !lost_)
        tell(notification_text("notifications/cancelled", cancelled_parameters(id, "time is over")));
    co_return done.error();
}

// Without an error: the outcome is there.
Task<Result<void>> Session::exchange(std::int64_t id, std::string text, Waiting& waiting, Deadline deadline)
{
    if (lost_)
        co_return connection_lost();
    auto sent = co_await transport_->send(std::move(text), id, deadline);
    if (!sent && !waiting.outcome)
        co_return sent.error();
    while (!waiting.outcome && !lost_ && !deadline.passed())
        co_await waiting.changed.wait(deadline.at());
    if (waiting.outcome)
        co_return Result<void>();
    if (lost_)
        co_return connection_lost();
    co_return Error(Errc::timeout, "The tool server did not answer in time.")
        .reason("read_timeout")
        .detail("request " + std::to_string(id));
}

void Session::take(Json message)
{
    switch (kind_of(message)) {
    case MessageKind::response: {
        const auto& id = message["id"];
        const auto found = id.is_number_integer() ? waiting_.find(id.get<std::int64_t>()) : waiting_.end();
        if (found == waiting_.end())
            return;  // of a request that was given up
        found->second->outcome.emplace(result_of(message));
        found->second->changed.notify();
        return;
    }
    case MessageKind::request: return tell(answer_text(message));
    case MessageKind::notification:
        if (message["method"] == "notifications/tools/list_changed" && events_.on_tools_changed)
            events_.on_tools_changed();
        return;
    case MessageKind::broken: return;  // bounded and checked already; there is nobody to tell
    }
}

// Of an answer nobody can tell whose it was, everybody who waits might wait for ever.
void Session::too_long(std::optional<std::int64_t> id)
{
    for (const auto& [waits_for, waiting] : waiting_)
        if (!waiting->outcome && (!id || *id == waits_for)) {
            waiting->outcome.emplace(answer_too_long());
            waiting->changed.notify();
        }
}

void Session::lose(const std::string& why)
{
    if (std::exchange(lost_, true))
        return;
    for (const auto& [id, waiting] : waiting_)
        waiting->changed.notify();
    if (events_.on_lost)
        std::exchange(events_.on_lost, nullptr)(why);
}

void Session::tell(std::string message)
{
    if (telling_ >= most_told_at_once)
        return;
    ++telling_;
    auto work = [](std::shared_ptr<Session> self, std::string text) -> Task<void> {
        // A lost answer is the server's loss only; a broken connection is noticed by its readers.
        static_cast<void>(co_await self->transport_->send(std::move(text), {}, Deadline::after(telling_time)));
    };
    boost::asio::co_spawn(executor_, work(shared_from_this(), std::move(message)),
                          [self = shared_from_this()](std::exception_ptr) { --self->telling_; });
}

Task<void> Session::close(Deadline deadline)
{
    events_ = {};
    lose("it was closed");
    co_await transport_->close(deadline);
}

}  // namespace dure::tools::mcp

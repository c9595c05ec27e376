// GET /ws/executions/{id}: the same log over a WebSocket, which stays open while the execution waits for a person and takes
// {"type":"cancel"} and {"type":"resume", node_id?, action?, answer}. And POST /ws/ticket, how a browser shows who it is.
#include <boost/asio/this_coro.hpp>

#include "api/caller_watch.hpp"
#include "api/executions/executions.hpp"
#include "api/flows/answers.hpp"
#include "api/limited.hpp"
#include "api/wrong_together.hpp"
#include "dure/auth/rate_limiter.hpp"
#include "dure/auth/tickets.hpp"
#include "dure/base/channel.hpp"
#include "dure/base/task_group.hpp"
#include "dure/schema/fields.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::api {

namespace execution_socket {

constexpr std::int64_t sockets_of_a_user = 20;  // threat-model §3
constexpr std::chrono::seconds longest_silence{1};
constexpr std::uint16_t closed_normally = 1000, going_away = 1001, not_welcome = 1008;

struct Query {
    std::string modes, ticket;
    std::int64_t after = 0;
};

const auto& query_fields()
{
    static const auto fields = schema::object<Query>(schema::UnknownFields::refuse)
                                   .optional("modes", &Query::modes, schema::length(0, 256))
                                   .optional("ticket", &Query::ticket)  // the middleware has taken it
                                   .optional("after", &Query::after, schema::range(0, 9e15));
    return fields;
}

struct Asked {
    std::string type, node_id, action;
    Json answer;
};

const auto& asked_fields()
{
    static const auto fields = schema::object<Asked>(schema::UnknownFields::refuse)
                                   .required("type", &Asked::type, schema::one_of({"cancel", "resume"}))
                                   .optional("node_id", &Asked::node_id, schema::length(0, 256))
                                   .optional("action", &Asked::action, schema::length(0, 256))
                                   .optional("answer", &Asked::answer);
    return fields;
}

class Watcher {
public:
    Watcher(const ApiParts& parts, RequestContext& context, LogRequest request, http::WebSocket& socket,
            boost::asio::any_io_executor executor)
        : parts_(parts), context_(context), request_(std::move(request)), socket_(socket), sending_(executor),
          caller_(parts.authenticator, context), sender_(executor)
    {}

    Task<void> run()
    {
        sender_.spawn(send_log());
        std::exception_ptr aborted;
        try {
            co_await obey_until_closed();
        } catch (...) {  // whatever it is, the sender ends before we do
            aborted = std::current_exception();
        }
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        sender_.cancel();
        co_await sender_.wait();
        if (aborted)
            std::rethrow_exception(aborted);
    }

private:
    Task<void> obey_until_closed()
    {
        for (;;) {
            const auto text = co_await socket_.receive();
            if (!text)
                co_return;
            co_await obey(*text);
        }
    }

    Task<void> send_log()
    {
        auto& service = parts_.executions;
        const auto& owner = context_.principal().user_id;
        auto reader = co_await service.read(request_.execution_id, owner, request_.after, request_.modes);
        if (!reader)
            co_return co_await socket_.close(going_away, "the log cannot be read now");
        for (;;) {
            if (!(*reader)->ended() && co_await server_stops())
                co_return;
            const auto page =
                co_await service.next_page(**reader, request_.execution_id, owner, Steady::now() + longest_silence);
            if (!page) {
                if (!co_await patience_.wait_after(page.error()))
                    co_return co_await socket_.close(going_away, "the log cannot be read now");
                if (!co_await still_welcome(false) || co_await server_stops())
                    co_return;
                continue;
            }
            patience_.end();
            if (!co_await still_welcome(!page->events.empty() || page->at_rest))
                co_return;
            for (const auto& event : page->events)
                if (!co_await send_update(event->seq, Json{{"event", event->mode}, {"data", event->data}}))
                    co_return;
            if (!page->at_rest)
                continue;
            if (executions::has_ended(page->at_rest->status)) {
                co_await send_update((*reader)->position(),
                                     Json{{"event", "end"}, {"data", end_of_log(*page->at_rest)}});
                co_return co_await socket_.close(closed_normally, "end");
            }
            if (co_await server_stops())
                co_return;
            co_await service.changed(request_.execution_id, Steady::now() + longest_silence);
            (*reader)->look_again();
        }
    }

    // True: the socket was closed.
    Task<bool> server_stops()
    {
        if (!parts_.executions.closed())
            co_return false;
        co_await close(going_away, "the server stops");
        co_return true;
    }

    // Null: the socket was closed.
    Task<std::shared_ptr<const auth::Principal>> still_welcome(bool something_happens)
    {
        auto now = co_await caller_.still_there(something_happens);
        if (!now)
            co_await close(not_welcome, "the credential has ended");
        co_return now;
    }

    Task<void> close(std::uint16_t code, std::string_view why)
    {
        while (busy_)
            co_await sending_.wait();
        busy_ = true;
        co_await socket_.close(code, why);
        busy_ = false;
        sending_.notify();
    }

    Task<bool> send_update(std::int64_t seq, Json data)
    {
        co_return co_await send(Json{{"type", "execution_update"}, {"seq", seq}, {"data", std::move(data)}});
    }

    // One sender at a time.
    Task<bool> send(Json frame)
    {
        while (busy_)
            co_await sending_.wait();
        busy_ = true;
        const auto sent = co_await socket_.send(dump(frame));
        busy_ = false;
        sending_.notify();
        co_return sent.has_value();
    }

    Task<void> obey(const std::string& text)
    {
        const auto outcome = co_await carry_out(text);
        if (!outcome)
            co_await send(
                Json{{"type", "error"},
                     {"data",
                      {{"code", outcome.error().reason().empty() ? std::string(name_of(outcome.error().code()))
                                                                 : outcome.error().reason()},
                       {"message", outcome.error().code() == Errc::internal ? "The server failed to do this."
                                                                            : outcome.error().message()}}}});
    }

    // A frame is a request: it is counted as one, and refused like one.
    Task<Result<void>> carry_out(const std::string& text)
    {
        const auto verdict = co_await parts_.limiter.take(rate_subject(context_, parts_.settings.limits, false));
        if (!verdict.allowed) {
            limited_counter(parts_.metrics, "requests").increment();
            co_return verdict.refusal();
        }
        if (auto checked = schema::check_json(text, schema::JsonLimits{}); !checked)
            co_return checked.error();
        auto asked = asked_fields().read_body(text);
        if (!asked)
            co_return asked.error();
        const auto now = co_await still_welcome(true);
        if (!now)
            co_return Result<void>();
        if (!now->may("flows:execute"))
            co_return Error(Errc::permission_denied, "Insufficient permissions").reason("insufficient_permissions");
        auto& service = parts_.executions;
        if (asked->type == "cancel") {
            const auto cancelled = co_await service.cancel(request_.execution_id, flow_owner(context_));
            co_return cancelled ? Result<void>() : cancelled.error();
        }
        const auto resumed =
            co_await service.resume(request_.execution_id, flow_owner(context_),
                                    {std::move(asked->node_id), std::move(asked->action), std::move(asked->answer)});
        co_return resumed ? Result<void>() : resumed.error();
    }

    const ApiParts& parts_;
    RequestContext& context_;
    const LogRequest request_;
    http::WebSocket& socket_;
    Signal sending_;
    bool busy_ = false;
    CallerWatch caller_;
    OutagePatience patience_;
    TaskGroup sender_;
};

}  // namespace execution_socket

Handler watch_execution(const ApiParts& parts)
{
    return [&parts](RequestContext& context) -> Task<Result<void>> {
        const auto query = execution_socket::query_fields().read_query(context.query);
        auto modes = read_modes(parameter_of(context.query, "modes"));
        if (auto refused = wrong_together(query, modes))
            co_return *refused;
        const auto id = context.path_parameter("id");
        if (const auto execution = co_await parts.executions.find(id, context.principal().user_id); !execution)
            co_return execution.error();
        if (auto seen = co_await check_seen(parts, context, id); !seen)
            co_return seen.error();
        const auto place = co_await parts.limiter.open_stream("websocket " + context.principal().user_id,
                                                              execution_socket::sockets_of_a_user);
        if (!place)
            co_return place.error();
        auto socket = co_await context.exchange().upgrade(context.subprotocol);
        if (!socket)
            co_return socket.error();
        execution_socket::Watcher watcher(parts, context, {id, query->after, std::move(*modes)}, **socket,
                                          co_await boost::asio::this_coro::executor);
        co_await watcher.run();
        co_return Result<void>();
    };
}

Handler create_ticket(const ApiParts& parts)
{
    return [&tickets = parts.tickets](RequestContext& context) -> Task<Result<void>> {
        const auto ticket = co_await tickets.issue(std::string(context.head().header("authorization").value_or("")));
        if (!ticket)
            co_return ticket.error();
        co_return co_await context.respond_json(200,
                                                {{"ticket", *ticket}, {"expires_in", auth::Tickets::lifetime.count()}});
    };
}

}  // namespace dure::api

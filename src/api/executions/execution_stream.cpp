// GET /api/executions/{id}/stream: the numbered log of an execution as server-sent events. `id:` is the number; after a lost
// connection Last-Event-ID goes on behind it, in any replica, during the run or after it. It ends with `event: end` when the
// execution has ended or waits for a person; without it when the server stops: the client comes back.
#include <algorithm>

#include "api/caller_watch.hpp"
#include "api/executions/executions.hpp"
#include "api/last_event_id.hpp"
#include "api/stream_places.hpp"
#include "api/wrong_together.hpp"
#include "dure/http/sse.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace execution_stream {

constexpr std::chrono::seconds longest_silence{1};  // until the server's stop is seen

struct Query {
    std::string modes;
    std::int64_t after = 0;
};

const auto& query_fields()
{
    static const auto fields = schema::object<Query>(schema::UnknownFields::refuse)
                                   .optional("modes", &Query::modes, schema::length(0, 256))
                                   .optional("after", &Query::after, schema::range(0, 9e15));
    return fields;
}

// A browser that reconnects sends its first URL and the id it saw last: the id counts.
Result<std::int64_t> place_after(const RequestContext& context, const Result<Query>& query)
{
    const auto last = last_event_id(context);
    if (!last)
        return last.error();
    return last->value_or(query ? query->after : 0);
}

class LogStream {
public:
    LogStream(const ApiParts& parts, RequestContext& context, LogRequest request)
        : parts_(parts), context_(context), request_(std::move(request)), caller_(parts.authenticator, context)
    {}

    Task<Result<void>> run(Json first)
    {
        auto& service = parts_.executions;
        const auto& owner = context_.principal().user_id;
        auto reader = co_await service.read(request_.execution_id, owner, request_.after, request_.modes);
        if (!reader)
            co_return reader.error();
        if (auto started = co_await context_.start_event_stream(); !started)
            co_return started;
        context_.exchange().on_client_gone(http::OnClientGone::cancel);
        buffer_ = http::sse_keep_alive;
        if (!first.is_null())
            http::append_sse_event(buffer_, "execution", dump(first));
        for (;;) {
            if (!(*reader)->ended()) {  // behind an end what is left goes out with its telling
                if (auto written = co_await write_out(); !written)
                    co_return written;
                if (service.closed())
                    break;
            }
            const auto page = co_await service.next_page(**reader, request_.execution_id, owner,
                                                         std::min(silent_until_, Steady::now() + longest_silence));
            if (!page) {
                if (!co_await patience_.wait_after(page.error()) || service.closed() ||
                    !co_await caller_.still_there(false))
                    break;  // the client comes back
                continue;
            }
            patience_.end();
            if (!co_await caller_.still_there(!page->events.empty() || page->at_rest))
                break;
            for (const auto& event : page->events)
                http::append_sse_event(buffer_, event->mode, dump(event->data), std::to_string(event->seq));
            if (page->at_rest) {
                http::append_sse_event(buffer_, "end", dump(end_of_log(*page->at_rest)));
                break;
            }
        }
        co_return co_await context_.exchange().finish_stream(buffer_);
    }

private:
    Task<Result<void>> write_out()
    {
        if (buffer_.empty() && Steady::now() >= silent_until_)
            buffer_ = http::sse_keep_alive;
        if (buffer_.empty())
            co_return Result<void>();
        auto written = co_await context_.exchange().write(buffer_);
        buffer_.clear();
        silent_until_ = Steady::now() + parts_.settings.server.limits.sse_heartbeat;
        co_return written;
    }

    const ApiParts& parts_;
    RequestContext& context_;
    const LogRequest request_;
    CallerWatch caller_;
    OutagePatience patience_;
    std::string buffer_;
    Steady::time_point silent_until_ = Steady::now() + parts_.settings.server.limits.sse_heartbeat;
};

}  // namespace execution_stream

Result<std::vector<std::string>> read_modes(const std::string& list)
{
    static const std::vector<std::string> known{"status", "updates", "messages", "custom", "tasks"};
    std::vector<std::string> modes;
    for (std::size_t at = 0; at < list.size();) {
        const auto end = std::min(list.find(',', at), list.size());
        auto mode = list.substr(at, end - at);
        if (std::find(known.begin(), known.end(), mode) == known.end())
            return Error(Errc::invalid_argument, "modes is a list of status, updates, messages, custom, tasks.")
                .param("modes")
                .problem({{"query", "modes"}, "Input should be of status, updates, messages, custom, tasks", "enum"});
        modes.push_back(std::move(mode));
        at = end + 1;
    }
    return modes;
}

Json end_of_log(const executions::Execution& execution)
{
    const auto whole = executions::to_json(execution);
    auto end = Json::object();
    for (const auto* member : {"id", "status", "output", "error", "waiting"})
        end[member] = whole[member];
    return end;
}

Task<Result<void>> stream_log(const ApiParts& parts, RequestContext& context, LogRequest request, Json first)
{
    const StreamPlaces places(parts);
    const auto place = co_await places.take(context, true);
    if (!place)
        co_return place.error();
    execution_stream::LogStream stream(parts, context, std::move(request));
    co_return co_await stream.run(std::move(first));
}

Handler stream_execution(const ApiParts& parts)
{
    return [&parts](RequestContext& context) -> Task<Result<void>> {
        const auto query = execution_stream::query_fields().read_query(context.query);
        const auto after = execution_stream::place_after(context, query);
        auto modes = read_modes(parameter_of(context.query, "modes"));
        if (auto refused = wrong_together(query, after, modes))
            co_return *refused;
        if (auto seen = co_await check_seen(parts, context, context.path_parameter("id")); !seen)
            co_return seen.error();
        co_return co_await stream_log(parts, context, {context.path_parameter("id"), *after, std::move(*modes)},
                                      Json());
    };
}

}  // namespace dure::api

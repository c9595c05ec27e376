// GET /api/events/stream: events as they happen, as server-sent events with their position as id.
// begin at Last-Event-ID, else at ?after=, else now -> Follower -> one write per page -> a comment after silence
// The caller is asked for again and again: a stream ends when its credential does. It also ends when the server stops or
// the database cannot answer; the client comes back with the last id it saw and misses nothing.
#include <boost/asio/this_coro.hpp>

#include "api/audit.hpp"
#include "api/caller_watch.hpp"
#include "api/events/events.hpp"
#include "api/last_event_id.hpp"
#include "api/stream_places.hpp"
#include "api/wrong_together.hpp"
#include "dure/executions/service.hpp"
#include "dure/http/sse.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace event_stream {

constexpr double highest_position = 9e15;

struct Input {
    std::optional<std::int64_t> after;
    std::optional<std::string> aggregate_id;
};

const auto& fields()
{
    static const auto table = schema::object<Input>(schema::UnknownFields::refuse)
                                  .optional("after", &Input::after, schema::range(0, highest_position))
                                  .optional("aggregate_id", &Input::aggregate_id, schema::length(1, 128));
    return table;
}

// A browser that reconnects sends its first URL and the id it saw last: the id counts.
Result<std::optional<std::int64_t>> start_of(const RequestContext& context, const Result<Input>& input)
{
    auto last = last_event_id(context);
    if (last && !*last && input)
        return input->after;
    return last;
}

class EventStream {
public:
    EventStream(const ApiParts& parts, RequestContext& context)
        : parts_(parts), heartbeat_(parts.settings.server.limits.sse_heartbeat), context_(context),
          caller_(parts.authenticator, context)
    {}

    Task<Result<void>> run(events::Follower follower)
    {
        auto page = co_await follower.next(Steady::now());  // before the head: a failure still has a status
        if (!page)
            co_return page.error();
        if (auto started = co_await context_.start_event_stream(); !started)
            co_return started;
        context_.exchange().on_client_gone(http::OnClientGone::cancel);
        std::string buffer(http::sse_keep_alive);
        for (auto silent_until = Steady::now() + heartbeat_;;) {
            if (!co_await still_welcome(!page->empty()))
                break;
            for (const auto& event : *page)
                http::append_sse_event(buffer, {}, dump(event_json(*event)), std::to_string(event->position));
            if (buffer.empty() && Steady::now() >= silent_until)
                buffer = http::sse_keep_alive;
            if (!buffer.empty()) {
                if (auto written = co_await context_.exchange().write(buffer); !written)
                    co_return written;
                silent_until = Steady::now() + heartbeat_;
                buffer.clear();
            }
            page = co_await follower.next(std::min(silent_until, caller_.next_look()));
            if (page) {
                patience_.end();
            } else {
                if (!co_await patience_.wait_after(page.error()) || parts_.executions.closed())
                    break;
                page = std::vector<events::SharedEvent>();
            }
        }
        co_return co_await context_.exchange().finish_stream();
    }

private:
    // Whether events are read at all, and whose, is decided once: who loses or gets the right to read them all begins anew.
    Task<bool> still_welcome(bool something_to_tell)
    {
        const auto now = co_await caller_.still_there(something_to_tell);
        co_return now && now->may("events:read") == context_.principal().may("events:read");
    }

    const ApiParts& parts_;
    const std::chrono::milliseconds heartbeat_;
    RequestContext& context_;
    CallerWatch caller_;
    OutagePatience patience_;
};

}  // namespace event_stream

Handler stream_events(const ApiParts& parts)
{
    return [&parts, places = StreamPlaces(parts)](RequestContext& context) -> Task<Result<void>> {
        const auto input = event_stream::fields().read_query(context.query);
        const auto given = event_stream::start_of(context, input);
        if (auto refused = wrong_together(input, given))
            co_return *refused;
        if (auto seen = co_await check_bound_reader(parts, context, input->aggregate_id.value_or("")); !seen)
            co_return seen.error();
        const auto place = co_await places.take(context, true);
        if (!place)
            co_return place.error();
        auto after = *given;
        if (!after) {
            const auto last = co_await parts.events.last_position();
            if (!last)
                co_return last.error();
            after = *last;
        }
        if (event_reader(context).sees_everything)
            if (auto recorded = co_await record_read_of_others(parts.audit, context, input->aggregate_id.value_or(""));
                !recorded)
                co_return recorded.error();
        event_stream::EventStream stream(parts, context);
        co_return co_await stream.run(parts.events.follow(event_reader(context), *after, input->aggregate_id,
                                                          co_await boost::asio::this_coro::executor));
    };
}

}  // namespace dure::api

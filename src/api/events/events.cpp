// Reading the event store: an aggregate's events, its state as it was, the audit log. Everybody sees the events of what is
// theirs; permission events:read opens everybody's. What may not be seen is answered like what is not there.
#include "api/events/events.hpp"

#include <algorithm>

#include "api/audit.hpp"
#include "api/cursor.hpp"
#include "api/dates.hpp"
#include "api/executions/executions.hpp"
#include "api/wrong_together.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

events::Reader event_reader(const RequestContext& context)
{
    return {context.principal().user_id, context.principal().may("events:read")};
}

Task<Result<void>> check_bound_reader(const ApiParts& parts, const RequestContext& context,
                                      const std::string& aggregate_id)
{
    if (!context.principal().models || event_reader(context).sees_everything)
        co_return Result<void>();
    if (aggregate_id.empty())
        co_return Error(Errc::permission_denied, "Insufficient permissions").reason("insufficient_permissions");
    if (auto seen = co_await check_seen(parts, context, aggregate_id); !seen)
        co_return seen.error().code() == Errc::not_found ? Error(Errc::not_found, "No such aggregate.") : seen.error();
    co_return Result<void>();
}

OrderedJson event_json(const model::Event& event)
{
    return {{"position", event.position},
            {"event_id", event.event_id},
            {"aggregate_id", event.aggregate_id},
            {"aggregate_type", event.aggregate_type},
            {"version", event.version},
            {"event_type", event.event_type},
            {"data", OrderedJson(event.data)},
            {"metadata", OrderedJson(event.metadata)},
            {"created_at", rfc3339(event.created_at)}};
}

namespace event_routes {

constexpr double highest_version = 9e15;

// The types of aggregates there are; the OpenAPI document has the same.
auto known_aggregate_type()
{
    return schema::one_of(
        {"Workflow", "Execution", "Session", "User", "ApiKey", "Role", "Access", "ToolRun", "LoginAttempt"});
}

struct AggregateInput {
    std::optional<std::string> aggregate_type;
    std::int64_t from_version = 1;
    std::int64_t limit = 50;
};

const auto& aggregate_fields()
{
    using Input = AggregateInput;
    static const auto fields = schema::object<Input>(schema::UnknownFields::refuse)
                                   .optional("aggregate_type", &Input::aggregate_type, known_aggregate_type())
                                   .optional("from_version", &Input::from_version, schema::range(1, highest_version))
                                   .optional("limit", &Input::limit, schema::range(1, 100), schema::alias("page_size"));
    return fields;
}

struct ReplayInput {
    std::optional<std::string> aggregate_type;
    std::optional<std::int64_t> to_version;
    std::string at;
};

const auto& replay_fields()
{
    using Input = ReplayInput;
    static const auto fields = schema::object<Input>(schema::UnknownFields::refuse)
                                   .optional("aggregate_type", &Input::aggregate_type, known_aggregate_type())
                                   .optional("to_version", &Input::to_version, schema::range(1, highest_version))
                                   .optional("at", &Input::at, schema::length(0, 40));
    return fields;
}

struct AuditInput {
    std::optional<std::string> user_id;
    std::optional<std::string> event_type;
    std::string from_date;
    std::string to_date;
    std::int64_t limit = 50;
    std::string cursor;
};

const auto& audit_fields()
{
    using Input = AuditInput;
    static const auto fields = schema::object<Input>(schema::UnknownFields::refuse)
                                   .optional("user_id", &Input::user_id, schema::length(1, 128))
                                   .optional("event_type", &Input::event_type, schema::length(1, 64))
                                   .optional("from_date", &Input::from_date, schema::length(0, 40))
                                   .optional("to_date", &Input::to_date, schema::length(0, 40))
                                   .optional("limit", &Input::limit, schema::range(1, 100), schema::alias("page_size"))
                                   .optional("cursor", &Input::cursor, schema::length(0, 256));
    return fields;
}

struct AuditRequest {
    events::AuditFilter filter;
    std::string list;  // what a cursor is bound to: the same question
};

Result<AuditRequest> read_audit(const RequestContext& context, const Cursors& cursors)
{
    const auto input = audit_fields().read_query(context.query);
    const auto from = read_time(parameter_of(context.query, "from_date"), "from_date", DayMeans::its_start);
    const auto to = read_time(parameter_of(context.query, "to_date"), "to_date", DayMeans::its_end);
    if (auto refused = wrong_together(input, from, to))
        return *refused;
    if (*from && *to)
        if (auto span = check_span(**from, **to, "from_date"); !span)
            return span.error();
    AuditRequest request{{input->user_id, input->event_type, *from, *to, {}, input->limit}, {}};
    request.list = dump(
        Json{"audit", input->user_id.value_or(""), input->event_type.value_or(""), input->from_date, input->to_date});
    if (input->cursor.empty())
        return request;
    const auto position = cursors.read(input->cursor, context.principal().user_id, request.list);
    if (!position)
        return position.error();
    request.filter.before = position->created_at;  // of events the place in the order, not the time
    return request;
}

// Empties the list as it goes.
OrderedJson events_json(std::vector<model::Event>& events)
{
    auto list = OrderedJson::array();
    for (auto& event : events) {
        list.push_back(event_json(event));
        event = model::Event();
    }
    return list;
}

}  // namespace event_routes

Handler get_aggregate_events(const ApiParts& parts)
{
    return [&parts, &service = parts.events, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
        if (auto seen = co_await check_bound_reader(parts, context, context.path_parameter("id")); !seen)
            co_return seen.error();
        const auto input = event_routes::aggregate_fields().read_query(context.query);
        if (!input)
            co_return input.error();
        auto page =
            co_await service.of_aggregate(event_reader(context), {context.path_parameter("id"), input->aggregate_type},
                                          {input->from_version, input->limit});
        if (!page)
            co_return page.error();
        const bool all_own = std::all_of(page->events.begin(), page->events.end(), [&](const model::Event& event) {
            return event.owner_id == context.principal().user_id;
        });
        if (!all_own)
            if (auto recorded = co_await record_read_of_others(audit, context, context.path_parameter("id")); !recorded)
                co_return recorded.error();
        OrderedJson body{{"events", event_routes::events_json(page->events)}};
        body["next"] = page->next ? OrderedJson(*page->next) : OrderedJson(nullptr);
        co_return co_await context.respond_json(200, std::move(body));
    };
}

Handler replay_aggregate(const ApiParts& parts)
{
    return [&parts, &service = parts.events, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
        if (auto seen = co_await check_bound_reader(parts, context, context.path_parameter("id")); !seen)
            co_return seen.error();
        const auto input = event_routes::replay_fields().read_query(context.query);
        const auto time = read_time(parameter_of(context.query, "at"), "at", DayMeans::its_end);
        if (auto refused = wrong_together(input, time))
            co_return *refused;
        if (auto room = context.visit->check_room(); !room)  // a refusal comes before the work
            co_return room;
        auto replayed =
            co_await service.replay(event_reader(context), {context.path_parameter("id"), input->aggregate_type},
                                    {input->to_version, *time}, context.deadline);
        if (!replayed)
            co_return replayed.error();
        if (replayed->owner_id != context.principal().user_id)
            if (auto recorded = co_await record_read_of_others(audit, context, replayed->aggregate_id); !recorded)
                co_return recorded.error();
        OrderedJson body{{"aggregate_id", replayed->aggregate_id},
                         {"aggregate_type", replayed->aggregate_type},
                         {"version", replayed->version},
                         {"state", OrderedJson(replayed->state)},
                         {"at", rfc3339(replayed->at)}};
        replayed->state = nullptr;  // not kept while it is written
        co_return co_await context.respond_json(200, std::move(body));
    };
}

Handler audit_events(const ApiParts& parts)
{
    return [&parts, &service = parts.events, &audit = parts.audit,
            cursors = Cursors(parts.cursor_key)](RequestContext& context) -> Task<Result<void>> {
        if (auto seen = co_await check_bound_reader(parts, context, ""); !seen)
            co_return seen.error();
        const auto request = event_routes::read_audit(context, cursors);
        if (!request)
            co_return request.error();
        auto page = co_await service.audit(event_reader(context), request->filter);
        if (!page)
            co_return page.error();
        if (event_reader(context).sees_everything)
            if (auto recorded = co_await record_read_of_others(audit, context, request->filter.user_id.value_or(""));
                !recorded)
                co_return recorded.error();
        OrderedJson body{{"events", event_routes::events_json(page->events)}};
        body["next"] = page->next
                           ? OrderedJson(cursors.write({*page->next, ""}, context.principal().user_id, request->list))
                           : OrderedJson(nullptr);
        co_return co_await context.respond_json(200, std::move(body));
    };
}

}  // namespace dure::api

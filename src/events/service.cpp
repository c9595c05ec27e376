// EventService; see service.hpp.
#include "dure/events/service.hpp"

#include <utility>

#include "dure/sql/database.hpp"

namespace dure::events {

namespace {

constexpr std::int64_t replay_page = 500;

std::optional<std::string> owner_seen_by(const Reader& reader)
{
    return reader.sees_everything ? std::nullopt : std::optional(reader.user_id);
}

Error no_such_aggregate()
{
    return Error(Errc::not_found, "No such aggregate.");
}

Error several_types()
{
    const std::string message = "aggregate_type is needed: there are several aggregates with this id";
    return Error(Errc::invalid_argument, message + ".")
        .param("aggregate_type")
        .problem({{"query", "aggregate_type"}, message, "missing"});
}

}  // namespace

Task<Result<std::string>> EventService::type_of(const Reader& reader, const AggregateName& name)
{
    auto types = co_await database_.read_statement(
        [&](sql::Connection& connection) { return store::Events(connection).types_of(name.id, owner_seen_by(reader)); });
    if (!types)
        co_return types.error();
    if (name.type)
        std::erase_if(*types, [&](const std::string& type) { return type != *name.type; });
    if (types->empty())
        co_return no_such_aggregate();
    if (types->size() > 1)
        co_return several_types();
    co_return std::move(types->front());
}

Task<Result<AggregatePage>> EventService::of_aggregate(Reader reader, AggregateName name, VersionRange range)
{
    const auto type = co_await type_of(reader, name);
    if (!type)
        co_return type.error();
    const store::AggregateQuery query{name.id, *type, owner_seen_by(reader), range.from, range.limit};
    auto events = co_await database_.read(
        [&](sql::Connection& connection) { return store::Events(connection).of_aggregate(query); });
    if (!events)
        co_return events.error();
    AggregatePage page;
    if (events->cut || std::cmp_equal(events->size(), range.limit))
        page.next = events->back().version + 1;
    page.events = std::move(*events);
    co_return page;
}

Task<Result<Replayed>> EventService::replay(Reader reader, AggregateName name, ReplayEnd end, Deadline deadline)
{
    const auto type = co_await type_of(reader, name);
    if (!type)
        co_return type.error();
    Fold fold(end);
    store::AggregateQuery query{name.id, *type, owner_seen_by(reader), 1, replay_page};
    for (bool more = true; more;) {
        if (deadline.passed())
            co_return Error(Errc::timeout, "There are too many events to replay in time.");
        const auto events = co_await database_.read(
            [&](sql::Connection& connection) { return store::Events(connection).of_aggregate(query); });
        if (!events)
            co_return events.error();
        more = events->cut || std::cmp_equal(events->size(), replay_page);
        for (const auto& event : *events)
            if (!fold.apply(event)) {
                more = false;
                break;
            }
        query.from_version = fold.state().version + 1;
    }
    if (fold.state().version == 0)
        co_return no_such_aggregate();
    co_return fold.take();
}

Task<Result<AuditPage>> EventService::audit(Reader reader, AuditFilter filter)
{
    const store::AuditQuery query{owner_seen_by(reader), filter.user_id, filter.event_type, filter.from,
                                  filter.to,             filter.before,  filter.limit};
    auto events = co_await database_.read(
        [&](sql::Connection& connection) { return store::Events(connection).audit(query); });
    if (!events)
        co_return events.error();
    AuditPage page;
    if (events->cut || std::cmp_equal(events->size(), filter.limit))
        page.next = events->back().position;
    page.events = std::move(*events);
    co_return page;
}

Task<Result<std::int64_t>> EventService::last_position()
{
    co_return co_await database_.read_statement(
        [](sql::Connection& connection) { return store::Events(connection).last_position(); });
}

Follower EventService::follow(Reader reader, std::int64_t after, std::optional<std::string> aggregate_id,
                              boost::asio::any_io_executor executor)
{
    return Follower(database_, bus_, std::move(executor), after, {owner_seen_by(reader), std::move(aggregate_id)});
}

}  // namespace dure::events

// See event_chains.hpp. Read: the aggregate's row -> stretches of versions, each walked back from its end.
#include "store/event_chains.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "dure/base/json_write.hpp"
#include "store/columns.hpp"
#include "store/event_rows.hpp"

namespace dure::store {

namespace {

// Of the index events_by_aggregate: the condition of its rows is written out in every query that is to use it.
constexpr std::int64_t versions_per_indexed = 32;
// Versions of a stretch; more are walked than are given only where the owner has not all of them.
constexpr std::int64_t shortest_stretch = 128;

std::int64_t indexed_from(std::int64_t version)
{
    return (version + versions_per_indexed - 1) / versions_per_indexed * versions_per_indexed;
}

}  // namespace

// Nobody else is between the statements: the number of a new row is the next position. (One with RETURNING, which SQLite keeps in a
// table of its own, costs a tenth of a turn more than two.)
Result<bool> EventChains::append(model::Event& event, const std::string& data)
{
    const auto known = connection_.query("SELECT version, position FROM event_aggregates WHERE aggregate_id = $1 AND aggregate_type = $2",
                                         event.aggregate_id, event.aggregate_type);
    if (!known)
        return known.error();
    std::optional<End> last;
    if (!known->empty())
        last = {known->front().integer(0), known->front().integer(1)};
    const auto end = insert(last, {event.event_id, event.aggregate_id, event.aggregate_type, event.event_type, data,
                                   json_text(event.metadata), event.owner_id, event.user_id, event.created_at});
    if (!end)
        return end.error();
    if (!*end)
        return false;
    event.position = (*end)->position;
    event.version = (*end)->version;
    return true;
}

Result<std::optional<EventChains::End>> EventChains::append_behind(const std::optional<End>& last,
                                                                   const NewEvent& event, const std::string& data,
                                                                   const std::string& metadata)
{
    return insert(last, {event.event_id, event.aggregate_id, event.aggregate_type, event.event_type, data,
                         metadata, event.owner_id, event.user_id, event.created_at});
}

// The row of the aggregate is put in place of the one that is there, without a look for it.
Result<std::optional<EventChains::End>> EventChains::insert(const std::optional<End>& last, const Fields& event)
{
    End end;
    end.version = last ? last->version + 1 : 1;
    const auto previous = last ? std::optional(last->position) : std::nullopt;
    const auto stored = connection_.execute("INSERT INTO events (event_id, aggregate_id, aggregate_type, version, previous, "
                                            "event_type, data, metadata, owner_id, user_id, created_at) VALUES ($1, $2, "
                                            "$3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (event_id) DO NOTHING",
                                            event.event_id, event.aggregate_id, event.aggregate_type, end.version,
                                            previous, event.event_type, event.data, event.metadata, event.owner_id,
                                            event.user_id, event.created_at);
    if (!stored)
        return stored.error();
    if (*stored == 0)
        return std::nullopt;
    end.position = connection_.inserted_number();
    const auto headed = connection_.execute(
        "REPLACE INTO event_aggregates (aggregate_id, aggregate_type, version, position) VALUES ($1, $2, $3, $4)",
        event.aggregate_id, event.aggregate_type, end.version, end.position);
    if (!headed)
        return headed.error();
    if (auto noted = note_type(event.event_type, end.position); !noted)
        return noted.error();
    return end;
}

Result<void> EventChains::note_type(std::string_view type, std::int64_t position)
{
    const auto block = position / positions_of_block;
    auto fact = std::to_string(block).append(" has ").append(type);
    if (connection_.knows(fact))
        return {};
    const auto stored = connection_.execute(
        "INSERT INTO event_type_blocks (type, block) VALUES ($1, $2) ON CONFLICT (type, block) DO NOTHING", type, block);
    if (!stored)
        return stored.error();
    connection_.learn(std::move(fact));
    return {};
}

Result<std::int64_t> EventChains::newest_version(std::string_view aggregate_id, std::string_view aggregate_type)
{
    return read_number(
        connection_.query("SELECT COALESCE((SELECT version FROM event_aggregates WHERE aggregate_id = $1 AND "
                          "aggregate_type = $2), 0)",
                          aggregate_id, aggregate_type));
}

Result<std::vector<EventChains::Head>> EventChains::heads(std::string_view aggregate_id,
                                                          const std::optional<std::string>& type)
{
    return read_all(
        connection_.query(
            "SELECT aggregate_type, version, position FROM event_aggregates WHERE aggregate_id = $1 AND ($2 IS "
            "NULL OR aggregate_type = $2) ORDER BY aggregate_type",
            aggregate_id, type),
        [](const sql::Row& row) {
            return Head{row.text("aggregate_type"), row.integer("version"), row.integer("position")};
        });
}

Result<std::vector<std::string>> EventChains::types_of(std::string_view aggregate_id,
                                                       const std::optional<std::string>& owner_id)
{
    return read_all(
        connection_.query("SELECT aggregate_type FROM event_aggregates a WHERE aggregate_id = $1 AND ($2 IS NULL OR "
                          "EXISTS (WITH RECURSIVE "
                          "walk(previous, owner_id) AS (SELECT e.previous, e.owner_id FROM events e WHERE e.position = "
                          "a.position UNION ALL "
                          "SELECT e.previous, e.owner_id FROM walk CROSS JOIN events e ON e.position = walk.previous) "
                          "SELECT 1 FROM walk WHERE walk.owner_id = $2)) ORDER BY aggregate_type",
                          aggregate_id, owner_id),
        [](const sql::Row& row) { return row.text("aggregate_type"); });
}

Result<std::int64_t> EventChains::position_of(std::string_view aggregate_id, const Head& head, std::int64_t version)
{
    return read_number(
        connection_.query("SELECT position FROM events WHERE aggregate_id = $1 AND aggregate_type = $2 AND "
                          "version = $3 AND version % 32 = 0",
                          aggregate_id, head.aggregate_type, version));
}

Result<void> EventChains::read(std::string_view aggregate_id, const Head& head, const Range& range,
                               Found& into)
{
    static const std::string sql = "WITH RECURSIVE walk(position, previous, version) AS (SELECT position, previous, "
                                   "version FROM events WHERE position = "
                                   "$1 UNION ALL SELECT e.position, e.previous, e.version FROM walk CROSS JOIN events "
                                   "e ON e.position = walk.previous "
                                   "WHERE e.version >= $2 AND e.position > $4) SELECT " +
                                   event_columns +
                                   " FROM events WHERE position IN (SELECT position FROM walk WHERE version BETWEEN $2 "
                                   "AND $3 AND position > $4) AND "
                                   "($5 IS NULL OR owner_id = $5) ORDER BY position LIMIT $6";
    auto from = std::max<std::int64_t>(range.from_version, 1);
    while (from <= head.version && !into.full(range.limit)) {
        const auto room = static_cast<std::int64_t>(range.limit - into.events.size());
        const auto to = std::min(head.version, indexed_from(std::max(shortest_stretch, room) + from));
        const auto end = to == head.version ? Result<std::int64_t>(head.position) : position_of(aggregate_id, head, to);
        if (!end)
            return end.error();
        const std::array<sql::Param, 6> values{*end, from, to, range.after_position, range.owner_id, room};
        const auto rows = connection_.query_up_to(bound_of_events("position", into.text_bytes_left), sql, values);
        if (!rows)
            return rows.error();
        for (const auto row : *rows) {
            into.events.push_back(event_from(row));
            into.text_bytes_left -= std::ssize(row.text("data")) + std::ssize(row.text("metadata"));
        }
        from = to + 1;
        into.events.cut = rows->cut() || (into.text_bytes_left <= 0 && from <= head.version);
    }
    return {};
}

Result<Listed<model::Event>> EventChains::of_aggregate(const AggregateQuery& query)
{
    const auto types = heads(query.aggregate_id, query.aggregate_type);
    if (!types)
        return types.error();
    const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(query.limit, 1, events_limit));
    Found found;
    for (const auto& head : *types) {
        if (found.full(limit))
            break;
        found.text_bytes_left = std::max<std::int64_t>(found.text_bytes_left, 1);
        if (auto done = read(query.aggregate_id, head, {query.from_version, 0, query.owner_id, limit}, found); !done)
            return done.error();
    }
    return std::move(found.events);
}

Result<std::int64_t> EventChains::version_near(std::string_view aggregate_id, const Head& head, std::int64_t position)
{
    std::int64_t before = 0,
                 behind = head.version / versions_per_indexed;  // indexed events that are not behind the position
    while (before < behind) {
        const auto middle = (before + behind + 1) / 2;
        const auto at = position_of(aggregate_id, head, middle * versions_per_indexed);
        if (!at)
            return at.error();
        if (*at <= position)
            before = middle;
        else
            behind = middle - 1;
    }
    return before * versions_per_indexed + 1;
}

Result<Listed<model::Event>> EventChains::after(std::int64_t position, const EventFilter& filter, std::int64_t limit)
{
    const auto types = heads(*filter.aggregate_id, std::nullopt);
    if (!types)
        return types.error();
    const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(limit, 1, events_limit));
    Listed<model::Event> all;
    auto known_to = std::numeric_limits<std::int64_t>::max();  // of each type every event up to here was read
    for (const auto& head : *types) {
        if (head.position <= position)
            continue;
        const auto from = version_near(*filter.aggregate_id, head, position);
        if (!from)
            return from.error();
        Found found;
        if (auto done = read(*filter.aggregate_id, head, {*from, position, filter.owner_id, most}, found); !done)
            return done.error();
        all.cut = all.cut || found.events.cut;
        if (found.events.cut)
            known_to = std::min(known_to, found.events.back().position);
        std::move(found.events.begin(), found.events.end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.position < b.position; });
    std::erase_if(all, [&](const auto& event) { return event.position > known_to; });
    if (all.size() > most)
        all.resize(most);
    return all;
}

}  // namespace dure::store

// Events: SQL beside each method. append = take the next position (and with it the lock of the order), then one insert that
// counts the version; a second insert of the same event id changes nothing and is answered with the first. A refusal (wrong
// version, taken id) has changed nothing either. On PostgreSQL that is event_appends.hpp. SQLite has one writer: there position and
// version follow from the rows, and what belongs to one aggregate is read by event_chains.hpp.
#include "dure/store/events.hpp"

#include "dure/base/json_write.hpp"
#include "store/columns.hpp"
#include "store/event_appends.hpp"
#include "store/event_chains.hpp"
#include "store/event_rows.hpp"

namespace dure::store {

model::Event event_from(const sql::Row& row)
{
    model::Event event;
    event.position = row.integer("position");
    event.event_id = row.text("event_id");
    event.aggregate_id = row.text("aggregate_id");
    event.aggregate_type = row.text("aggregate_type");
    event.version = row.integer("version");
    event.event_type = row.text("event_type");
    event.data = Json::parse(row.text("data"));
    event.metadata = Json::parse(row.text("metadata"));
    event.owner_id = row.text("owner_id");
    event.user_id = row.text("user_id");
    event.created_at = row.integer("created_at");
    return event;
}

namespace {

constexpr std::string_view event_word = "event";

model::Event event_of(NewEvent fresh)
{
    model::Event event;
    event.event_id = fresh.event_id.empty() ? new_id() : std::move(fresh.event_id);
    event.aggregate_id = std::move(fresh.aggregate_id);
    event.aggregate_type = std::move(fresh.aggregate_type);
    event.event_type = std::move(fresh.event_type);
    event.data = std::move(fresh.data);
    event.metadata = std::move(fresh.metadata);
    event.owner_id = std::move(fresh.owner_id);
    event.user_id = std::move(fresh.user_id);
    event.created_at = fresh.created_at;
    return event;
}

// The text that is stored.
std::string data_of(NewEvent& fresh)
{
    return fresh.data_text.empty() ? json_text(fresh.data) : std::move(fresh.data_text);
}

Error wrong_version(std::int64_t expected, std::int64_t found)
{
    return Error(Errc::conflict,
                 "The aggregate is at version " + std::to_string(found) + ", not " + std::to_string(expected) + ".")
        .reason("version_conflict");
}

// What was stored under this id, if it is the same event; nothing of a foreign one is told.
Result<model::Event> first_result(Result<model::Event> stored, const model::Event& again)
{
    if (!stored)
        return stored;
    if (stored->aggregate_id == again.aggregate_id && stored->aggregate_type == again.aggregate_type &&
        stored->event_type == again.event_type && stored->owner_id == again.owner_id)
        return stored;
    return Error(Errc::conflict, "This event id is taken.").reason("event_id_taken");
}

// Conditions of a WHERE clause with their bound values, in the order they were added.
class Conditions {
public:
    void add(const std::string& condition, sql::Param value)
    {
        const auto place = bind(value);
        text_ += (text_.empty() ? " WHERE " : " AND ") + condition + " " + place;
    }
    template <class T>
    void add_if(const std::string& condition, const std::optional<T>& value)
    {
        if (value)
            add(condition, sql::Param(*value));
    }
    // Gives its parameter.
    std::string bind(sql::Param value)
    {
        values_.push_back(value);
        return "$" + std::to_string(values_.size());
    }
    // The clause with one more condition.
    std::string with(const std::string& condition) const
    {
        return text_ + (text_.empty() ? " WHERE " : " AND ") + condition;
    }
    const std::string& text() const { return text_; }
    std::span<const sql::Param> values() const { return values_; }

private:
    std::string text_;
    std::vector<sql::Param> values_;
};

const std::string select_event = "SELECT " + event_columns + " FROM events";

// `chosen`: made of the conditions, whose values it refers to.
Result<Listed<model::Event>> select_events(sql::Connection& connection, const std::string& chosen,
                                           Conditions& conditions, const std::string& order, std::int64_t limit)
{
    const auto sql = chosen + " ORDER BY " + order + " LIMIT " + conditions.bind(limit);
    return read_listed(connection.query_up_to(bound_of_events(order), sql, conditions.values()), event_from);
}

// What somebody does is mostly about what they own: the index events_by_user has only the other events, so that few of them are
// written there. The rest is found by its owner.
std::string done_by(Conditions& conditions, const std::string& user_id, const std::optional<std::string>& owner_id)
{
    const auto user = conditions.bind(user_id);
    const auto of_others = select_event + conditions.with("user_id = " + user + " AND user_id <> owner_id");
    const auto of_theirs = select_event + conditions.with("user_id = " + user + " AND owner_id = " + user);
    if (owner_id)
        return *owner_id == user_id ? of_theirs : of_others;
    return of_others + " UNION ALL " + of_theirs;
}

// SQLite.
Result<Listed<model::Event>> newest_of_type(sql::Connection& connection, Conditions& conditions,
                                            const AuditQuery& query, std::int64_t limit)
{
    conditions.add_if("type =", query.event_type);
    if (query.before)
        conditions.add("block <=", *query.before / positions_of_block);
    const auto chosen = "SELECT " + event_columns + " FROM " + events_of_blocks + conditions.text();
    return select_events(connection, chosen, conditions, "block DESC, position DESC", limit);
}

}  // namespace

bool is_refusal(const Error& error)
{
    return error.reason() == "version_conflict" || error.reason() == "event_id_taken";
}

Result<model::Event> Events::append(NewEvent fresh, std::optional<std::int64_t> expected_version)
{
    if (connection_.dialect() == sql::Dialect::sqlite)
        return append_alone({std::move(fresh), expected_version});
    std::vector<EventToAppend> one;
    one.push_back({std::move(fresh), expected_version});
    auto appended = append_together(std::move(one));
    return appended ? std::move(appended->front()) : Result<model::Event>(appended.error());
}

Result<std::vector<Result<model::Event>>> Events::append_all(std::vector<EventToAppend> events)
{
    if (connection_.dialect() == sql::Dialect::postgres)
        return append_together(std::move(events));
    std::vector<Result<model::Event>> outcomes;
    outcomes.reserve(events.size());
    for (auto& fresh : events) {
        auto one = append_alone(std::move(fresh));
        if (!one && !is_refusal(one.error()))
            return one.error();
        outcomes.push_back(std::move(one));
    }
    return outcomes;
}

// With one writer there is nobody to wait for.
Result<model::Event> Events::append_alone(EventToAppend fresh)
{
    const bool may_be_known = !fresh.event.event_id.empty();
    const auto data = data_of(fresh.event);
    auto event = event_of(std::move(fresh.event));
    if (may_be_known && fresh.expected_version) {
        auto known = find(event.event_id);
        if (known || known.error().code() != Errc::not_found)
            return first_result(std::move(known), event);
    }
    EventChains chains(connection_);
    if (fresh.expected_version) {
        const auto newest = chains.newest_version(event.aggregate_id, event.aggregate_type);
        if (!newest)
            return newest.error();
        if (*newest != *fresh.expected_version)
            return wrong_version(*fresh.expected_version, *newest);
    }
    const auto stored = chains.append(event, data);
    if (!stored)
        return stored.error();
    return *stored ? std::move(event) : first_result(find(event.event_id), event);
}

Result<std::vector<Result<model::Event>>> Events::append_together(std::vector<EventToAppend> fresh)
{
    std::vector<model::Event> events;
    std::vector<EventRow> rows;
    events.reserve(fresh.size());
    rows.reserve(fresh.size());
    for (auto& one : fresh) {
        auto data = data_of(one.event);
        rows.push_back({&events.emplace_back(event_of(std::move(one.event))), std::move(data), one.expected_version});
    }
    const auto appended = append_rows(connection_, rows);
    if (!appended)
        return appended.error();
    std::vector<Result<model::Event>> outcomes;
    outcomes.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        const auto& place = (*appended)[i];
        if (place.position) {
            events[i].position = *place.position;
            events[i].version = place.version;
            outcomes.emplace_back(std::move(events[i]));
            continue;
        }
        auto known = find(events[i].event_id);
        if (!known && (known.error().code() != Errc::not_found || !rows[i].expected_version))
            return known.error();
        outcomes.push_back(known ? first_result(std::move(known), events[i])
                                 : Result<model::Event>(wrong_version(*rows[i].expected_version, place.version)));
    }
    return outcomes;
}

Result<model::Event> Events::find(std::string_view event_id)
{
    static const std::string sql = "SELECT " + event_columns + " FROM events WHERE event_id = $1";
    return read_one(connection_.query(sql, event_id), event_from, event_word);
}

Result<Listed<model::Event>> Events::of_aggregate(const AggregateQuery& query)
{
    if (connection_.dialect() == sql::Dialect::sqlite)
        return EventChains(connection_).of_aggregate(query);
    Conditions conditions;
    conditions.add("aggregate_id =", query.aggregate_id);
    conditions.add_if("aggregate_type =", query.aggregate_type);
    conditions.add_if("owner_id =", query.owner_id);
    conditions.add("version >=", query.from_version);
    return select_events(connection_, select_event + conditions.text(), conditions, "aggregate_type, version",
                         std::clamp<std::int64_t>(query.limit, 1, events_limit));
}

Result<std::vector<std::string>> Events::types_of(std::string_view aggregate_id,
                                                  const std::optional<std::string>& owner_id)
{
    if (connection_.dialect() == sql::Dialect::sqlite)
        return EventChains(connection_).types_of(aggregate_id, owner_id);
    // Steps from one type to the next in the index of (aggregate_id, aggregate_type, version): DISTINCT would read every event.
    static const std::string every_type = "WITH RECURSIVE types(aggregate_type) AS (SELECT MIN(aggregate_type) FROM "
                                          "events WHERE aggregate_id = $1 UNION ALL "
                                          "SELECT (SELECT MIN(aggregate_type) FROM events WHERE aggregate_id = $1 AND "
                                          "aggregate_type > types.aggregate_type) "
                                          "FROM types WHERE types.aggregate_type IS NOT NULL) SELECT aggregate_type "
                                          "FROM types WHERE aggregate_type IS NOT NULL";
    static const std::string of_owner =
        every_type +
        " AND EXISTS (SELECT 1 FROM events WHERE aggregate_id = $1 AND aggregate_type = types.aggregate_type "
        "AND owner_id = $2)";
    static const std::string order = " ORDER BY aggregate_type";
    return read_all(owner_id ? connection_.query(of_owner + order, aggregate_id, *owner_id)
                             : connection_.query(every_type + order, aggregate_id),
                    [](const sql::Row& row) { return row.text("aggregate_type"); });
}

Result<Listed<model::Event>> Events::after(std::int64_t position, const EventFilter& filter, std::int64_t limit)
{
    if (filter.aggregate_id && connection_.dialect() == sql::Dialect::sqlite)
        return EventChains(connection_).after(position, filter, limit);
    Conditions conditions;
    conditions.add("position >", position);
    conditions.add_if("owner_id =", filter.owner_id);
    conditions.add_if("aggregate_id =", filter.aggregate_id);
    return select_events(connection_, select_event + conditions.text(), conditions, "position",
                         std::clamp<std::int64_t>(limit, 1, events_limit));
}

Result<Listed<model::Event>> Events::audit(const AuditQuery& query)
{
    Conditions conditions;
    conditions.add_if("owner_id =", query.owner_id);
    conditions.add_if("event_type =", query.event_type);
    conditions.add_if("created_at >=", query.from);
    conditions.add_if("created_at <", query.to);
    conditions.add_if("position <", query.before);
    const auto limit = std::clamp<std::int64_t>(query.limit, 1, 100);
    if (query.event_type && !query.user_id && connection_.dialect() == sql::Dialect::sqlite)
        return newest_of_type(connection_, conditions, query, limit);
    const auto chosen =
        query.user_id ? done_by(conditions, *query.user_id, query.owner_id) : select_event + conditions.text();
    return select_events(connection_, chosen, conditions, "position DESC", limit);
}

Result<std::int64_t> Events::last_position()
{
    return read_number(connection_.dialect() == sql::Dialect::sqlite
                           ? connection_.query("SELECT COALESCE(MAX(position), 0) FROM events")
                           : connection_.query("SELECT position FROM event_position WHERE id = 1"));
}

Result<std::vector<model::Event>> append_every(sql::Connection& connection, std::vector<EventToAppend> events)
{
    std::vector<model::Event> stored;
    if (events.empty())
        return stored;
    auto outcomes = Events(connection).append_all(std::move(events));
    if (!outcomes)
        return outcomes.error();
    stored.reserve(outcomes->size());
    for (auto& one : *outcomes) {
        if (!one)
            return one.error();
        stored.push_back(std::move(*one));
    }
    return stored;
}

}  // namespace dure::store

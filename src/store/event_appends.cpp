// See event_appends.hpp. A statement for each number of events up to most_at_once, made once.
#include "store/event_appends.hpp"

#include <algorithm>
#include <array>

#include "dure/base/json_write.hpp"

namespace dure::store {

namespace {

constexpr std::size_t most_at_once = 16;
constexpr std::size_t params_of_event = 10;

// A row is made when the one before it has been given: the events are stored in their order.
std::string append_sql(std::size_t count)
{
    std::string sql;
    for (std::size_t i = 0; i < count; ++i) {
        sql += (i == 0 ? "SELECT " : " UNION ALL SELECT ") + std::to_string(i) +
               " AS number, taken_position, newest_version FROM append_event(";
        for (std::size_t param = 1; param <= params_of_event; ++param)
            sql += (param == 1 ? "$" : ", $") + std::to_string(i * params_of_event + param);
        sql += ")";
    }
    return sql;
}

const std::string& append_sql_for(std::size_t count)
{
    static const auto all = [] {
        std::array<std::string, most_at_once + 1> made;
        for (std::size_t i = 1; i <= most_at_once; ++i)
            made[i] = append_sql(i);
        return made;
    }();
    return all[count];
}

Result<void> append_some(sql::Connection& connection, std::span<const EventRow> rows, std::span<AppendedRow> appended)
{
    std::vector<std::string> metadata;
    std::vector<sql::Param> params;
    metadata.reserve(rows.size());
    params.reserve(rows.size() * params_of_event);
    for (const auto& row : rows) {
        const auto& event = *row.event;
        metadata.push_back(json_text(event.metadata));
        params.insert(params.end(),
                      {event.event_id, event.aggregate_id, event.aggregate_type, row.expected_version, event.event_type,
                       row.data, metadata.back(), event.owner_id, event.user_id, event.created_at});
    }
    const auto told = connection.query_with(append_sql_for(rows.size()), params);
    if (!told)
        return told.error();
    for (const auto one : *told) {
        auto& place = appended[static_cast<std::size_t>(one.integer(0))];
        if (!one.is_null(1))
            place.position = one.integer(1);
        place.version = one.integer(2);
    }
    return {};
}

}  // namespace

Result<std::vector<AppendedRow>> append_rows(sql::Connection& connection, std::span<const EventRow> rows)
{
    std::vector<AppendedRow> appended(rows.size());
    for (std::size_t begin = 0; begin < rows.size(); begin += most_at_once) {
        const auto count = std::min(most_at_once, rows.size() - begin);
        if (auto some = append_some(connection, rows.subspan(begin, count), std::span(appended).subspan(begin, count));
            !some)
            return some.error();
    }
    return appended;
}

}  // namespace dure::store

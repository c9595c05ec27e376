// UsageReports; see usage.hpp.
#include "dure/chat/usage.hpp"

#include "dure/sql/database.hpp"
#include "dure/store/usage.hpp"

namespace dure::chat {

Task<Result<std::vector<model::UsageTotal>>> UsageReports::totals(UsageQuestion question)
{
    store::UsageQuery query;
    query.user_id = std::move(question.user_id);
    query.from = question.from;
    query.to = question.to;
    query.by_day = question.by_day;
    query.by_model = question.by_model;
    query.by_user = question.by_user;
    query.by_key = question.by_key;
    query.limit = most_rows + 1;
    auto rows = co_await database_.read(
        [&query](sql::Connection& connection) { return store::Usage(connection).totals(query); });
    if (rows && std::cmp_greater(rows->size(), most_rows))
        co_return Error(Errc::invalid_argument, "The answer has too many rows: ask for less time or fewer groups.")
            .reason("too_many_rows")
            .param("group_by");
    co_return rows;
}

}  // namespace dure::chat

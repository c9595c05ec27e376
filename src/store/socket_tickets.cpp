// SocketTickets: SQL beside each method.
#include "dure/store/socket_tickets.hpp"

namespace dure::store {

Result<bool> SocketTickets::keep(std::string_view id, std::string_view sealed, std::chrono::seconds lifetime,
                                 std::int64_t most)
{
    if (auto cleaned = connection_.execute("DELETE FROM socket_tickets WHERE expires_at < CAST(EXTRACT(EPOCH FROM "
                                           "clock_timestamp()) * 1000 AS BIGINT)");
        !cleaned)
        return cleaned.error();
    const std::int64_t milliseconds = std::chrono::milliseconds(lifetime).count();
    const auto kept =
        connection_.execute("INSERT INTO socket_tickets (id, sealed, expires_at) "
                            "SELECT $1, $2, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) + $3 "
                            "WHERE (SELECT COUNT(*) FROM socket_tickets) < $4",
                            id, sealed, milliseconds, most);
    if (!kept)
        return kept.error();
    return *kept > 0;
}

Result<std::optional<std::string>> SocketTickets::take(std::string_view id)
{
    const auto taken = connection_.query("DELETE FROM socket_tickets WHERE id = $1 RETURNING "
                                         "CASE WHEN expires_at >= CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS "
                                         "BIGINT) THEN sealed END AS sealed",
                                         id);
    if (!taken)
        return taken.error();
    if (taken->empty())
        return std::optional<std::string>();
    return taken->front().maybe_text("sealed");
}

}  // namespace dure::store

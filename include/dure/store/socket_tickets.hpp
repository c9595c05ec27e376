// Tickets for WebSockets, on PostgreSQL, where replicas share them (auth/tickets.hpp). Their time is the database's: replicas' clocks may
// differ by as much as a ticket lives.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dure/sql/connection.hpp"

namespace dure::store {

class SocketTickets {
public:
    explicit SocketTickets(sql::Connection& connection) : connection_(connection) {}

    // False: `most` are kept already. Drops those whose time is over first.
    Result<bool> keep(std::string_view id, std::string_view sealed, std::chrono::seconds lifetime, std::int64_t most);
    // Nothing: unknown, or its time is over. Gone in any case.
    Result<std::optional<std::string>> take(std::string_view id);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store

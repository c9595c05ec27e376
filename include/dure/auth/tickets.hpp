// Tickets: how a browser, which cannot send headers with a WebSocket, shows its credential (threat-model §4): it asks for a
// ticket with the credential and opens the socket with the ticket, once, within half a minute. What is kept of a credential
// is sealed with the ticket itself, which nobody but the browser has.
//   POST /ws/ticket -> issue(credential) -> ticket        GET /ws/…?ticket= -> redeem(ticket) -> credential -> Authenticator
// Replicas share them through Redis, and through PostgreSQL while Redis is away or where there is none; a process with a file of its
// own keeps them in memory.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"

namespace dure::redis {
class Client;
}

namespace dure::sql {
class Database;
}

namespace dure::auth {

// Thread-safe; awaited on a core.
class Tickets {
public:
    static constexpr std::chrono::seconds lifetime{30};

    virtual ~Tickets() = default;
    // `credential`: an Authorization header's value, at most 8 KiB; empty where there are no accounts. unavailable: too many
    // tickets are open.
    virtual Task<Result<std::string>> issue(std::string credential) = 0;
    // unauthenticated: unknown, used or too old. Whatever it gives but unavailable, the ticket is gone.
    virtual Task<Result<std::string>> redeem(std::string ticket) = 0;
};

std::unique_ptr<Tickets> in_process_tickets(std::size_t most = 10000);
// On PostgreSQL. `most`: of all replicas.
std::unique_ptr<Tickets> stored_tickets(sql::Database& database, std::size_t most = 10000);
// `meanwhile`: has those that are issued while Redis is away.
std::unique_ptr<Tickets> redis_tickets(redis::Client& redis, std::unique_ptr<Tickets> meanwhile);

}  // namespace dure::auth

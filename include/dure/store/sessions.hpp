// Durable sessions. Every method names the owner; somebody else's session is not_found, as is a deleted one. Turns are counted by Turns.
#pragma once

#include <vector>

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

class Sessions {
public:
    explicit Sessions(sql::Connection& connection) : connection_(connection) {}

    Result<void> insert(const model::Session& session);  // conflict: id, token or the owner's client_chat_id taken
    Result<model::Session> find(std::string_view id, std::string_view owner_id);
    Result<model::Session> find_by_client_chat(std::string_view client_chat_id, std::string_view owner_id);
    // The session of fresh.owner_id with fresh.client_chat_id; `fresh` is stored if there is none (then the answer has
    // its id). A deleted one does not count: its chat id is free again.
    Result<model::Session> find_or_create(const model::Session& fresh);
    // Newest first.
    Result<std::vector<model::Session>> list(std::string_view owner_id, const Page& page);
    Result<std::int64_t> count(std::string_view owner_id);
    // Soft: the rows stay, nobody sees them.
    Result<void> remove(std::string_view id, std::string_view owner_id, UnixMillis now);
    // A summary covers everything up to a turn; later turns count towards the next. False: one that covers them is there
    // (of another replica), and nothing has changed. The row is locked until the end of the unit.
    Result<bool> reset_turns_since_summary(std::string_view id, std::string_view owner_id, std::int64_t up_to_turn,
                                           UnixMillis now);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store

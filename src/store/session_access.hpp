// Whether a session is there for an owner: asked before anything in it is read or added to.
#pragma once

#include "dure/sql/connection.hpp"

namespace dure::store {

// not_found: unknown, deleted, or somebody else's.
Result<void> require_session(sql::Connection& connection, std::string_view id, std::string_view owner_id);

// The same as a part of an insert, which then adds no row: the session is parameter $2, the owner $3.
inline constexpr std::string_view if_session_is_there =
    " WHERE EXISTS (SELECT 1 FROM sessions WHERE sessions.id = $2 AND sessions.owner_id = $3 AND sessions.is_active = 1)";

}  // namespace dure::store

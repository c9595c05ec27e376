// Whether a session is there for an owner: asked before anything in it is read or added to.
#pragma once

#include "dure/sql/connection.hpp"

namespace dure::store {

// not_found: unknown, deleted, or somebody else's.
Result<void> require_session(sql::Connection& connection, std::string_view id, std::string_view owner_id);

}  // namespace dure::store

// Access tokens that were ended before their time, by their id (jti). A row is needed until the token would have expired.
#pragma once

#include "dure/base/clock.hpp"
#include "dure/sql/connection.hpp"

namespace dure::store {

class EndedTokens {
public:
    explicit EndedTokens(sql::Connection& connection) : connection_(connection) {}

    // Ending it twice is fine. Also drops rows that nobody needs any more.
    Result<void> end(std::string_view jti, std::string_view user_id, UnixMillis expires_at, UnixMillis now);
    Result<bool> contains(std::string_view jti);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store

// EndedTokens: SQL beside each method.
#include "dure/store/ended_tokens.hpp"

#include "store/columns.hpp"

namespace dure::store {

Result<void> EndedTokens::end(std::string_view jti, std::string_view user_id, UnixMillis expires_at, UnixMillis now)
{
    constexpr UnixMillis margin = 60'000;   // replicas' clocks differ, tokens have a leeway
    if (auto cleaned = connection_.execute("DELETE FROM ended_tokens WHERE expires_at < $1", now - margin); !cleaned)
        return cleaned.error();
    return without_count(connection_.execute(
        "INSERT INTO ended_tokens (jti, user_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING", jti,
        user_id, expires_at));
}

Result<bool> EndedTokens::contains(std::string_view jti)
{
    const auto rows = connection_.query("SELECT 1 FROM ended_tokens WHERE jti = $1", jti);
    if (!rows)
        return rows.error();
    return !rows->empty();
}

}  // namespace dure::store

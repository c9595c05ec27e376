// ApiKeys: SQL beside each method.
#include "dure/store/api_keys.hpp"

#include "store/columns.hpp"
#include "store/user_row.hpp"

namespace dure::store {

namespace {

const std::string key_columns = "id, owner_id, name, hash, prefix, permissions, models, created_at, expires_at, "
                                "last_used_at, revoked_at, tokens_per_minute, tokens_per_day, cost_per_day";

model::ApiKey key_from(const sql::Row& row)
{
    model::ApiKey key;
    key.id = row.text("id");
    key.owner_id = row.text("owner_id");
    key.name = row.text("name");
    key.hash = row.text("hash");
    key.prefix = row.text("prefix");
    key.permissions = list_of(row.maybe_text("permissions"));
    key.models = list_of(row.maybe_text("models"));
    key.created_at = row.integer("created_at");
    key.expires_at = row.maybe_integer("expires_at");
    key.last_used_at = row.maybe_integer("last_used_at");
    key.revoked_at = row.maybe_integer("revoked_at");
    key.limits = {row.integer("tokens_per_minute"), row.integer("tokens_per_day"), row.integer("cost_per_day")};
    return key;
}

constexpr std::string_view key_word = "API key";

}  // namespace

Result<void> ApiKeys::insert(const model::ApiKey& key)
{
    return without_count(connection_.execute(
        "INSERT INTO api_keys (id, owner_id, name, hash, prefix, permissions, models, created_at, expires_at, "
        "last_used_at, revoked_at, tokens_per_minute, tokens_per_day, cost_per_day) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        key.id, key.owner_id, key.name, key.hash, key.prefix, list_text(key.permissions), list_text(key.models),
        key.created_at, key.expires_at, key.last_used_at, key.revoked_at, key.limits.tokens_per_minute,
        key.limits.tokens_per_day, key.limits.cost_per_day));
}

Result<KeyAndOwner> ApiKeys::find_by_hash(std::string_view hash)
{
    const auto rows = connection_.query(
        "SELECT k.id, k.owner_id, k.name, k.hash, k.prefix, k.permissions, k.models, k.created_at, k.expires_at, "
        "k.last_used_at, k.revoked_at, k.tokens_per_minute, k.tokens_per_day, k.cost_per_day, u.id AS user_id, u.email AS user_email, u.username AS user_username, "
        "u.role AS user_role, u.password_hash AS user_password_hash, u.is_active AS user_is_active, "
        "u.is_verified AS user_is_verified, u.token_version AS user_token_version, u.created_at AS user_created_at, "
        "u.updated_at AS user_updated_at FROM api_keys k JOIN users u ON u.id = k.owner_id WHERE k.hash = $1",
        hash);
    return read_one(
        rows, [](const sql::Row& row) { return KeyAndOwner{key_from(row), user_from(row, "user_")}; }, key_word);
}

Result<model::ApiKey> ApiKeys::find(std::string_view id, std::string_view owner_id)
{
    static const std::string sql = "SELECT " + key_columns + " FROM api_keys WHERE id = $1 AND owner_id = $2";
    return read_one(connection_.query(sql, id, owner_id), key_from, key_word);
}

Result<model::ApiKey> ApiKeys::find_of_anybody(std::string_view id)
{
    static const std::string sql = "SELECT " + key_columns + " FROM api_keys WHERE id = $1";
    return read_one(connection_.query(sql, id), key_from, key_word);
}

Result<std::vector<model::ApiKey>> ApiKeys::list(std::string_view owner_id, std::int64_t limit, std::int64_t passed)
{
    static const std::string sql = "SELECT " + key_columns +
                                   " FROM api_keys WHERE owner_id = $1 "
                                   "ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";
    return read_all(connection_.query(sql, owner_id, limit, passed), key_from);
}

Result<std::int64_t> ApiKeys::count(std::string_view owner_id)
{
    return read_number(connection_.query("SELECT COUNT(*) FROM api_keys WHERE owner_id = $1", owner_id));
}

Result<std::int64_t> ApiKeys::count_active(std::string_view owner_id, UnixMillis now)
{
    return read_number(connection_.query("SELECT COUNT(*) FROM api_keys WHERE owner_id = $1 AND revoked_at IS NULL "
                                         "AND (expires_at IS NULL OR expires_at > $2)",
                                         owner_id, now));
}

Result<model::ApiKey> ApiKeys::revoke(std::string_view id, std::string_view owner_id, UnixMillis now)
{
    static const std::string sql = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $3) "
                                   "WHERE id = $1 AND owner_id = $2 RETURNING " +
                                   key_columns;
    return read_one(connection_.query(sql, id, owner_id, now), key_from, key_word);
}

Result<void> ApiKeys::set_expiry(std::string_view id, std::string_view owner_id, UnixMillis expires_at)
{
    const auto changed = connection_.execute("UPDATE api_keys SET expires_at = $3 WHERE id = $1 AND owner_id = $2", id,
                                             owner_id, expires_at);
    return must_change(changed, key_word);
}

Result<bool> ApiKeys::touch(std::string_view id, UnixMillis now)
{
    // A clock that went back, or a slower replica, changes nothing, and that is no error.
    const auto later =
        connection_.execute("UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2", id, now);
    if (!later || *later > 0)
        return later ? Result<bool>(false) : later.error();
    const auto first =
        connection_.execute("UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND last_used_at IS NULL", id, now);
    if (!first)
        return first.error();
    return *first > 0;
}

}  // namespace dure::store

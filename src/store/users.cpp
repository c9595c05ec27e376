// Users: SQL beside each method. email_key and username_key hold the lower-case forms that the database keeps unique.
#include "dure/store/users.hpp"

#include "dure/base/text.hpp"
#include "store/columns.hpp"
#include "store/user_row.hpp"

namespace dure::store {

namespace {

const std::string user_columns = "id, email, username, role, password_hash, is_active, is_verified, token_version, "
                                 "created_at, updated_at";

std::optional<std::string> user_name_key(const model::User& user)
{
    return user.username ? std::optional(ascii_lower(*user.username)) : std::nullopt;
}

Result<model::User> one_user(const Result<sql::Rows>& rows)
{
    return read_one(rows, [](const sql::Row& row) { return user_from(row); }, "user");
}

}  // namespace

model::User user_from(const sql::Row& row, const std::string& prefix)
{
    model::User user;
    user.id = row.text(prefix + "id");
    user.email = row.text(prefix + "email");
    user.username = row.maybe_text(prefix + "username");
    user.role = row.text(prefix + "role");
    user.password_hash = row.maybe_text(prefix + "password_hash");
    user.is_active = row.flag(prefix + "is_active");
    user.is_verified = row.flag(prefix + "is_verified");
    user.token_version = row.integer(prefix + "token_version");
    user.created_at = row.integer(prefix + "created_at");
    user.updated_at = row.integer(prefix + "updated_at");
    return user;
}

Result<void> Users::insert(const model::User& user)
{
    return without_count(connection_.execute(
        "INSERT INTO users (id, email, email_key, username, username_key, role, password_hash, is_active, is_verified, "
        "token_version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        user.id, user.email, ascii_lower(user.email), user.username, user_name_key(user), user.role, user.password_hash,
        user.is_active, user.is_verified, user.token_version, user.created_at, user.updated_at));
}

Result<model::User> Users::find(std::string_view id)
{
    static const std::string sql = "SELECT " + user_columns + " FROM users WHERE id = $1";
    return one_user(connection_.query(sql, id));
}

Result<model::User> Users::find_for_update(std::string_view id)
{
    // A change that changes nothing takes the lock of the row on every driver.
    auto locked = must_change(connection_.execute("UPDATE users SET updated_at = updated_at WHERE id = $1", id), "user");
    if (!locked)
        return locked.error();
    return find(id);
}

Result<model::User> Users::find_by_email(std::string_view email)
{
    static const std::string sql = "SELECT " + user_columns + " FROM users WHERE email_key = $1";
    return one_user(connection_.query(sql, ascii_lower(email)));
}

Result<model::User> Users::find_by_login(std::string_view name)
{
    // An address goes first, so that nobody takes a log-in over by choosing it as a user name.
    static const std::string sql = "SELECT " + user_columns +
                                   " FROM users WHERE email_key = $1 OR username_key = $1 "
                                   "ORDER BY CASE WHEN email_key = $1 THEN 0 ELSE 1 END LIMIT 1";
    return one_user(connection_.query(sql, ascii_lower(name)));
}

Result<std::vector<model::User>> Users::list(const Page& page)
{
    static const std::string sql =
        "SELECT " + user_columns + " FROM users WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3";
    const auto start = ascending_start(page);
    return read_all(connection_.query(sql, start.created_at, start.id, limit_of(page)),
                    [](const sql::Row& row) { return user_from(row); });
}

Result<std::int64_t> Users::count()
{
    return read_number(connection_.query("SELECT COUNT(*) FROM users"));
}

Result<bool> Users::any_admin()
{
    const auto count = read_number(
        connection_.query("SELECT COUNT(*) FROM users WHERE role = $1 AND is_active = 1", std::string_view("admin")));
    if (!count)
        return count.error();
    return *count > 0;
}

Result<void> Users::update(const model::User& user)
{
    const auto changed = connection_.execute(
        "UPDATE users SET email = $2, email_key = $3, username = $4, username_key = $5, role = $6, password_hash = $7, "
        "is_active = $8, is_verified = $9, token_version = $10, updated_at = $11 WHERE id = $1",
        user.id, user.email, ascii_lower(user.email), user.username, user_name_key(user), user.role, user.password_hash,
        user.is_active, user.is_verified, user.token_version, user.updated_at);
    return must_change(changed, "user");
}

Result<void> Users::replace_hash(std::string_view id, std::string_view old_hash, std::string_view new_hash)
{
    return without_count(connection_.execute("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
                                             id, old_hash, new_hash));
}

Result<std::int64_t> Users::count_in_role(std::string_view role)
{
    return read_number(connection_.query("SELECT COUNT(*) FROM users WHERE role = $1", role));
}

Result<bool> Users::any_admin_but(std::string_view id)
{
    const auto locked = connection_.execute("UPDATE users SET updated_at = updated_at WHERE role = $1",
                                            std::string_view("admin"));
    if (!locked)
        return locked.error();
    const auto count = read_number(
        connection_.query("SELECT COUNT(*) FROM users WHERE role = $1 AND is_active = 1 AND id <> $2",
                          std::string_view("admin"), id));
    if (!count)
        return count.error();
    return *count > 0;
}

Result<void> Users::remove(std::string_view id)
{
    return must_change(connection_.execute("DELETE FROM users WHERE id = $1", id), "user");
}

}  // namespace dure::store

// Users and roles. E-mail addresses and user names are compared without regard to ASCII case; the database keeps both
// unique. Every repository is made for one unit of work: `store::Users(connection).find(id)`. Missing rows are
// not_found.
#pragma once

#include <vector>

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

class Users {
public:
    explicit Users(sql::Connection& connection) : connection_(connection) {}

    Result<void> insert(const model::User& user);            // conflict: e-mail or user name taken, or unknown role
    Result<model::User> find(std::string_view id);
    // Nobody else changes the row until this unit has ended: for reading, deciding and writing back.
    Result<model::User> find_for_update(std::string_view id);
    Result<model::User> find_by_email(std::string_view email);
    Result<model::User> find_by_login(std::string_view name);   // e-mail or user name
    // Oldest first.
    Result<std::vector<model::User>> list(const Page& page);
    Result<std::int64_t> count();
    Result<bool> any_admin();                                // an active one
    // Every column but id and created_at. conflict as above.
    Result<void> update(const model::User& user);
    // The same password under stronger parameters: tokens live on. Nothing happens when it was changed meanwhile.
    Result<void> replace_hash(std::string_view id, std::string_view old_hash, std::string_view new_hash);
    Result<void> remove(std::string_view id);                // with its keys
    Result<std::int64_t> count_in_role(std::string_view role);
    // Another active admin; the answer stands until this unit has ended.
    Result<bool> any_admin_but(std::string_view id);

private:
    sql::Connection& connection_;
};

class Roles {
public:
    explicit Roles(sql::Connection& connection) : connection_(connection) {}

    Result<void> insert(const model::StoredRole& role);      // conflict: name taken
    Result<model::StoredRole> find(std::string_view name);
    Result<std::vector<model::StoredRole>> list();           // by name
    // Custom roles only; a built-in one is conflict.
    Result<void> set_permissions(std::string_view name, const std::vector<std::string>& permissions, UnixMillis now);
    Result<void> remove(std::string_view name);              // conflict: built in, or still somebody's role

private:
    sql::Connection& connection_;
};

}  // namespace dure::store

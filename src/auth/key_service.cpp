// KeyService over the repositories; see key_service.hpp.
#include "dure/auth/key_service.hpp"

#include <algorithm>

#include "auth/role_lookup.hpp"
#include "dure/auth/api_key.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/base/text.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/api_keys.hpp"

namespace dure::auth {

namespace key_rules {

Error wrong(const char* param, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).reason("invalid_value").param(param);
}

Result<void> check_form(const NewKey& wanted, UnixMillis now)
{
    if (trim(wanted.name).empty() || wanted.name.size() > 200)
        return wrong("name", "A key needs a name of at most 200 bytes.");
    if (wanted.expires_at && *wanted.expires_at <= now)
        return wrong("expires_at", "expires_at must lie in the future.");
    for (const auto& permission : wanted.permissions.value_or(std::vector<std::string>())) {
        if (!is_permission(permission))
            return wrong("permissions", "There is no permission " + to_valid_utf8(utf8_prefix(permission, 60)) + ".");
        if (permission == "users:manage")
            return wrong("permissions",
                         "A key cannot hold users:manage: accounts and keys are for people who logged in.");
    }
    if (wanted.models && wanted.models->size() > 100)
        return wrong("models", "A key may name at most 100 models.");
    if (wanted.models)
        for (const auto& model : *wanted.models)
            if (model.empty() || model.size() > 200)
                return wrong("models", "Names of models have 1 to 200 bytes.");
    return {};
}

Result<void> check_owner(sql::Connection& connection, const std::string& owner_id, const NewKey& wanted, UnixMillis now)
{
    const auto owner = store::Users(connection).find(owner_id);
    if (!owner)
        return owner.error();
    const auto held = permissions_of_role(connection, owner->role);
    if (!held)
        return held.error();
    if (wanted.permissions)
        for (const auto& permission : *wanted.permissions)
            if (std::find(held->begin(), held->end(), permission) == held->end())
                return Error(Errc::permission_denied,
                             "The owner of the key does not have the permission " + permission + ".")
                    .reason("insufficient_permissions")
                    .param("permissions");
    const auto count = store::ApiKeys(connection).count_active(owner_id, now);
    if (!count)
        return count.error();
    if (*count >= KeyService::most_keys)
        return Error(Errc::conflict, "There are too many keys; revoke one first.").reason("too_many_keys");
    return {};
}

}  // namespace key_rules

Result<MadeKey> KeyService::create_in(sql::Connection& connection, const std::string& owner_id, const NewKey& wanted,
                                      UnixMillis now)
{
    if (auto fine = key_rules::check_form(wanted, now); !fine)
        return fine.error();
    if (auto fine = key_rules::check_owner(connection, owner_id, wanted, now); !fine)
        return fine.error();
    MadeKey made{{}, make_api_key()};
    made.record.id = new_id();
    made.record.owner_id = owner_id;
    made.record.name = wanted.name;
    made.record.hash = hash_of_key(made.key.reveal());
    made.record.prefix = prefix_of_key(made.key.reveal());
    made.record.permissions = wanted.permissions;
    made.record.models = wanted.models;
    made.record.created_at = now;
    made.record.expires_at = wanted.expires_at;
    if (auto stored = store::ApiKeys(connection).insert(made.record); !stored)
        return stored.error();
    return made;
}

Task<Result<MadeKey>> KeyService::create(std::string owner_id, NewKey wanted)
{
    const auto now = clock_.now();
    co_return co_await database_.write(
        [&](sql::Connection& connection) { return create_in(connection, owner_id, wanted, now); });
}

Task<Result<std::vector<model::ApiKey>>> KeyService::list(std::string owner_id)
{
    co_return co_await database_.read([&](sql::Connection& connection) {
        store::Page page;
        page.limit = 100;
        return store::ApiKeys(connection).list(owner_id, page);
    });
}

Task<Result<void>> KeyService::revoke(std::string owner_id, std::string key_id)
{
    const auto now = clock_.now();
    const auto revoked = co_await database_.write(
        [&](sql::Connection& connection) { return store::ApiKeys(connection).revoke(key_id, owner_id, now); });
    if (!revoked)
        co_return revoked.error();
    authenticator_.forget_key(revoked->hash);
    co_return Result<void>();
}

}  // namespace dure::auth

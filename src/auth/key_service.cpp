// KeyService over the repositories; see key_service.hpp.
#include "dure/auth/key_service.hpp"

#include <algorithm>
#include <tuple>

#include "auth/role_lookup.hpp"
#include "dure/auth/api_key.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/base/text.hpp"
#include "dure/events/journal.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/api_keys.hpp"
#include "dure/store/events.hpp"

namespace dure::auth {

namespace key_rules {

constexpr std::int64_t most_tokens = 1'000'000'000'000;
constexpr std::int64_t most_cost = 1'000'000'000'000'000;   // nano-dollars: a million dollars

Error wrong(const char* param, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).reason("invalid_value").param(param);
}

Result<void> check_form(const NewKey& wanted, UnixMillis now)
{
    if (trim(wanted.name).empty() || utf8_characters(wanted.name) > 200)
        return wrong("name", "A key needs a name of at most 200 characters.");
    if (wanted.expires_at && *wanted.expires_at <= now)
        return wrong("expires_at", "expires_at must lie in the future.");
    for (const auto& [param, limit, most] : {std::tuple("tokens_per_minute", wanted.limits.tokens_per_minute, most_tokens),
                                             std::tuple("tokens_per_day", wanted.limits.tokens_per_day, most_tokens),
                                             std::tuple("cost_per_day_usd", wanted.limits.cost_per_day, most_cost)})
        if (limit < 0 || limit > most)
            return wrong(param, "The limit must be above 0 and not larger than anybody could use.");
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

// What everybody may know of a key: neither the key nor its hash.
Json shown(const model::ApiKey& key)
{
    Json data = {{"name", key.name}, {"prefix", key.prefix}, {"owner_id", key.owner_id}};
    if (key.permissions)
        data["permissions"] = *key.permissions;
    if (key.models)
        data["models"] = *key.models;
    if (key.expires_at)
        data["expires_at"] = rfc3339(*key.expires_at);
    for (const auto& [name, limit] : {std::pair("tokens_per_minute", key.limits.tokens_per_minute),
                                      std::pair("tokens_per_day", key.limits.tokens_per_day)})
        if (limit > 0)
            data[name] = limit;
    if (key.limits.cost_per_day > 0)
        data["cost_per_day_usd"] = static_cast<double>(key.limits.cost_per_day) / 1e9;
    return data;
}

store::NewEvent event(const model::Actor& actor, const model::ApiKey& key, const char* type, Json data)
{
    return events::event_by(actor, "ApiKey", key.id, type, std::move(data), key.owner_id);
}

// What a new key in the place of this one asks for.
NewKey like(const model::ApiKey& old, UnixMillis now)
{
    NewKey wanted{old.name, old.permissions, old.models, {}, old.limits};
    if (old.expires_at)
        wanted.expires_at = now + (*old.expires_at - old.created_at);
    return wanted;
}

// Two keys side by side are one rotation. To be asked behind the update of the key's row: of two rotations at once the second
// has waited there for the first.
Result<void> check_first_rotation(sql::Connection& connection, const model::ApiKey& key)
{
    const auto history = store::Events(connection).of_aggregate({key.id, "ApiKey", key.owner_id});
    if (!history)
        return history.error();
    for (const auto& event : *history)
        if (event.event_type == "ApiKeyRotated")
            return Error(Errc::conflict, "The key was rotated before; rotate the one that took its place.")
                .reason("key_rotated");
    return {};
}

}  // namespace key_rules

Result<MadeKey> KeyService::create_in(sql::Connection& connection, events::Batch& batch, const std::string& owner_id,
                                      const NewKey& wanted, UnixMillis now, const model::Actor& actor)
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
    made.record.limits = wanted.limits;
    if (auto stored = store::ApiKeys(connection).insert(made.record); !stored)
        return stored.error();
    batch.add(key_rules::event(actor, made.record, "ApiKeyCreated", key_rules::shown(made.record)));
    return made;
}

Task<Result<MadeKey>> KeyService::create(std::string owner_id, NewKey wanted, model::Actor actor)
{
    const auto now = clock_.now();
    co_return co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) {
        return create_in(connection, batch, owner_id, wanted, now, actor);
    });
}

Task<Result<KeyList>> KeyService::list(std::string owner_id, std::int64_t limit, std::int64_t passed)
{
    co_return co_await database_.read([&](sql::Connection& connection) -> Result<KeyList> {
        store::ApiKeys stored(connection);
        auto keys = stored.list(owner_id, limit, passed);
        if (!keys)
            return keys.error();
        const auto total = stored.count(owner_id);
        if (!total)
            return total.error();
        return KeyList{std::move(*keys), *total};
    });
}

Task<Result<void>> KeyService::revoke(std::string owner_id, std::string key_id, model::Actor actor)
{
    auto find = [owner_id = std::move(owner_id), key_id](sql::Connection& connection) {
        return store::ApiKeys(connection).find(key_id, owner_id);
    };
    co_return co_await revoke_found(std::move(find), key_id, std::move(actor));
}

Task<Result<void>> KeyService::revoke_of_anybody(Principal by, std::string key_id, model::Actor actor)
{
    auto find = [by = std::move(by), key_id](sql::Connection& connection) -> Result<model::ApiKey> {
        auto key = store::ApiKeys(connection).find_of_anybody(key_id);
        if (!key || key->owner_id == by.user_id)
            return key;
        const auto owner = store::Users(connection).find(key->owner_id);
        if (!owner)
            return owner.error();
        const auto held = permissions_of_role(connection, owner->role);
        if (!held)
            return held.error();
        if (auto fine = must_hold(by, *held); !fine)
            return fine.error();
        return key;
    };
    co_return co_await revoke_found(std::move(find), key_id, std::move(actor));
}

Task<Result<void>> KeyService::revoke_found(FindKey find, std::string key_id, model::Actor actor)
{
    const auto now = clock_.now();
    const auto revoked =
        co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) -> Result<model::ApiKey> {
            store::ApiKeys keys(connection);
            const auto key = find(connection);
            if (!key)
                return key.error();
            auto ended = keys.revoke(key_id, key->owner_id, now);
            if (ended && !key->revoked_at)
                batch.add(key_rules::event(actor, *key, "ApiKeyRevoked", {{"revoked_at", rfc3339(now)}}));
            return ended;
        });
    if (!revoked)
        co_return revoked.error();
    authenticator_.forget_key(revoked->hash);
    co_return Result<void>();
}

Task<Result<MadeKey>> KeyService::rotate(std::string owner_id, std::string key_id, std::optional<UnixMillis> old_until,
                                         model::Actor actor)
{
    const auto now = clock_.now();
    if (old_until && *old_until < now)
        co_return key_rules::wrong("old_expires_at", "old_expires_at must not lie in the past.");
    std::string old_hash;
    auto made = co_await journal_.write([&](sql::Connection& connection, events::Batch& batch) -> Result<MadeKey> {
        store::ApiKeys keys(connection);
        const auto old = keys.find(key_id, owner_id);
        if (!old)
            return old.error();
        if (old->revoked_at || (old->expires_at && *old->expires_at <= now))
            return Error(Errc::conflict, "The key is no longer in force.").reason("key_not_in_force");
        const auto wanted_end = old_until.value_or(now + std::chrono::milliseconds(overlap).count());
        const auto end = std::min(wanted_end, old->expires_at.value_or(wanted_end));
        if (auto set = keys.set_expiry(key_id, owner_id, end); !set)
            return set.error();
        if (auto fine = key_rules::check_first_rotation(connection, *old); !fine)
            return fine.error();
        auto fresh = create_in(connection, batch, owner_id, key_rules::like(*old, now), now, actor);
        if (!fresh)
            return fresh;
        batch.add(key_rules::event(actor, *old, "ApiKeyRotated",
                                   {{"expires_at", rfc3339(end)}, {"replaced_by", fresh->record.id}}));
        old_hash = old->hash;
        return fresh;
    });
    if (made)
        authenticator_.forget_key(old_hash);
    co_return made;
}

}  // namespace dure::auth

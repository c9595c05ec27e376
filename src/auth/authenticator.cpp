// Authenticator; see authenticator.hpp. The cache holds what the database said about a key's hash; whether the key is still
// good (expired, revoked, owner inactive) is decided at every request.
#include "dure/auth/authenticator.hpp"

#include <array>
#include <mutex>
#include <unordered_map>

#include "dure/auth/api_key.hpp"
#include "dure/auth/roles.hpp"
#include "dure/base/text.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/api_keys.hpp"
#include "dure/store/users.hpp"

namespace dure::auth {

namespace {

constexpr std::int64_t touch_interval = 60'000;   // last_used_at is written at most once a minute (threat-model §4)

Error refused()
{
    return Error(Errc::unauthenticated, "A valid API key is needed: Authorization: Bearer dk_…").reason("invalid_api_key");
}

// The token of "Bearer <token>", the scheme in any case; empty when the header has another form.
std::string_view bearer_token(std::string_view header)
{
    header = trim(header);
    constexpr std::string_view scheme = "bearer";
    if (header.size() <= scheme.size() || !equals_ignoring_case(header.substr(0, scheme.size()), scheme))
        return {};
    if (header[scheme.size()] != ' ')
        return {};
    return trim(header.substr(scheme.size()));
}

struct Known {
    store::KeyAndOwner row;
    std::vector<std::string> role_permissions;
    Steady::time_point until;
    UnixMillis touched_at = 0;
};

// A key never has more than its owner has now.
std::vector<std::string> effective(const Known& known)
{
    if (!known.row.key.permissions)
        return known.role_permissions;
    std::vector<std::string> both;
    for (const auto& permission : *known.row.key.permissions)
        if (std::find(known.role_permissions.begin(), known.role_permissions.end(), permission) != known.role_permissions.end())
            both.push_back(permission);
    return both;
}

Result<Known> look_up(sql::Connection& connection, std::string_view hash)
{
    auto row = store::ApiKeys(connection).find_by_hash(hash);
    if (!row)
        return row.error();
    Known known;
    if (auto builtin = permissions_of_builtin_role(row->owner.role)) {
        known.role_permissions = std::move(*builtin);
    } else {
        auto role = store::Roles(connection).find(row->owner.role);
        if (!role)
            return role.error();
        known.role_permissions = role->permissions.value_or(std::vector<std::string>{});
    }
    known.row = std::move(*row);
    return known;
}

Principal local_developer()
{
    Principal principal;
    principal.user_id = "local";
    principal.role = "developer";
    principal.display = "local";
    principal.permissions = *permissions_of_builtin_role("developer");
    return principal;
}

}  // namespace

struct Authenticator::State {
    State(sql::Database& where, const Clock& time, Logger& log, const config::Auth& auth, Options chosen)
        : database(where), clock(time), logger(log), accounts(auth.accounts), options(chosen)
    {
    }

    struct Shard {
        std::mutex guard;
        std::unordered_map<std::string, std::shared_ptr<const Known>> by_hash;
    };
    static constexpr std::size_t shard_count = 16;

    Shard& shard_of(std::string_view hash) { return shards[std::hash<std::string_view>{}(hash) % shard_count]; }
    std::shared_ptr<const Known> remembered(const std::string& hash);
    void remember(const std::string& hash, std::shared_ptr<const Known> known);
    Task<Result<std::shared_ptr<const Known>>> find(const std::string& hash);
    Task<void> touch(std::string key_id, UnixMillis now);

    sql::Database& database;
    const Clock& clock;
    Logger& logger;
    const bool accounts;
    const Options options;
    std::array<Shard, shard_count> shards;
};

std::shared_ptr<const Known> Authenticator::State::remembered(const std::string& hash)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    const auto found = shard.by_hash.find(hash);
    if (found == shard.by_hash.end())
        return nullptr;
    if (clock.steady_now() >= found->second->until) {
        shard.by_hash.erase(found);
        return nullptr;
    }
    return found->second;
}

void Authenticator::State::remember(const std::string& hash, std::shared_ptr<const Known> known)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    if (shard.by_hash.size() >= std::max<std::size_t>(1, options.entries / shard_count))
        shard.by_hash.clear();   // entries live for seconds: starting over is cheaper than an order of use
    shard.by_hash[hash] = std::move(known);
}

Task<Result<std::shared_ptr<const Known>>> Authenticator::State::find(const std::string& hash)
{
    if (auto known = remembered(hash))
        co_return known;
    auto row = co_await database.read([&](sql::Connection& connection) { return look_up(connection, hash); });
    if (!row && row.error().code() == Errc::not_found)
        co_return refused();
    if (!row)
        co_return row.error();
    row->until = clock.steady_now() + options.remembered;
    row->touched_at = row->row.key.last_used_at.value_or(0);
    const auto now = clock.now();
    if (now - row->touched_at >= touch_interval) {
        row->touched_at = now;
        co_await touch(row->row.key.id, now);
    }
    auto known = std::make_shared<const Known>(std::move(*row));
    remember(hash, known);
    co_return known;
}

// At most once a minute and key, so it may be waited for; a failure is no reason to refuse the caller.
Task<void> Authenticator::State::touch(std::string key_id, UnixMillis now)
{
    const auto written = co_await database.write(
        [&](sql::Connection& connection) { return store::ApiKeys(connection).touch(key_id, now); });
    if (!written)
        logger.warn("last use of an API key could not be written", {{"key_id", key_id}, {"detail", written.error().message()}});
}

Authenticator::Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings)
    : Authenticator(database, clock, logger, settings, Options{})
{
}

Authenticator::Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings,
                             Options options)
    : state_(std::make_shared<State>(database, clock, logger, settings, options))
{
}

Authenticator::~Authenticator() = default;

Task<Result<Principal>> Authenticator::authenticate(std::optional<std::string_view> authorization)
{
    if (!state_->accounts)
        co_return local_developer();
    const auto token = bearer_token(authorization.value_or(""));
    if (!well_formed(token))
        co_return refused();
    const auto hash = hash_of_key(token);
    const auto known = co_await state_->find(hash);
    if (!known)
        co_return known.error();
    const auto& key = (*known)->row.key;
    const auto& owner = (*known)->row.owner;
    const bool expired = key.expires_at && *key.expires_at <= state_->clock.now();
    if (key.revoked_at || expired || !owner.is_active)
        co_return refused();
    Principal principal;
    principal.user_id = owner.id;
    principal.key_id = key.id;
    principal.role = owner.role;
    principal.display = owner.email;
    principal.permissions = effective(**known);
    principal.models = key.models;
    co_return principal;
}

void Authenticator::forget_key(std::string_view hash)
{
    auto& shard = state_->shard_of(hash);
    const std::lock_guard lock(shard.guard);
    shard.by_hash.erase(std::string(hash));
}

void Authenticator::forget_user(std::string_view user_id)
{
    for (auto& shard : state_->shards) {
        const std::lock_guard lock(shard.guard);
        std::erase_if(shard.by_hash, [&](const auto& entry) { return entry.second->row.owner.id == user_id; });
    }
}

}  // namespace dure::auth

// Authenticator: header, cache, database; see authenticator.hpp.
#include "dure/auth/authenticator.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include "auth/key_cache.hpp"
#include "auth/role_lookup.hpp"
#include "dure/auth/api_key.hpp"
#include "dure/base/text.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/api_keys.hpp"

namespace dure::auth {

namespace callers {

constexpr UnixMillis usage_interval = 60000;

Error refusal(const char* message)
{
    return Error(Errc::unauthenticated, message).reason("invalid_api_key");
}

Error wrong_key()
{
    return refusal("Incorrect API key provided.");   // one sentence for every cause: nothing to learn from it
}

// The credential of "Bearer <key>"; empty on any other form.
std::string_view bearer_of(std::string_view header)
{
    header = trim(header);
    const auto space = header.find(' ');
    if (space == std::string_view::npos || !equals_ignoring_case(header.substr(0, space), "bearer"))
        return {};
    return trim(header.substr(space + 1));
}

// What a key may do: what it was given, as far as its owner has it now. Accounts and keys are for people who logged in.
std::vector<std::string> granted(std::vector<std::string> of_role, const model::ApiKey& key)
{
    std::erase_if(of_role, [&](const std::string& permission) {
        const bool given = !key.permissions || std::find(key.permissions->begin(), key.permissions->end(),
                                                         permission) != key.permissions->end();
        return !given || permission == "users:manage";
    });
    return of_role;
}

Principal local_developer()
{
    Principal principal;
    principal.user_id = "local";
    principal.role = "developer";
    principal.display = "local";
    principal.permissions = permissions_of_builtin_role("developer").value();
    return principal;
}

struct Found {
    store::KeyAndOwner row;
    std::vector<std::string> of_role;
};

Result<Found> read(sql::Connection& connection, const std::string& hash)
{
    auto row = store::ApiKeys(connection).find_by_hash(hash);
    if (!row)
        return row.error();
    auto of_role = permissions_of_role(connection, row->owner.role);
    if (!of_role)
        return of_role.error();
    return Found{std::move(*row), std::move(*of_role)};
}

}  // namespace callers

struct Authenticator::State : std::enable_shared_from_this<Authenticator::State> {
    State(sql::Database& db, const Clock& time, Logger& log, const config::Auth& settings, const Options& options)
        : database(db), clock(time), logger(log), accounts(settings.accounts),
          cache(options.entries, options.remembered)
    {}

    Task<Result<std::shared_ptr<KnownCaller>>> look_up(std::string hash)
    {
        const auto generation = cache.generation();
        const auto now = clock.now();
        auto found =
            co_await database.read([&](sql::Connection& connection) { return callers::read(connection, hash); });
        if (!found && found.error().code() == Errc::not_found)
            co_return callers::wrong_key();
        if (!found)
            co_return found.error();
        const auto& [row, of_role] = *found;
        if (row.key.revoked_at || !row.owner.is_active || (row.key.expires_at && *row.key.expires_at <= now))
            co_return callers::wrong_key();
        Principal principal;
        principal.user_id = row.owner.id;
        principal.key_id = row.key.id;
        principal.role = row.owner.role;
        principal.display = row.owner.email;
        principal.permissions = callers::granted(of_role, row.key);
        principal.models = row.key.models;
        auto caller = std::make_shared<KnownCaller>(std::move(principal), row.key.expires_at,
                                                    row.key.last_used_at.value_or(0), clock.steady_now());
        cache.store(hash, caller, generation);
        co_return caller;
    }

    // At most once a minute for a key; the request does not wait for it.
    Task<void> note_use(KnownCaller& caller)
    {
        const auto now = clock.now();
        auto before = caller.last_used.load();
        if (now - before < callers::usage_interval || !caller.last_used.compare_exchange_strong(before, now))
            co_return;
        const auto executor = co_await boost::asio::this_coro::executor;
        boost::asio::co_spawn(executor, write_use(shared_from_this(), caller.principal.key_id, now),
                              boost::asio::detached);
    }

    static Task<void> write_use(std::shared_ptr<State> self, std::string key_id, UnixMillis now)
    {
        std::string failure;
        try {
            const auto written = co_await self->database.write(
                [&](sql::Connection& connection) { return store::ApiKeys(connection).touch(key_id, now); });
            if (!written)
                failure = written.error().message() + " " + written.error().detail();
        } catch (const std::exception& error) {
            failure = error.what();
        }
        if (!failure.empty())
            self->logger.warn("last use of a key not written", {{"key_id", key_id}, {"detail", failure}});
    }

    sql::Database& database;
    const Clock& clock;
    Logger& logger;
    const bool accounts;
    KeyCache cache;
};

Authenticator::Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings)
    : Authenticator(database, clock, logger, settings, Options())
{}

Authenticator::Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings,
                             Options options)
    : state_(std::make_shared<State>(database, clock, logger, settings, options))
{}

Authenticator::~Authenticator() = default;

Task<Result<Principal>> Authenticator::authenticate(std::optional<std::string_view> authorization)
{
    const auto state = state_;
    if (!state->accounts)
        co_return callers::local_developer();
    if (!authorization || trim(*authorization).empty())
        co_return callers::refusal("You didn't provide an API key: send it as Authorization: Bearer <key>.");
    const auto key = callers::bearer_of(*authorization);
    if (!well_formed(key))
        co_return callers::wrong_key();
    const auto hash = hash_of_key(key);
    auto caller = state->cache.find(hash, state->clock.steady_now());
    if (!caller) {
        auto found = co_await state->look_up(hash);
        if (!found)
            co_return found.error();
        caller = std::move(*found);
    }
    if (caller->expires_at && *caller->expires_at <= state->clock.now())
        co_return callers::wrong_key();
    co_await state->note_use(*caller);
    co_return caller->principal;
}

void Authenticator::forget_key(std::string_view hash)
{
    state_->cache.forget_key(hash);
}

void Authenticator::forget_user(std::string_view user_id)
{
    state_->cache.forget_user(user_id);
}

}  // namespace dure::auth

// Authenticator: header, key or token, cache, database; see authenticator.hpp.
#include "dure/auth/authenticator.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include "auth/key_cache.hpp"
#include "auth/role_lookup.hpp"
#include "dure/auth/api_key.hpp"
#include "dure/auth/guess_limiter.hpp"
#include "dure/auth/tokens.hpp"
#include "dure/base/text.hpp"
#include "dure/events/journal.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/api_keys.hpp"
#include "dure/store/ended_tokens.hpp"

namespace dure::auth {

namespace callers {

constexpr UnixMillis usage_interval = 60000;
constexpr std::chrono::hours longest_trust_without_database{1};

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

Error too_many_guesses(std::chrono::seconds wait)
{
    return Error(Errc::rate_limited, "Too many wrong credentials came from this address.")
        .retry_after(wait);
}

struct Found {
    store::KeyAndOwner row;
    std::vector<std::string> of_role;
};

struct LoggedIn {
    model::User user;
    std::vector<std::string> of_role;
};

// The user of a token, as far as it is still good: not_found otherwise.
Result<LoggedIn> read_user(sql::Connection& connection, const Claims& claims)
{
    auto user = store::Users(connection).find(claims.subject);
    if (!user)
        return user.error();
    const auto ended = store::EndedTokens(connection).contains(claims.id);
    if (!ended)
        return ended.error();
    if (*ended || !user->is_active || user->token_version != claims.version)
        return Error(Errc::not_found, "The token was ended.");
    auto of_role = permissions_of_role(connection, user->role);
    if (!of_role)
        return of_role.error();
    return LoggedIn{std::move(*user), std::move(*of_role)};
}

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
        : database(db), clock(time), logger(log), accounts(settings.accounts), tokens(options.tokens),
          guesses(options.guesses), journal(options.journal), cache(options.entries, options.remembered)
    {}

    // A key or token that nobody was given: the refusal, or a later one when there were too many from this address.
    Task<Error> wrong_guess(std::string_view address)
    {
        if (guesses)
            if (const auto verdict = co_await guesses->begin({}, std::string(address)); verdict.wait)
                co_return callers::too_many_guesses(*verdict.wait);
        co_return callers::wrong_key();
    }

    Task<Result<std::shared_ptr<KnownCaller>>> look_up_token(Sha256 hash, std::string_view token,
                                                             std::string_view address)
    {
        const auto checked = tokens->access.check(token, clock.now());
        if (checked.fault == TokenFault::signature)
            co_return co_await wrong_guess(address);
        if (checked.fault != TokenFault::none)
            co_return callers::wrong_key();
        const auto generation = cache.generation();
        auto found = co_await database.read(
            [&](sql::Connection& connection) { return callers::read_user(connection, checked.claims); });
        if (!found && found.error().code() == Errc::not_found)
            co_return callers::wrong_key();
        if (!found)
            co_return found.error();
        const auto until = checked.claims.expires_at + std::chrono::milliseconds(TokenSigner::leeway).count();
        Principal principal;
        principal.user_id = found->user.id;
        principal.token_id = checked.claims.id;
        principal.token_expires_at = until;
        principal.role = found->user.role;
        principal.display = found->user.email;
        principal.permissions = std::move(found->of_role);
        auto caller = std::make_shared<KnownCaller>(std::move(principal), until, 0, clock.steady_now());
        cache.store(hash, caller, generation);
        co_return caller;
    }

    Task<Result<std::shared_ptr<KnownCaller>>> look_up(Sha256 hash, std::string_view address)
    {
        const auto stored_hash = hex({reinterpret_cast<const char*>(hash.data()), hash.size()});   // as hash_of_key()
        const auto generation = cache.generation();
        const auto now = clock.now();
        auto found =
            co_await database.read([&](sql::Connection& connection) { return callers::read(connection, stored_hash); });
        if (!found && found.error().code() == Errc::not_found)
            co_return co_await wrong_guess(address);
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
        principal.limits = row.key.limits;
        auto caller = std::make_shared<KnownCaller>(std::move(principal), row.key.expires_at,
                                                    row.key.last_used_at.value_or(0), clock.steady_now());
        cache.store(hash, caller, generation);
        co_return caller;
    }

    // At most once a minute for a key; the request does not wait for it.
    Task<void> note_use(KnownCaller& caller, std::string_view address, std::string_view request_id)
    {
        if (caller.principal.key_id.empty())
            co_return;
        const auto now = clock.now();
        auto before = caller.last_used.load();
        const auto since = now - before;
        const auto left = since < callers::usage_interval ? callers::usage_interval - since : callers::usage_interval;
        caller.noted_until = clock.steady_now() + std::chrono::milliseconds(left);
        if (since < callers::usage_interval || !caller.last_used.compare_exchange_strong(before, now))
            co_return;
        const auto executor = co_await boost::asio::this_coro::executor;
        model::Actor actor{caller.principal.user_id, caller.principal.key_id, std::string(request_id), std::string(address)};
        boost::asio::co_spawn(executor, write_use(shared_from_this(), std::move(actor), now), boost::asio::detached);
    }

    // The first use of all is an event.
    Task<Result<bool>> store_use(const model::Actor& who, UnixMillis now)
    {
        const auto touch = [&](sql::Connection& connection) {
            return store::ApiKeys(connection).touch(who.key_id, now);
        };
        if (!journal)
            co_return co_await database.write(touch);
        co_return co_await journal->write([&](sql::Connection& connection, events::Batch& batch) -> Result<bool> {
            auto first = touch(connection);
            if (first && *first)
                batch.add(events::event_by(who, "ApiKey", who.key_id, "ApiKeyFirstUsed",
                                           {{"first_used_at", rfc3339(now)}}, who.user_id));
            return first;
        });
    }

    static Task<void> write_use(std::shared_ptr<State> self, model::Actor who, UnixMillis now)
    {
        const auto& key_id = who.key_id;
        std::string failure;
        try {
            const auto written = co_await self->store_use(who, now);
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
    const std::shared_ptr<const Tokens> tokens;
    GuessLimiter* const guesses;
    events::Journal* const journal;
    KeyCache cache;
    const std::shared_ptr<const Principal> local = std::make_shared<const Principal>(callers::local_developer());
    std::function<void(std::string)> announce;   // empty: there are no other replicas

    void tell(std::string_view kind, std::string_view who) const
    {
        if (announce)
            announce(std::string(kind) + std::string(who));
    }
};

Authenticator::Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings)
    : Authenticator(database, clock, logger, settings, Options())
{}

Authenticator::Authenticator(sql::Database& database, const Clock& clock, Logger& logger, const config::Auth& settings,
                             Options options)
    : state_(std::make_shared<State>(database, clock, logger, settings, options))
{}

Authenticator::~Authenticator() = default;

std::shared_ptr<const Principal> Authenticator::remembered(std::optional<std::string_view> authorization) const
{
    const auto& state = *state_;
    if (!state.accounts)
        return state.local;
    if (!authorization)
        return nullptr;
    const auto now = state.clock.steady_now();
    auto caller = state_->cache.find(sha256_digest(callers::bearer_of(*authorization)), now);
    const bool good = caller && !(caller->expires_at && *caller->expires_at <= state.clock.now()) &&
                      (caller->principal.key_id.empty() || now < caller->noted_until.load(std::memory_order_relaxed));
    if (!good)
        return nullptr;
    return {caller, &caller->principal};
}

std::shared_ptr<const Principal> Authenticator::last_known(std::optional<std::string_view> authorization) const
{
    const auto& state = *state_;
    if (!authorization)
        return nullptr;
    auto caller = state_->cache.find_old(sha256_digest(callers::bearer_of(*authorization)));
    const bool good = caller && !(caller->expires_at && *caller->expires_at <= state.clock.now()) &&
                      state.clock.steady_now() - caller->read_at < callers::longest_trust_without_database;
    return good ? std::shared_ptr<const Principal>{caller, &caller->principal} : nullptr;
}

Task<Result<Principal>> Authenticator::authenticate(std::optional<std::string_view> authorization,
                                                    std::string_view address, std::string_view request_id)
{
    const auto state = state_;
    if (!state->accounts)
        co_return *state->local;
    if (!authorization || trim(*authorization).empty())
        co_return callers::refusal("You didn't provide an API key: send it as Authorization: Bearer <key>.");
    const auto credential = callers::bearer_of(*authorization);
    const auto hash = sha256_digest(credential);
    auto caller = state->cache.find(hash, state->clock.steady_now());
    if (!caller) {
        const bool is_key = well_formed(credential);
        if (!is_key && (!state->tokens || !looks_like_token(credential)))
            co_return callers::wrong_key();   // no guess: neither key nor token can look like this
        auto found = is_key ? co_await state->look_up(hash, address)
                            : co_await state->look_up_token(hash, credential, address);
        if (!found) {
            if (found.error().code() == Errc::unauthenticated)
                state->cache.drop(hash);
            co_return found.error();
        }
        caller = std::move(*found);
    }
    if (caller->expires_at && *caller->expires_at <= state->clock.now())
        co_return callers::wrong_key();
    co_await state->note_use(*caller, address, request_id);
    co_return caller->principal;
}

void Authenticator::forget_key(std::string_view hash)
{
    state_->cache.forget_key(hash);
    state_->tell("key:", hash);
}

void Authenticator::forget_user(std::string_view user_id)
{
    state_->cache.forget_user(user_id);
    state_->tell("user:", user_id);
}

void Authenticator::forget_role(std::string_view role)
{
    state_->cache.forget_role(role);
    state_->tell("role:", role);
}

void Authenticator::announce_with(std::function<void(std::string announcement)> announce)
{
    state_->announce = std::move(announce);
}

void Authenticator::hear(std::string_view announcement)
{
    const auto colon = announcement.find(':');
    if (colon == std::string_view::npos)
        return;
    const auto kind = announcement.substr(0, colon);
    const auto who = announcement.substr(colon + 1);
    if (kind == "key")
        state_->cache.forget_key(who);
    else if (kind == "user")
        state_->cache.forget_user(who);
    else if (kind == "role")
        state_->cache.forget_role(who);
}

}  // namespace dure::auth

// The choice between Redis and this process; see sharing.hpp.
#include "app/sharing.hpp"

#include <boost/system/system_error.hpp>

namespace dure::app {

namespace {

constexpr const char* revocation_channel = "dure:revocations";

}  // namespace

Result<Sharing> make_sharing(const config::Settings& settings, sql::Database& database, Cores& cores,
                             const Clock& clock, Logger& logger)
{
    Sharing sharing;
    sharing.tickets =
        database.dialect() == sql::Dialect::postgres ? auth::stored_tickets(database) : auth::in_process_tickets();
    if (settings.redis.url.empty()) {
        sharing.live_sessions = sessions::in_process_sessions(clock, settings.sessions.ttl);
        sharing.limiter = auth::in_process_limiter(clock);
        sharing.guesses = auth::in_process_guesses(clock, settings.limits);
        sharing.bus = events::in_process_bus();
        return sharing;
    }
    auto address = redis::parse_address(settings.redis.url.reveal());
    if (!address)
        return address.error();
    redis::ClientOptions options;
    options.extra_ca_file = settings.redis.ca_file;
    try {
        sharing.redis = std::make_shared<redis::Client>(cores, std::move(*address), logger, options);
    } catch (const boost::system::system_error& error) {
        return Error(Errc::invalid_argument,
                     "redis.ca_file \"" + options.extra_ca_file + "\" cannot be read: " + error.code().message());
    }
    sharing.live_sessions = sessions::redis_sessions(*sharing.redis, logger, settings.sessions.ttl);
    sharing.limiter = auth::redis_limiter(*sharing.redis, clock);
    sharing.guesses = auth::redis_guesses(*sharing.redis, clock, settings.limits);
    sharing.bus = events::redis_bus(*sharing.redis);
    sharing.tickets = auth::redis_tickets(*sharing.redis, std::move(sharing.tickets));
    return sharing;
}

std::unique_ptr<model::Budget> make_budget(const Sharing& sharing, auth::BudgetParts parts)
{
    return sharing.redis ? auth::redis_budget(*sharing.redis, std::move(parts))
                         : auth::in_process_budget(std::move(parts));
}

void share_revocations(const Sharing& sharing, auth::Authenticator& authenticator)
{
    if (!sharing.redis)
        return;
    authenticator.announce_with([redis = sharing.redis](std::string announcement) {
        redis->publish(revocation_channel, std::move(announcement));
    });
    sharing.redis->subscribe(revocation_channel,
                             {[&authenticator](std::string_view announcement) { authenticator.hear(announcement); }});
}

}  // namespace dure::app

// One turn of a session as the chat takes it: the live session is read, then the turn with its messages and its event written.
#include "dure/redis/client.hpp"
#include "dure/sessions/live_sessions.hpp"
#include "dure/sessions/service.hpp"
#include "events/common.hpp"

namespace bench {

namespace {

struct Times {
    std::vector<double> read, write;   // microseconds
};

dure::Task<void> take_turns(dure::sessions::SessionService& sessions, std::string owner, dure::Steady::time_point end,
                            Times& times)
{
    const auto session = must(co_await sessions.create(owner, {"measured", "mock"}), "create");
    while (dure::Steady::now() < end) {
        const auto begin = dure::Steady::now();
        must(co_await sessions.conversation(owner, session.id), "read");
        const auto read = dure::Steady::now();
        dure::sessions::TurnRecord turn;
        turn.session_id = session.id;
        turn.owner_id = owner;
        turn.user_text = "What is the capital of Korea, and how many people live there?";
        turn.assistant_text = std::string(600, 'a');
        turn.model = "mock";
        must(co_await sessions.record_turn(std::move(turn)), "write");
        times.read.push_back(std::chrono::duration<double, std::micro>(read - begin).count());
        times.write.push_back(seconds_since(read) * 1e6);
    }
}

}  // namespace

void measure_sessions(const std::string& place, const std::string& redis_url)
{
    const auto database = open_database(place);
    const auto bus = dure::events::in_process_bus();
    const dure::SystemClock clock;
    dure::events::Journal journal(*database, *bus, clock);
    dure::Logger logger{{}};
    dure::Cores cores(2);
    std::unique_ptr<dure::redis::Client> redis;
    if (!redis_url.empty())
        redis = std::make_unique<dure::redis::Client>(cores, must(dure::redis::parse_address(redis_url), "redis"), logger);
    const std::chrono::hours kept(1);
    dure::config::Sessions settings;
    settings.max_turns = 1'000'000'000;   // nobody summarises here
    dure::sessions::SessionService sessions(*database, journal,
                                            redis ? dure::sessions::redis_sessions(*redis, logger, kept)
                                                  : dure::sessions::in_process_sessions(clock, kept),
                                            settings, clock);
    cores.start();
    for (const std::size_t callers : {1u, 16u}) {
        std::vector<Times> times(callers);
        const auto begin = dure::Steady::now();
        run_all(cores, callers, [&](std::size_t caller) {
            return take_turns(sessions, "user-" + std::to_string(callers) + "-" + std::to_string(caller),
                              begin + std::chrono::seconds(5), times[caller]);
        });
        Times all;
        for (const auto& one : times) {
            all.read.insert(all.read.end(), one.read.begin(), one.read.end());
            all.write.insert(all.write.end(), one.write.begin(), one.write.end());
        }
        std::printf("session%s, %2zu callers: %6.0f turns/s, read %.0f µs (p99 %.0f), write %.0f µs (p99 %.0f)\n",
                    redis ? " in Redis" : "", callers, static_cast<double>(all.read.size()) / seconds_since(begin),
                    percentile(all.read, 0.5), percentile(all.read, 0.99), percentile(all.write, 0.5),
                    percentile(all.write, 0.99));
    }
    cores.stop();
    cores.join();
}

}  // namespace bench

// Live sessions in Redis: two replicas on one database and one Redis that is flushed, killed, frozen and filled with
// nonsense. What SQL has is what every conversation shows, whatever Redis does.
#include <gtest/gtest.h>

#include <set>

#include "dure/base/log.hpp"
#include "dure/events/journal.hpp"
#include "dure/redis/client.hpp"
#include "dure/sessions/service.hpp"
#include "dure/sql/migrator.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"
#include "support/databases.hpp"
#include "support/redis_client.hpp"
#include "support/redis_process.hpp"
#include "support/run_on_core.hpp"

namespace dure::sessions {
namespace {

redis::ClientOptions redis_options()
{
    redis::ClientOptions options;
    options.command = std::chrono::milliseconds(100);
    options.connect = std::chrono::milliseconds(500);
    options.probe = std::chrono::milliseconds(100);
    return options;
}

class RedisSessionsTest : public testing::Test {
protected:
    template <class F>
    auto on_core(F make_task)
    {
        using Outcome = typename decltype(make_task())::value_type;
        std::optional<typename Outcome::value_type> value;
        const std::function<Task<void>()> job = [&]() -> Task<void> { value.emplace((co_await make_task()).value()); };
        test::run_on_core(cores, job);
        return std::move(*value);
    }

    RedisSessionsTest()
    {
        sql::SqliteOptions options;
        options.path = ":memory:";
        database = sql::open_sqlite(std::move(options)).value();
        EXPECT_TRUE(sql::migrate(*database, store::migrations(), clock.now()));
        journal.emplace(*database, *bus, clock);
        cores.start();
        for (auto* client : {&first, &second})
            client->emplace(cores, redis::parse_address(server.url()).value(), logger, redis_options());
        for (auto* client : {&first, &second})
            replicas.push_back(std::make_unique<SessionService>(
                *database, *journal, redis_sessions(**client, logger, settings.ttl), settings, clock));
        session = on_core([this] { return replicas[0]->create("u1", {"a title", ""}); });
    }
    // The coroutines of the cores use the clients, the clients their lanes.
    ~RedisSessionsTest() override
    {
        cores.stop();
        cores.join();
    }

    RecordedTurn turn_on(int replica, const std::string& text, const std::string& key = {})
    {
        TurnRecord record;
        record.session_id = session.id;
        record.owner_id = "u1";
        record.turn_key = key;
        record.user_text = "q " + text;
        record.assistant_text = "a " + text;
        return on_core([&] { return replicas[static_cast<std::size_t>(replica)]->record_turn(record); });
    }

    // "q 1, a 1, …" as the replica would tell a model.
    std::string seen_by(int replica)
    {
        const auto live =
            on_core([&] { return replicas[static_cast<std::size_t>(replica)]->conversation("u1", session.id); });
        std::string text = live.summary.empty() ? "" : "(" + live.summary + ") ";
        for (const auto& message : live.messages)
            text += (text.empty() || text.ends_with(' ') ? "" : ", ") + message.content;
        return text;
    }

    std::string key() const { return "dure:session:" + session.id; }

    SystemClock clock;
    config::Sessions settings;
    Logger logger{test::errors_only()};
    test::RedisProcess server;
    std::unique_ptr<sql::Database> database;
    std::unique_ptr<events::Bus> bus = events::in_process_bus();
    std::optional<events::Journal> journal;
    Cores cores{1};
    const test::ClosesFirst closing{database};
    std::optional<redis::Client> first;
    std::optional<redis::Client> second;
    std::vector<std::unique_ptr<SessionService>> replicas;
    model::Session session;
};

TEST_F(RedisSessionsTest, KeepsTheSessionAsTheDocumentedJsonForASlidingHour)
{
    turn_on(0, "1");
    seen_by(0);
    turn_on(0, "2");
    const auto body = Json::parse(server.ask("GET " + key()));
    EXPECT_EQ(body.at("session_id"), session.id);
    EXPECT_EQ(body.at("created_at"), rfc3339(session.created_at));
    ASSERT_EQ(body.at("messages").size(), 4u);
    EXPECT_EQ(body.at("messages")[2].at("role"), "user");
    EXPECT_EQ(body.at("messages")[2].at("content"), "q 2");
    EXPECT_TRUE(parse_rfc3339(body.at("messages")[2].at("timestamp").get<std::string>()));
    EXPECT_TRUE(body.at("messages")[3].at("metadata").is_object());
    EXPECT_EQ(body.at("context").at("last_action"), "answered");
    EXPECT_FALSE(server.ask("GET " + key()).find(session.token) != std::string::npos);
    EXPECT_EQ(server.ask("PEXPIRE " + key() + " 5000"), ":1");
    seen_by(1);   // use moves the end away again
    EXPECT_GT(std::stoll(server.ask("PTTL " + key()).substr(1)), 3'000'000);
}

TEST_F(RedisSessionsTest, ASessionBegunOnOneReplicaGoesOnOnTheOther)
{
    turn_on(0, "1");
    EXPECT_EQ(seen_by(1), "q 1, a 1");
    turn_on(1, "2");
    EXPECT_EQ(seen_by(0), "q 1, a 1, q 2, a 2");
    turn_on(0, "3", "k");
    turn_on(1, "3 again", "k");   // regenerated over there
    EXPECT_EQ(seen_by(0), "q 1, a 1, q 2, a 2, q 3, a 3, a 3 again");
    on_core([&]() -> Task<Result<bool>> {
        EXPECT_TRUE(co_await replicas[1]->add_summary("u1", session.id, "so far", 2, "mock"));
        co_return true;
    });
    EXPECT_EQ(seen_by(0), "(so far) q 3, a 3, a 3 again");
}

TEST_F(RedisSessionsTest, KeepsTheNewestMessagesOnly)
{
    std::string expected;
    for (int i = 1; i <= 15; ++i) {
        turn_on(i % 2, std::to_string(i));
        seen_by(0);
        if (i > 5)
            expected += (i > 6 ? ", q " : "q ") + std::to_string(i) + ", a " + std::to_string(i);
    }
    EXPECT_EQ(seen_by(1), expected);
    EXPECT_EQ(Json::parse(server.ask("GET " + key())).at("messages").size(), 20u);
}

TEST_F(RedisSessionsTest, ASummaryLeavesTheLiveCopyWithItsNewestMessages)
{
    for (int i = 1; i <= 12; ++i)
        turn_on(0, std::to_string(i));
    on_core([&]() -> Task<Result<bool>> {
        EXPECT_TRUE(co_await replicas[0]->add_summary("u1", session.id, "so far", 12, "mock"));
        co_return true;
    });
    const auto live = [&] { return Json::parse(server.ask("GET " + key())).at("messages"); };
    ASSERT_EQ(live().size(), 20u);
    EXPECT_EQ(live().back().at("content"), "a 12");
    EXPECT_EQ(Json::parse(server.ask("GET " + key())).at("context").at("last_action"), "answered");
    EXPECT_EQ(seen_by(1), "(so far) ");   // a model is not told twice
    turn_on(1, "13");
    EXPECT_EQ(live().size(), 20u);
    EXPECT_EQ(live().front().at("content"), "q 4");
    EXPECT_EQ(seen_by(0), "(so far) q 13, a 13");
}

TEST_F(RedisSessionsTest, AFlushOrAKillLosesNothing)
{
    turn_on(0, "1");
    EXPECT_EQ(server.ask("FLUSHALL"), "+OK");
    EXPECT_EQ(seen_by(0), "q 1, a 1");
    server.kill();
    turn_on(1, "2");
    EXPECT_EQ(seen_by(0), "q 1, a 1, q 2, a 2");
    server.start();
    turn_on(0, "3");
    EXPECT_EQ(seen_by(1), "q 1, a 1, q 2, a 2, q 3, a 3");
}

TEST_F(RedisSessionsTest, WhatRedisKeptWhileItWasFrozenIsNotTakenForNew)
{
    turn_on(0, "1");
    EXPECT_EQ(seen_by(0), "q 1, a 1");
    server.freeze();
    turn_on(0, "2");
    EXPECT_EQ(seen_by(0), "q 1, a 1, q 2, a 2");
    server.thaw();
    EXPECT_EQ(seen_by(1), "q 1, a 1, q 2, a 2");
    turn_on(1, "3");
    EXPECT_EQ(seen_by(0), "q 1, a 1, q 2, a 2, q 3, a 3");
}

TEST_F(RedisSessionsTest, NonsenseInRedisIsAMiss)
{
    turn_on(0, "1");
    for (const auto* nonsense : {"SET %s x", "SET %s {}", "SET %s []", "SET %s null", "SET %s {\"session_id\":1}",
                                 "SET %s {\"session_id\":\"a\",\"dure\":{}}", "LPUSH %s a"}) {
        std::string command(nonsense);
        command.replace(command.find("%s"), 2, key());
        server.ask("DEL " + key());
        server.ask(command);
        EXPECT_EQ(seen_by(0), "q 1, a 1") << nonsense;
    }
}

TEST_F(RedisSessionsTest, AnotherOwnerFindsNothingInTheSharedCopy)
{
    turn_on(0, "1");
    seen_by(0);
    const std::function<Task<void>()> job = [&]() -> Task<void> {
        const auto foreign = co_await replicas[1]->conversation("u2", session.id);
        EXPECT_EQ(foreign.error().code(), Errc::not_found);
    };
    test::run_on_core(cores, job);
}

TEST_F(RedisSessionsTest, ReplicasThatWriteAtTheSameTimeNeverShowLessThanWhatIsStored)
{
    std::set<std::string> stored;
    bool complete = true;
    const auto write = [&](int replica) -> Task<void> {
        for (int i = 0; i < 40; ++i) {
            TurnRecord record;
            record.session_id = session.id;
            record.owner_id = "u1";
            record.user_text = "q";
            record.assistant_text = std::to_string(replica) + ":" + std::to_string(i);
            const auto service = replicas[static_cast<std::size_t>(replica)].get();
            (co_await service->record_turn(record)).value();
            stored.insert(record.assistant_text);
            const auto must_be_there = stored;
            const auto live = (co_await service->conversation("u1", session.id)).value();
            std::multiset<std::string> seen;
            for (const auto& message : live.messages)
                if (message.role == "assistant")
                    seen.insert(message.content);
            std::size_t known = 0;
            for (const auto& text : must_be_there)
                known += seen.count(text);
            complete = complete && known >= std::min<std::size_t>(must_be_there.size(), 8) &&
                       std::set<std::string>(seen.begin(), seen.end()).size() == seen.size();
        }
    };
    const std::function<Task<void>()> one = [&] { return write(0); };
    const std::function<Task<void>()> other = [&] { return write(1); };
    test::Running a(cores, one);
    test::Running b(cores, other);
    a.wait();
    b.wait();
    EXPECT_TRUE(complete);
    EXPECT_EQ(stored.size(), 80u);
}

}  // namespace
}  // namespace dure::sessions

// Redis killed, flushed and frozen while chats of sessions run (threat-model §9): every request is answered as if
// nothing were, nothing that was acknowledged is missing, and the server uses Redis again by itself.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/health_probe.hpp"
#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace redis_outages {

using namespace std::chrono_literals;

std::string configuration(const RedisProcess& redis)
{
    return "[log]\nlevel = \"info\"\n[redis]\nurl = \"" + redis.url() +
           "\"\n[limits.admin]\nchat_per_minute = 1000000\nrequests_per_minute = 1000000\n";
}

// Asks in one session after the other until it is told to stop; counts what was acknowledged.
class Load {
public:
    explicit Load(const ServerProcess& server) : server_(server), thread_([this] { run(); }) {}
    ~Load() { stop(); }
    void stop()
    {
        stopped_ = true;
        if (thread_.joinable())
            thread_.join();
    }

    int answered() const { return answered_; }
    int refused() const { return refused_; }
    std::chrono::milliseconds slowest() const { return std::chrono::milliseconds(slowest_.load()); }
    const std::string& session() const { return session_; }

private:
    void run()
    {
        while (!stopped_) {
            Json body = {{"message", "question " + std::to_string(answered_)}, {"model", "mock"}};
            if (!session_.empty())
                body["session_id"] = session_;
            const auto begin = std::chrono::steady_clock::now();
            const auto answer =
                fetch(server_.port(), raw_request("POST", "/api/chat/message", server_.key(), body.dump()));
            const auto took =
                std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
            slowest_ = std::max<std::int64_t>(slowest_, took);
            if (answer.status != 200) {
                ++refused_;
                continue;
            }
            session_ = answer.json().at("session_id").get<std::string>();
            ++answered_;
        }
    }

    const ServerProcess& server_;
    std::atomic<bool> stopped_{false};
    std::atomic<int> answered_{0};
    std::atomic<int> refused_{0};
    std::atomic<std::int64_t> slowest_{0};
    std::string session_;
    std::thread thread_;
};

// Messages of the session as the history shows them, over all its pages.
int stored_answers(const ServerProcess& server, const std::string& session)
{
    int answers = 0;
    std::string cursor;
    do {
        const auto target = "/api/chat/history/" + session + "?limit=100" + (cursor.empty() ? "" : "&cursor=" + cursor);
        const auto page = fetch(server.port(), raw_request("GET", target, server.key())).json();
        for (const auto& message : page.at("messages"))
            answers += message.at("role") == "assistant";
        cursor = page.at("next").is_null() ? "" : page.at("next").get<std::string>();
    } while (!cursor.empty());
    return answers;
}

TEST(RedisOutage, NothingIsLostAndNobodyWaitsWhileRedisComesAndGoes)
{
    RedisProcess redis;
    const ServerProcess server({.configuration = configuration(redis)});
    Load load(server);
    const auto goes_on = [&](int more) {
        const auto target = load.answered() + more;
        return eventually([&] { return load.answered() >= target; });
    };
    const auto healthy = [&] { EXPECT_LE(slowest_health_time(server), 100ms); };
    const auto used = [&] { return redis.ask("KEYS dure:session:*") == "*1"; };
    ASSERT_TRUE(goes_on(5));
    EXPECT_TRUE(eventually(used));
    EXPECT_EQ(redis.ask("FLUSHALL"), "+OK");
    EXPECT_TRUE(goes_on(20));
    redis.kill();
    EXPECT_TRUE(goes_on(20));
    healthy();
    redis.start();
    EXPECT_TRUE(eventually(used)) << "Redis is back and not used";
    redis.freeze();
    EXPECT_TRUE(goes_on(20));
    healthy();
    redis.thaw();
    EXPECT_EQ(redis.ask("FLUSHALL"), "+OK");
    EXPECT_TRUE(eventually(used)) << "Redis is back and not used";
    EXPECT_TRUE(goes_on(20));
    load.stop();
    EXPECT_EQ(load.refused(), 0);
    EXPECT_LT(load.slowest(), 5s);
    EXPECT_EQ(stored_answers(server, load.session()), load.answered());
    EXPECT_NE(server.err().find("redis"), std::string::npos) << "an outage is in the log";
}

TEST(RedisOutage, AServerStartsAndWorksWithoutTheRedisItWasGiven)
{
    RedisProcess redis;
    redis.kill();
    const ServerProcess server({.configuration = configuration(redis)});
    const auto answer = fetch(
        server.port(), raw_request("POST", "/api/chat/message", server.key(), R"({"message":"hi","model":"mock"})"));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("ratelimit-limit"), "500000");  // the stricter half
    redis.start();
    EXPECT_TRUE(eventually([&] {
        return fetch(server.port(), raw_request("GET", "/v1/models", server.key())).header("ratelimit-limit") ==
               "1000000";
    }));
}

TEST(RedisOutage, ThePasswordOfRedisIsInNoOutput)
{
    RedisProcess redis("s3cr3t-redis-password");
    redis.kill();
    const ServerProcess server({.configuration = "[log]\nlevel = \"debug\"\n[redis]\nurl = \"" + redis.url() + "\"\n"});
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", server.key())).status, 200);
    EXPECT_TRUE(eventually([&] { return server.err().find("redis") != std::string::npos; }));
    EXPECT_EQ((server.out() + server.err()).find("s3cr3t"), std::string::npos);
    const TemporaryFolder empty;
    const auto wrong =
        run_command(empty.path(), {"serve", "--port", "0"}, {{"REDIS_URL", "redisss://:s3cr3t@127.0.0.1"}});
    EXPECT_NE(wrong.code, 0);
    EXPECT_NE(wrong.err.find("rediss://"), std::string::npos) << wrong.err;
    EXPECT_EQ((wrong.out + wrong.err).find("s3cr3t"), std::string::npos);
}

}  // namespace redis_outages
}  // namespace dure::test

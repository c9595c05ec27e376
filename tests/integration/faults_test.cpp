// What happens when the machine fails under the server: no space, no descriptors, a clock that jumps, a stop in the middle of
// work (threat-model §9). Outages of PostgreSQL and Redis have files of their own.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "support/faults.hpp"
#include "support/health_probe.hpp"
#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace machine_faults {

using namespace std::chrono_literals;

constexpr auto no_limits = "[limits.admin]\nrequests_per_minute = 1000000\nchat_per_minute = 1000000\n";

RawAnswer ask(const ServerProcess& server, std::string_view method, std::string_view target, std::string_view body = {})
{
    return fetch(server.port(), raw_request(method, target, server.key(), body));
}

TEST(DiskFull, ReadsGoOnWritesAreRefusedAndSpaceIsAllItTakesToRecover)
{
    Faults faults;
    ServerProcess server({.configuration = no_limits, .environment = faults.environment()});
    const auto id =
        ask(server, "POST", "/api/chat/session", R"({"title":"before"})").json().at("session_id").get<std::string>();
    faults.disk_full(true);
    for (int i = 0; i < 3; ++i) {
        const auto refused = ask(server, "POST", "/api/chat/session", R"({"title":"no room"})");
        EXPECT_TRUE(refused.status == 507 || refused.status == 503) << refused.body;
        EXPECT_FALSE(refused.status == 503 && refused.header("retry-after").empty());
    }
    EXPECT_EQ(ask(server, "GET", "/api/chat/sessions/" + id).status, 200);
    EXPECT_LE(slowest_health_time(server), 100ms);
    EXPECT_TRUE(eventually([&] { return fetch(server.port(), raw_request("GET", "/readyz")).status == 503; }));
    faults.disk_full(false);
    EXPECT_TRUE(eventually([&] { return fetch(server.port(), raw_request("GET", "/readyz")).status == 200; }));
    EXPECT_EQ(ask(server, "POST", "/api/chat/session", R"({"title":"after"})").status, 201);
    const auto sessions = ask(server, "GET", "/api/chat/sessions").json().at("sessions");
    ASSERT_EQ(sessions.size(), 2u) << sessions.dump() << "what was refused is not there";
    EXPECT_EQ(server.terminate(), 0) << server.err();
    server.start();
    EXPECT_EQ(ask(server, "GET", "/api/chat/sessions/" + id).status, 200);
}

TEST(DiskFull, AStreamWhoseTurnCannotBeStoredEndsInAnErrorFrameAlone)
{
    Faults faults;
    ScriptedUpstream upstream;
    auto environment = faults.environment();
    environment.emplace_back("UPSTREAM_TEST_KEY", "upstream-key");
    const ServerProcess server(
        {.configuration = std::string(no_limits) + "[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" +
                          upstream.base() +
                          "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
         .environment = environment});
    upstream.enqueue({send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("first"))), await_word(),
                      send(chunk(finish_chunk("stop")) + chunk(usage_chunk()) + chunk(done_event()) + last_chunk())});
    const Json body = {{"model", "scripted"},
                       {"stream", true},
                       {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(), body.dump(),
                            {{"X-OpenWebUI-Chat-Id", "no-room"}}));
    client.read_until("first");
    faults.disk_full(true);
    upstream.go_on();
    const auto answer = client.read_answer();
    faults.disk_full(false);
    const auto last = std::string_view(answer.body).substr(answer.body.rfind("data: "));
    EXPECT_TRUE(last.starts_with("data: {\"error\":")) << answer.body;
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos) << answer.body;
}

TEST(Descriptors, WhenThereAreNoneLeftOldConnectionsAreServedAndNewOnesLater)
{
#if __has_feature(address_sanitizer)
    GTEST_SKIP() << "the sanitizers' own checks open pipes";   // UBSan asks so whether it may read an address
#endif
    const ServerProcess server({.configuration = no_limits});
    RawClient old(server.port());
    const auto asks_again = [&] {
        old.send(raw_request("GET", "/v1/models", server.key()));
        return old.read_answer().status;
    };
    ASSERT_EQ(asks_again(), 200);
    rlimit before{};
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, nullptr, &before), 0);
    const rlimit none{8, before.rlim_max};  // fewer than it has open
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, &none, nullptr), 0);
    std::vector<std::unique_ptr<RawClient>> waiting;
    for (int i = 0; i < 20; ++i) {  // the kernel takes them, the server cannot
        waiting.push_back(std::make_unique<RawClient>(server.port()));
        waiting.back()->send(raw_request("GET", "/v1/models", server.key()));
    }
    EXPECT_TRUE(eventually([&] { return server.err().find("accepting is paused") != std::string::npos; }))
        << server.err();
    EXPECT_EQ(asks_again(), 200);
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, &before, nullptr), 0);
    for (auto& client : waiting)
        EXPECT_EQ(client->read_answer().status, 200);
}

TEST(ClockJump, NeitherWayHarmsSessionsLimitsOrTheOrderOfEvents)
{
    Faults faults;
    const ServerProcess server({.environment = faults.environment()});
    std::string id;
    int turn = 0;
    for (const auto by : {0s, 600s, -3600s, 0s}) {  // forward, far back, right again
        faults.clock_jump(by);
        SCOPED_TRACE(std::to_string(by.count()));
        Json message{{"message", "turn " + std::to_string(++turn)}, {"model", "mock"}};
        if (!id.empty())
            message["session_id"] = id;
        const auto said = ask(server, "POST", "/api/chat/message", message.dump());
        ASSERT_EQ(said.status, 200) << said.body;
        id = said.json().at("session_id").get<std::string>();
        EXPECT_EQ(said.json().at("turn"), turn);
        EXPECT_NE(said.header("ratelimit-remaining"), "0");
        EXPECT_EQ(fetch(server.port(), raw_request("GET", "/readyz")).status, 200);
    }
    const auto events =
        ask(server, "GET", "/api/events/aggregate/" + id + "?aggregate_type=Session").json().at("events");
    ASSERT_GE(events.size(), 4u);
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events.at(i).at("version"), i + 1);
        if (i > 0)
            EXPECT_GT(events.at(i).at("position"), events.at(i - 1).at("position"));
    }
    const auto messages = ask(server, "GET", "/api/chat/history/" + id).json().at("messages");
    ASSERT_EQ(messages.size(), 8u);
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(messages.at(static_cast<std::size_t>(2 * i)).at("content"), "turn " + std::to_string(i + 1));
}

// Clients of two replicas: whoever is refused a connection, or told 503, goes to the other one, as a balancer would.
class Clients {
public:
    Clients(const ServerProcess& one, const ServerProcess& two, std::string key)
        : replicas_{&one, &two}, key_(std::move(key))
    {
        for (int i = 0; i < 4; ++i)
            threads_.emplace_back([this, i] { work(static_cast<std::size_t>(i)); });
    }
    ~Clients() { stop(); }
    void stop()
    {
        stopped_ = true;
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }
    std::set<std::string> acknowledged() const
    {
        const std::lock_guard lock(guard_);
        return acknowledged_;
    }
    bool advance_by(std::size_t more) const
    {
        const auto goal = acknowledged().size() + more;
        return eventually([&] { return acknowledged().size() >= goal; });
    }
    std::atomic<int> wrong = 0;  // answers that are neither the result nor 503
    std::atomic<int> cut = 0;  // answers that began and did not end

private:
    void work(std::size_t at)
    {
        while (!stopped_) {
            if (!create(*replicas_[at % 2]))
                ++at;
        }
    }
    bool create(const ServerProcess& replica)
    {
        std::string begun;
        try {
            RawClient client(replica.port());
            client.send(raw_request("POST", "/api/chat/session", key_, R"({"title":"rolling"})"));
            begun = client.read_until("\r\n");
            const auto answer = client.read_answer();
            if (answer.status == 201) {
                const std::lock_guard lock(guard_);
                acknowledged_.insert(answer.json().at("session_id").get<std::string>());
                return true;
            }
            wrong += answer.status != 503;
        } catch (const std::exception&) {
            cut += !begun.empty();
        }
        return false;
    }

    std::array<const ServerProcess*, 2> replicas_;
    const std::string key_;
    std::atomic<bool> stopped_ = false;
    mutable std::mutex guard_;
    std::set<std::string> acknowledged_;
    std::vector<std::thread> threads_;
};

TEST(RollingRestart, OfTwoReplicasUnderLoadCutsNoAnswerAndLosesNothingAcknowledged)
{
    RedisProcess redis;
    const auto url = fresh_schema();
    const auto configuration = std::string(no_limits) + "[redis]\nurl = \"" + redis.url() + "\"\n";
    ServerProcess one(on_postgres(url, configuration));
    ServerProcess two(on_postgres(url, configuration));
    std::set<std::string> acknowledged;
    for (auto* restarted : {&one, &two}) {
        Clients clients(one, two, one.key());
        EXPECT_TRUE(clients.advance_by(20));
        EXPECT_EQ(restarted->terminate(), 0) << restarted->err();
        EXPECT_TRUE(clients.advance_by(20)) << "the other one serves everybody";
        clients.stop();  // before the port changes
        EXPECT_EQ(clients.wrong, 0);
        EXPECT_EQ(clients.cut, 0);
        restarted->start();
        acknowledged.merge(clients.acknowledged());
    }
    for (const auto& id : acknowledged)
        EXPECT_EQ(ask(one, "GET", "/api/chat/sessions/" + id).status, 200) << "lost: " << id;
}

}  // namespace machine_faults
}  // namespace dure::test

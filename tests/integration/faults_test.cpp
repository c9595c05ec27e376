// What happens when the machine fails under the server: no space, no descriptors, a clock that jumps, a stop in the middle of
// work (threat-model §9). Outages of PostgreSQL and Redis have files of their own.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
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
        {.configuration =
             std::string(no_limits) + "[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" +
             upstream.base() +
             "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
         .environment = environment});
    upstream.enqueue({send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("first"))), await_word(),
                      send(chunk(finish_chunk("stop")) + chunk(usage_chunk()) + chunk(done_event()) + last_chunk())});
    const Json body = {
        {"model", "scripted"}, {"stream", true}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
    RawClient client(server.port());
    client.send(
        raw_request("POST", "/v1/chat/completions", server.key(), body.dump(), {{"X-OpenWebUI-Chat-Id", "no-room"}}));
    client.read_until("first");
    faults.disk_full(true);
    upstream.go_on();
    const auto answer = client.read_answer();
    faults.disk_full(false);
    const auto last = std::string_view(answer.body).substr(answer.body.rfind("data: "));
    EXPECT_TRUE(last.starts_with("data: {\"error\":")) << answer.body;
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos) << answer.body;
}

// Nothing that the disk may not have is told; whoever reads is refused in time instead of waiting for as long as it hangs.
TEST(DiskHangs, ReadsAreRefusedInTimeAndAllGoesOnWhenItAnswers)
{
    Faults faults;
    ServerProcess server({.configuration = no_limits + std::string("[database]\nstatement_timeout = \"1s\"\n"),
                          .environment = faults.environment()});
    const auto create = [&] { return ask(server, "POST", "/api/chat/session", R"({"title":"said"})").status; };
    const auto list = [&] { return ask(server, "GET", "/api/chat/sessions"); };
    ASSERT_EQ(create(), 201);
    faults.disk_hangs(true);
    auto written = std::async(std::launch::async, create);
    RawAnswer refused;
    EXPECT_TRUE(eventually([&] { return (refused = list()).status != 200; }));
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_FALSE(refused.header("retry-after").empty());
    EXPECT_EQ(written.wait_for(0s), std::future_status::timeout) << "the disk has not taken it";
    EXPECT_LE(slowest_health_time(server), 100ms);
    faults.disk_hangs(false);
    EXPECT_EQ(written.get(), 201);
    EXPECT_EQ(list().json().at("sessions").size(), 2u);
    EXPECT_EQ(server.terminate(), 0) << server.err();
}

// `none` takes all free descriptors away and gives them back.
void old_connections_are_served_and_new_ones_later(const ServerProcess& server, const std::function<void(bool)>& none)
{
    RawClient old(server.port());
    const auto asks_again = [&] {
        old.send(raw_request("GET", "/v1/models", server.key()));
        return old.read_answer().status;
    };
    ASSERT_EQ(asks_again(), 200);
    none(true);
    std::vector<std::unique_ptr<RawClient>> waiting;
    for (int i = 0; i < 20; ++i) {  // the kernel takes them, the server cannot
        waiting.push_back(std::make_unique<RawClient>(server.port()));
        waiting.back()->send(raw_request("GET", "/v1/models", server.key()));
    }
    EXPECT_TRUE(eventually([&] { return server.err().find("accepting is paused") != std::string::npos; }))
        << server.err();
    EXPECT_EQ(asks_again(), 200);
    none(false);
    for (auto& client : waiting)
        EXPECT_EQ(client->read_answer().status, 200);
}

TEST(Descriptors, WhenTheSystemGivesNoneOldConnectionsAreServedAndNewOnesLater)
{
    Faults faults;
    const ServerProcess server({.configuration = no_limits, .environment = faults.environment()});
    old_connections_are_served_and_new_ones_later(server, [&](bool none) { faults.no_descriptors(none); });
}

#if !__has_feature(address_sanitizer)  // UBSan opens a pipe to learn whether it may read an address
TEST(Descriptors, WhenThereAreNoneLeftOldConnectionsAreServedAndNewOnesLater)
{
    const ServerProcess server({.configuration = no_limits});
    rlimit before{};
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, nullptr, &before), 0);
    old_connections_are_served_and_new_ones_later(server, [&](bool none) {
        const rlimit limit{none ? 8 : before.rlim_cur, before.rlim_max};  // 8: fewer than it has open
        EXPECT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
    });
}
#endif

std::string with_upstream(const ScriptedUpstream& upstream)
{
    return "[server.limits]\nconnections_per_address = 4096\n[limits.admin]\nrequests_per_minute = 1000000\n"
           "[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" +
           upstream.base() + "/v1\"\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n";
}

class AskingConnection {
public:
    explicit AskingConnection(const ServerProcess& server) : server_(server), client_(server.port())
    {
        client_.send(raw_request("GET", "/healthz"));  // so that it is accepted
        EXPECT_EQ(client_.read_answer().status, 200);
    }
    RawAnswer chat()
    {
        client_.send(raw_request("POST", "/v1/chat/completions", server_.key(),
                                 R"({"model":"scripted","messages":[{"role":"user","content":"x"}]})"));
        return client_.read_answer();
    }

private:
    const ServerProcess& server_;
    RawClient client_;
};

TEST(Descriptors, WantOfThemIsNotTheProvidersFault)
{
    Faults faults;
    ScriptedUpstream upstream;
    upstream.handle([](const auto&) { return completion_script("fine"); });
    const ServerProcess server({.configuration = with_upstream(upstream), .environment = faults.environment()});
    AskingConnection old(server);
    faults.no_descriptors(true);
    for (int i = 0; i < 6; ++i) {  // more than open a breaker
        const auto refused = old.chat();
        EXPECT_EQ(refused.status, 503) << refused.body;
        EXPECT_EQ(refused.json().at("error").at("code"), "no_descriptors");
        EXPECT_FALSE(refused.header("retry-after").empty());
    }
    faults.no_descriptors(false);
    EXPECT_EQ(old.chat().status, 200);
}

#if !__has_feature(address_sanitizer)
TEST(Descriptors, SomeAreKeptForTheConnectionsThatStand)
{
    ScriptedUpstream upstream;
    upstream.handle([](const auto&) { return completion_script("fine"); });
    const ServerProcess server({.configuration = with_upstream(upstream)});
    const rlimit few{160, 160};
    ASSERT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, &few, nullptr), 0);
    AskingConnection old(server);
    std::vector<std::unique_ptr<RawClient>> idle;
    for (int i = 0; i < 200; ++i)
        idle.push_back(std::make_unique<RawClient>(server.port()));
    ASSERT_TRUE(eventually([&] { return server.err().find("accepting is paused") != std::string::npos; }));
    for (int i = 0; i < 6; ++i)
        EXPECT_EQ(old.chat().status, 200);
    idle.clear();
    AskingConnection fresh(server);
    EXPECT_EQ(fresh.chat().status, 200);
}
#endif

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

// start → GET of a far side → reply
Json flow_that_asks(const std::string& url)
{
    const auto node = [](const char* id, const char* type, Json config) {
        return Json{{"id", id}, {"type", type}, {"data", {{"config", std::move(config)}}}};
    };
    return {{"name", "asks"},
            {"nodes",
             {node("start", "start", Json::object()), node("ask", "http", {{"method", "GET"}, {"url", url}}),
              node("out", "reply", {{"text", "{{nodes.ask.body.did}}"}})}},
            {"edges", {{{"source", "start"}, {"target", "ask"}}, {{"source", "ask"}, {"target", "out"}}}}};
}

// A flow whose node waits for the far side until told to go on; later executions of it are answered at once.
class AskingFlow {
public:
    std::string allowed() const
    {
        return "[egress]\nallow = [\"127.0.0.1:" + std::to_string(far_side_.port()) + "\"]\n";
    }
    // Returns when the node has asked.
    void begin(const ServerProcess& server)
    {
        const auto made = ask(server, "POST", "/api/agent-builder/agentflows", flow_that_asks(far_side_.base()).dump());
        ASSERT_EQ(made.status, 201) << made.body;
        execute_ = "/api/agent-builder/flows/" + made.json().at("id").get<std::string>() + "/execute";
        const auto answer = send(http_answer(200, "application/json", R"({"did":"asked"})"));
        far_side_.enqueue({await_word(), answer});
        far_side_.handle([answer](const auto&) { return Script{answer}; });
        const auto begun = ask(server, "POST", execute_, "{}");
        ASSERT_EQ(begun.status, 202) << begun.body;
        id_ = begun.json().at("id").get<std::string>();
        ASSERT_TRUE(far_side_.wait_until([&] { return far_side_.request_count() == 1; }));
    }
    // Others come and go: each lets the workers look what there is to do. Then it ends, and its node has run once.
    void ends_once(const ServerProcess& server, const ServerProcess& where_others_run)
    {
        for (int i = 0; i < 3; ++i) {
            const auto other =
                fetch(where_others_run.port(), raw_request("POST", execute_ + "?wait=true", server.key(), "{}"));
            EXPECT_EQ(other.status, 200) << other.body;
            EXPECT_EQ(other.json().at("status"), "succeeded") << other.body;
        }
        far_side_.go_on();
        const auto target = "/api/executions/" + id_;
        EXPECT_TRUE(eventually([&] { return ask(server, "GET", target).json().at("status") == "succeeded"; }))
            << ask(server, "GET", target).body;
        EXPECT_EQ(far_side_.request_count(), 4) << "a node that was under way ran again";
    }

private:
    ScriptedUpstream far_side_;
    std::string execute_;
    std::string id_;
};

void jump_while_a_node_asks(std::chrono::seconds by)
{
    Faults faults;
    AskingFlow flow;
    const ServerProcess server({.configuration = no_limits + flow.allowed(), .environment = faults.environment()});
    flow.begin(server);
    faults.clock_jump(by);
    flow.ends_once(server, server);
}

TEST(ClockJump, ForwardTakesNoExecutionUnderWayForADeadOne)
{
    jump_while_a_node_asks(600s);
}

TEST(ClockJump, BackLeavesExecutionsUnderWayAlone)
{
    jump_while_a_node_asks(-3600s);
}

TEST(ClockJump, AReplicaWhoseClockIsWrongTakesNoExecutionOfAnother)
{
    for (const auto by : {600s, -600s}) {
        SCOPED_TRACE(std::to_string(by.count()));
        RedisProcess redis;
        Faults faults;
        faults.clock_jump(by);
        AskingFlow flow;
        auto options =
            on_postgres(fresh_schema(), no_limits + flow.allowed() + "[redis]\nurl = \"" + redis.url() + "\"\n");
        const ServerProcess right(options);
        for (const auto& variable : faults.environment())
            options.environment.push_back(variable);
        const ServerProcess wrong(options);
        flow.begin(right);
        flow.ends_once(right, wrong);
    }
}

// Clients of two replicas, two that make sessions and two that read streamed turns: whoever is refused a connection, or told
// 503, goes to the other one, as a balancer would.
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
    std::set<std::string> acknowledged_turns() const
    {
        const std::lock_guard lock(guard_);
        return acknowledged_turns_;
    }
    bool stream_under_way(std::size_t replica) const
    {
        return eventually([&] { return streaming_[replica] > 0; });
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
        const bool streams = at >= 2;
        while (!stopped_) {
            if (!(streams ? read_turn(at % 2) : create(*replicas_[at % 2])))
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

    // A turn is acknowledged by the event `done`.
    bool read_turn(std::size_t replica)
    {
        std::string begun;
        try {
            RawClient client(replicas_[replica]->port());
            client.send(
                raw_request("POST", "/api/chat/message/stream", key_, R"({"message":"rolling","model":"mock"})"));
            begun = client.read_until("\r\n");
            if (begun.starts_with("HTTP/1.1 200")) {
                begun = client.read_until("event: message");
                ++streaming_[replica];
            }
            const auto answer = client.read_answer();
            if (answer.status == 200) {
                --streaming_[replica];
                cut += answer.body.find("event: done") == std::string::npos;
                const auto name = answer.body.find("\"session_id\":\"");
                const std::lock_guard lock(guard_);
                acknowledged_turns_.insert(answer.body.substr(name + 14, 36));
                return true;
            }
            wrong += answer.status != 503;
        } catch (const std::exception&) {
            cut += !begun.empty();
        }
        return false;
    }

    std::array<const ServerProcess*, 2> replicas_;
    std::array<std::atomic<int>, 2> streaming_{};
    const std::string key_;
    std::atomic<bool> stopped_ = false;
    mutable std::mutex guard_;
    std::set<std::string> acknowledged_;
    std::set<std::string> acknowledged_turns_;  // their sessions
    std::vector<std::thread> threads_;
};

TEST(RollingRestart, OfTwoReplicasUnderLoadCutsNoAnswerAndLosesNothingAcknowledged)
{
    RedisProcess redis;
    const auto url = fresh_schema();
    const auto configuration =
        std::string(no_limits) + "[models]\nmock_delay = \"20ms\"\n[redis]\nurl = \"" + redis.url() + "\"\n";
    ServerProcess one(on_postgres(url, configuration));
    ServerProcess two(on_postgres(url, configuration));
    std::set<std::string> acknowledged;
    std::set<std::string> turns;
    for (auto* restarted : {&one, &two}) {
        Clients clients(one, two, one.key());
        EXPECT_TRUE(clients.advance_by(20));
        EXPECT_TRUE(clients.stream_under_way(restarted == &one ? 0 : 1));
        EXPECT_EQ(restarted->terminate(), 0) << restarted->err();
        EXPECT_TRUE(clients.advance_by(20)) << "the other one serves everybody";
        clients.stop();  // before the port changes
        EXPECT_EQ(clients.wrong, 0);
        EXPECT_EQ(clients.cut, 0);
        restarted->start();
        acknowledged.merge(clients.acknowledged());
        turns.merge(clients.acknowledged_turns());
    }
    for (const auto& id : acknowledged)
        EXPECT_EQ(ask(one, "GET", "/api/chat/sessions/" + id).status, 200) << "lost: " << id;
    EXPECT_GE(turns.size(), 2u);
    for (const auto& id : turns) {
        const auto history = ask(one, "GET", "/api/chat/history/" + id);
        EXPECT_EQ(history.json().at("messages").at(1).at("metadata").at("status"), "complete") << history.body;
    }
}

}  // namespace machine_faults
}  // namespace dure::test

// The real binary on PostgreSQL: it starts, keeps what it acknowledged, shares it with replicas, and lives through
// outages.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>

#include "support/health_probe.hpp"
#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace on_postgresql {

using namespace std::chrono_literals;

RawAnswer ask(const ServerProcess& server, std::string_view method, std::string_view target, std::string_view body = {})
{
    return fetch(server.port(), raw_request(method, target, server.key(), body));
}

std::string new_session(const ServerProcess& server, std::string_view title)
{
    const auto made = ask(server, "POST", "/api/chat/session", Json{{"title", title}}.dump());
    return made.status == 201 ? made.json().at("session_id").get<std::string>() : std::string();
}

TEST(OnPostgres, KeepsSessionsAndKeysOverARestartAndShowsNoPassword)
{
    for (const bool graceful : {true, false}) {
        SCOPED_TRACE(graceful ? "SIGTERM" : "SIGKILL");
        ServerProcess server(on_postgres(fresh_schema()));
        EXPECT_NE(server.err().find("(postgresql 127.0.0.1:"), std::string::npos) << server.err();
        const auto id = new_session(server, "오래 남는 대화");
        const auto said =
            ask(server, "POST", "/api/chat/message", Json{{"session_id", id}, {"message", "기억해 줘"}}.dump());
        ASSERT_EQ(said.status, 200) << said.body;
        EXPECT_EQ((server.out() + server.err()).find("never-to-be-seen"), std::string::npos);
        if (graceful)
            EXPECT_EQ(server.terminate(), 0) << server.err();
        else
            server.kill();
        server.start();
        const auto history = ask(server, "GET", "/api/chat/history/" + id);
        ASSERT_EQ(history.status, 200) << history.body;
        EXPECT_EQ(history.json().at("messages").size(), 2u);
        const auto next =
            ask(server, "POST", "/api/chat/message", Json{{"session_id", id}, {"message", "계속"}}.dump());
        EXPECT_EQ(next.json().at("turn"), 2) << next.body;
    }
}

TEST(OnPostgres, AReplicaGoesOnWithASessionOfTheOther)
{
    const auto url = fresh_schema();
    ServerProcess one(on_postgres(url));
    ServerProcess two(on_postgres(url));
    const auto id = new_session(one, "shared");
    const auto body = Json{{"session_id", id}, {"message", "hello"}}.dump();
    EXPECT_EQ(ask(one, "POST", "/api/chat/message", body).json().at("turn"), 1);
    const auto next = ask(two, "POST", "/api/chat/message", body);
    EXPECT_EQ(next.json().at("turn"), 2) << next.body;
    EXPECT_EQ(ask(one, "GET", "/api/chat/history/" + id).json().at("messages").size(), 4u);
}

TEST(OnPostgres, TwoProcessesThatStartTogetherMigrateOnce)
{
    const auto options = on_postgres(fresh_schema());
    const TemporaryFolder folder;
    Finished first;
    std::thread other([&] { first = run_command(folder.path(), {"migrate"}, options.environment); });
    const auto second = run_command(folder.path(), {"migrate"}, options.environment);
    other.join();
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(second.code, 0) << second.err;
    const auto both = first.out + second.out;
    const auto at = both.find("applied 0001_accounts");
    EXPECT_NE(at, std::string::npos) << both;
    EXPECT_EQ(both.find("applied 0001_accounts", at + 1), std::string::npos) << both;
}

TEST(OnPostgres, ReplicasThatStartTogetherMakeOneFirstAdministrator)
{
    const auto options = on_postgres(fresh_schema());
    const TemporaryFolder folder;
    ASSERT_EQ(run_command(folder.path(), {"migrate"}, options.environment).code, 0);   // so that all are as far at once
    std::atomic<int> started{0};
    std::vector<std::thread> replicas;
    for (int i = 0; i < 3; ++i)
        replicas.emplace_back([&] {
            try {
                const ServerProcess replica(options);
                started += ask(replica, "GET", "/v1/models").status == 200 ? 1 : 0;
            } catch (const std::exception& problem) {
                ADD_FAILURE() << problem.what();
            }
        });
    for (auto& replica : replicas)
        replica.join();
    EXPECT_EQ(started, 3);
}

TEST(OnPostgres, AServerThatCannotBeReachedIsToldWithoutThePassword)
{
    const TemporaryFolder folder;
    const auto refused = run_command(folder.path(), {"serve", "--port", "0"},
                                     on_postgres("postgresql://app@127.0.0.1:1/nowhere").environment);
    EXPECT_EQ(refused.code, 1);
    EXPECT_NE(refused.err.find("127.0.0.1:1/nowhere"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("never-to-be-seen"), std::string::npos) << refused.err;
}

TEST(OnPostgres, WithoutTheDatabaseStateIs503AndComesBackByItself)
{
    PostgresProcess database;
    ServerProcess server(on_postgres(database.url()));
    const auto id = new_session(server, "before");
    ASSERT_FALSE(id.empty());
    database.stop();
    EXPECT_LE(slowest_health_time(server), 100ms);
    for (int i = 0; i < 3; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const auto refused = ask(server, "POST", "/api/chat/session", R"({"title":"x"})");
        EXPECT_EQ(refused.status, 503) << refused.body;
        EXPECT_FALSE(refused.header("retry-after").empty());
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
    }
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/readyz")).status, 503);
    const auto chat =
        ask(server, "POST", "/v1/chat/completions", R"({"model":"mock","messages":[{"role":"user","content":"x"}]})");
    EXPECT_EQ(chat.status, 503) << "nothing unrecorded is begun, also when nothing unrecorded waits yet: " << chat.body;
    EXPECT_EQ(chat.json().at("error").at("code"), "usage_unavailable");
    EXPECT_TRUE(eventually([&] { return ask(server, "GET", "/v1/models").status == 503; }, 8s))
        << "who calls is looked up anew";
    EXPECT_EQ(ask(server, "GET", "/metrics").status, 200) << "now they are needed (threat-model §9)";
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/metrics")).status, 401);
    database.start();
    EXPECT_TRUE(eventually([&] { return !new_session(server, "after").empty(); }, 5s));
    EXPECT_EQ(ask(server, "GET", "/api/chat/history/" + id).status, 200);
    EXPECT_EQ((server.out() + server.err()).find("never-to-be-seen"), std::string::npos);
}

// threat-model §9: running streams go on to their end, and what was said is there afterwards.
TEST(OnPostgres, ATurnWhoseEndMeetsAnOutageIsStoredBehindIt)
{
    PostgresProcess database;
    ScriptedUpstream upstream;
    upstream.handle([](const RecordedRequest&) {
        return Script{
            send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("worth "))), await_word(),
            send(chunk(text_chunk("keeping")) + chunk(finish_chunk("stop")) + chunk(done_event()) + last_chunk())};
    });
    ServerProcess server(
        on_postgres(database.url(), "[[providers]]\nname = \"up\"\nbase_url = \"" + upstream.base() +
                                        "/v1\"\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n"));
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(),
                            R"({"model":"scripted","stream":true,"messages":[{"role":"user","content":"hi"}]})",
                            {{"X-OpenWebUI-Chat-Id", "outage"}}));
    ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() == 1; }));
    database.stop();
    upstream.go_on();
    EXPECT_TRUE(eventually([&] { return fetch(server.port(), raw_request("GET", "/readyz")).status == 503; }, 5s));
    database.start();
    const auto answer = client.read_answer();
    EXPECT_NE(answer.body.find("[DONE]"), std::string::npos) << answer.body;
    EXPECT_EQ(answer.body.find("\"error\""), std::string::npos) << answer.body;
    const auto sessions = ask(server, "GET", "/api/chat/sessions").json().at("sessions");
    ASSERT_EQ(sessions.size(), 1u);
    const auto history = ask(server, "GET", "/api/chat/history/" + sessions[0].at("session_id").get<std::string>());
    ASSERT_EQ(history.json().at("messages").size(), 2u) << history.body;
    EXPECT_EQ(history.json()["messages"][1].at("content"), "worth keeping");
}

// Makes sessions from several clients without a pause; what was acknowledged, and what refusals were like.
class Writers {
public:
    explicit Writers(const ServerProcess& server)
    {
        for (int i = 0; i < 4; ++i)
            threads_.emplace_back([this, &server] { write(server); });
    }
    ~Writers() { stop(); }
    void stop()
    {
        stopped_ = true;
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }
    std::size_t acknowledged_so_far()
    {
        const std::lock_guard lock(guard_);
        return acknowledged.size();
    }

    std::set<std::string> acknowledged;
    std::atomic<int> refused = 0;          // 503 with Retry-After
    std::atomic<int> late = 0;             // of them, after more than two seconds
    std::atomic<int> wrong = 0;            // anything else

private:
    void write(const ServerProcess& server)
    {
        while (!stopped_) {
            const auto begin = std::chrono::steady_clock::now();
            const auto made = ask(server, "POST", "/api/chat/session", R"({"title":"under load"})");
            if (made.status == 201) {
                const std::lock_guard lock(guard_);
                acknowledged.insert(made.json().at("session_id").get<std::string>());
            } else if (made.status == 503 && !made.header("retry-after").empty()) {
                ++refused;
                late += std::chrono::steady_clock::now() - begin > 2s;
            } else {
                ++wrong;
            }
        }
    }

    std::mutex guard_;
    std::atomic<bool> stopped_ = false;
    std::vector<std::thread> threads_;
};

TEST(OnPostgres, RestartedUnderLoadItLosesNothingThatWasAcknowledged)
{
    PostgresProcess database;
    const ServerProcess server(on_postgres(database.url(), "[limits.admin]\nrequests_per_minute = 1000000\n"));
    Writers writers(server);
    for (const int how : {SIGINT, SIGQUIT}) {   // a stop, and what a crash is
        const auto before = writers.acknowledged_so_far();
        EXPECT_TRUE(eventually([&] { return writers.acknowledged_so_far() >= before + 20; }));
        const auto refused = writers.refused.load();
        database.stop(how);
        EXPECT_TRUE(eventually([&] { return writers.refused >= refused + 4; }));
        EXPECT_LE(slowest_health_time(server), 100ms);
        database.start();
        const auto then = writers.acknowledged_so_far();
        EXPECT_TRUE(eventually([&] { return writers.acknowledged_so_far() > then; }, 5s)) << "back by itself";
    }
    writers.stop();
    EXPECT_EQ(writers.wrong, 0);
    EXPECT_EQ(writers.late, 0) << "of " << writers.refused;
    for (const auto& id : writers.acknowledged)
        EXPECT_EQ(ask(server, "GET", "/api/chat/history/" + id).status, 200) << "lost: " << id;
}

// Starts sessions from several clients until so many more are acknowledged, and kills the server in the middle of it.
void kill_under_load(ServerProcess& server, std::set<std::string>& acknowledged)
{
    const auto goal = acknowledged.size() + 15;
    std::mutex guard;
    std::atomic<bool> stop = false;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer)
        writers.emplace_back([&] {
            while (!stop) {
                try {
                    if (const auto id = new_session(server, "under load"); !id.empty()) {
                        const std::lock_guard lock(guard);
                        acknowledged.insert(id);
                    }
                } catch (const std::exception&) {
                    return;  // the server is gone
                }
            }
        });
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard lock(guard);
        return acknowledged.size() >= goal;
    }));
    server.kill();
    stop = true;
    for (auto& writer : writers)
        writer.join();
}

void expect_nothing_lost(ServerProcess::Options options)
{
    ServerProcess server(std::move(options));
    std::set<std::string> acknowledged;
    for (int round = 0; round < 20; ++round) {
        kill_under_load(server, acknowledged);
        server.start();
    }
    for (const auto& id : acknowledged)
        EXPECT_EQ(ask(server, "GET", "/api/chat/history/" + id).status, 200) << "lost: " << id;
}

TEST(KilledServer, LosesNothingItAcknowledgedOnPostgres)
{
    expect_nothing_lost(on_postgres(fresh_schema()));
}

TEST(KilledServer, LosesNothingItAcknowledgedOnSqlite)
{
    expect_nothing_lost({});
}

}  // namespace on_postgresql
}  // namespace dure::test

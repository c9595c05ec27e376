// The cases of llm-upstreams §9 that need the whole server, and what an operator does with models: reload and check. The other
// cases: tests/llm/upstream_cases_test.cpp.
#include <gtest/gtest.h>

#include <fstream>

#include "support/free_port.hpp"
#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace upstream_cases {

using namespace std::chrono_literals;

std::string models_of(const ScriptedUpstream& upstream, const std::string& more = {})
{
    return "[[providers]]\nname = \"up\"\nbase_url = \"" + upstream.base() +
           "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n" +
           more;
}

ServerProcess::Options configured(const ScriptedUpstream& upstream, const std::string& before = {})
{
    return {.configuration = before + models_of(upstream), .environment = {{"UPSTREAM_TEST_KEY", "k"}}};
}

std::string question(const ServerProcess& server, bool stream, const char* model = "scripted")
{
    return raw_request("POST", "/v1/chat/completions", server.key(),
                       dump(Json{{"model", model},
                                 {"stream", stream},
                                 {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}}));
}

TEST(UpstreamCases, Case27_AClientThatStopsReadingIsCutAndTheUpstreamClosed)
{
    ScriptedUpstream upstream;
    ServerProcess server(configured(upstream, "[server.limits]\nwrite_stall = \"500ms\"\n"));
    Script script{send(sse_head() + chunk(role_chunk()))};
    for (int i = 0; i < 1000; ++i)
        script.push_back(send(chunk(text_chunk(std::string(60000, 'x')))));
    script.push_back(await_peer_close(20s));
    upstream.enqueue(script);
    RawClient client(server.port());
    client.send(question(server, true));
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }, 15s))
        << "60 MB were not held, they were cut";
    upstream.enqueue(completion_script("still serving"));
    EXPECT_EQ(fetch(server.port(), question(server, false)).status, 200);
}

TEST(UpstreamCases, Case32_AnOwnLimitThatIsReachedMakesNoUpstreamCall)
{
    ScriptedUpstream upstream;
    ServerProcess server(configured(upstream, "[limits.admin]\nchat_per_minute = 1\n"));
    upstream.enqueue(completion_script("one"));
    EXPECT_EQ(fetch(server.port(), question(server, false)).status, 200);
    const auto refused = fetch(server.port(), question(server, false));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.json().at("error").at("type"), "rate_limit_error");
    EXPECT_EQ(refused.json().at("error").at("code"), "rate_limit_exceeded");
    EXPECT_FALSE(refused.header("retry-after").empty());
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST(UpstreamCases, Case33_AStoppingServerEndsStreamsWithAnErrorFrame)
{
    ScriptedUpstream upstream;
    ServerProcess server(configured(upstream, "[server]\nshutdown_deadline = \"5s\"\n"));
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("first"))), await_peer_close(20s)});
    RawClient client(server.port());
    client.send(question(server, true));
    client.read_until("first");
    server.send_signal(SIGTERM);
    EXPECT_TRUE(eventually([&] { return fetch(server.port(), raw_request("GET", "/readyz")).status == 503; }));
    const auto refused = fetch(server.port(), question(server, true));
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_EQ(refused.json().at("error").at("code"), "server_shutdown");
    EXPECT_FALSE(refused.header("retry-after").empty());
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/healthz")).status, 200);
    const auto answer = client.read_answer();
    EXPECT_NE(answer.body.find("server_shutdown"), std::string::npos) << answer.body;
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
    EXPECT_EQ(server.wait(), 0) << server.err();
}

// llm-upstreams §6: the head goes out after 10 s without output; fallback goes on behind it, and if all fails the error is a frame.
TEST(UpstreamCases, TenSecondsWithoutOutputStartTheAnswerAndFallbackGoesOnBehindIt)
{
    ScriptedUpstream silent;
    silent.handle([](const RecordedRequest&) { return Script{await_peer_close(30s)}; });
    ScriptedUpstream upstream;
    upstream.enqueue(text_stream_script("late but whole"));
    ServerProcess server(configured(upstream, "[[providers]]\nname = \"silent\"\nbase_url = \"" + silent.base() +
                                                  "/v1\"\n[providers.timeouts]\nhead = \"10500ms\"\n"
                                                  "[[model]]\nid = \"two\"\ntargets = [\"silent/x\", \"up/scripted\"]\n"
                                                  "[[model]]\nid = \"one\"\ntargets = [\"silent/x\"]\n"));
    RawClient two(server.port());
    RawClient one(server.port());
    two.send(question(server, true, "two"));
    one.send(question(server, true, "one"));
    const auto whole = two.read_answer();
    EXPECT_EQ(whole.status, 200);
    EXPECT_TRUE(whole.body.starts_with(": keep-alive\n")) << whole.body;
    EXPECT_EQ(whole.header("x-dure-model"), "") << "nobody had answered";
    EXPECT_EQ(whole.header("x-dure-attempts"), "");
    EXPECT_NE(whole.body.find("whole"), std::string::npos) << whole.body;
    EXPECT_TRUE(whole.body.ends_with("data: [DONE]\n\n"));
    const auto failed = one.read_answer();
    EXPECT_EQ(failed.status, 200) << "it is too late for another";
    EXPECT_TRUE(failed.body.starts_with(": keep-alive\n")) << failed.body;
    EXPECT_NE(failed.body.find("\"code\":\"upstream_timeout\""), std::string::npos) << failed.body;
    EXPECT_EQ(failed.body.find("[DONE]"), std::string::npos);
}

TEST(UpstreamCases, Case28_WhatTheClientSeesOfACooledModelAndOfACacheHit)
{
    ScriptedUpstream upstream;
    ServerProcess server(
        {.configuration = models_of(upstream, "cache = \"exact\"\n"), .environment = {{"UPSTREAM_TEST_KEY", "k"}}});
    upstream.enqueue(completion_script("kept"));
    EXPECT_EQ(fetch(server.port(), question(server, false)).header("x-dure-cache"), "miss");
    const auto hit = fetch(server.port(), question(server, false));
    EXPECT_EQ(hit.header("x-dure-cache"), "hit");
    EXPECT_EQ(hit.json().at("choices").at(0).at("message").at("content"), "kept");
    const auto streamed = fetch(server.port(), question(server, true));
    EXPECT_EQ(streamed.header("x-dure-cache"), "hit");
    EXPECT_NE(streamed.body.find("\"kept\""), std::string::npos) << streamed.body;
    EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n"));

    upstream.enqueue(error_script(429, "slow", "rate_limit_error", nullptr, {{"Retry-After", "100"}}));
    const auto body = R"({"model":"scripted","messages":[{"role":"user","content":"another"}]})";
    const auto limited = fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(), body));
    EXPECT_EQ(limited.status, 429) << limited.body;
    const auto cooled = fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(), body));
    EXPECT_EQ(cooled.status, 503) << cooled.body;
    EXPECT_EQ(cooled.json().at("error").at("code"), "no_target_available");
    EXPECT_EQ(cooled.json().at("error").at("type"), "server_error");
    EXPECT_GT(std::atoi(cooled.header("retry-after").c_str()), 50);
    const auto metrics = fetch(server.port(), raw_request("GET", "/metrics", server.key())).body;
    for (const auto* name :
         {"dure_gateway_overhead_seconds_bucket", "dure_cache_requests_total{result=\"hit\"} 2",
          "dure_upstream_breaker_state", "dure_upstream_connections", "dure_upstream_attempts_total"})
        EXPECT_NE(metrics.find(name), std::string::npos) << name;
}

// A stream that is under way while the models change ends as it began.
TEST(ModelsReload, BySignalAndByRouteWithoutDroppingStreams)
{
    ScriptedUpstream upstream;
    ServerProcess server(configured(upstream));
    upstream.enqueue(
        {send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("first"))), pause(1500ms),
         send(chunk(text_chunk(" last")) + chunk(finish_chunk("stop")) + chunk(done_event()) + last_chunk())});
    RawClient client(server.port());
    client.send(question(server, true));
    client.read_until("first");
    const auto lists = [&](const char* model) {
        return fetch(server.port(), raw_request("GET", std::string("/v1/models/") + model, server.key())).status == 200;
    };
    const auto write = [&](const std::string& text) { std::ofstream(server.folder() / "dure.toml") << text; };
    write(models_of(upstream, "[[model]]\nid = \"second\"\ntargets = [\"up/second\"]\n"));
    const auto reloads = [&] {
        const auto target = "/api/events/audit?event_type=ConfigurationReloaded";
        return fetch(server.port(), raw_request("GET", target, server.key())).json().at("events");
    };
    server.send_signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return lists("second"); }));
    ASSERT_TRUE(eventually([&] { return reloads().size() == 1; })) << "on record too";
    EXPECT_EQ(reloads().at(0).at("data").at("last_reload").at("by"), "SIGHUP");
    EXPECT_FALSE(reloads().at(0).at("metadata").contains("user_id"));

    write(models_of(upstream, "[[model]]\nid = \"third\"\ntargets = [\"up/third\"]\n"));
    const auto reloaded = fetch(server.port(), raw_request("POST", "/api/models/reload", server.key()));
    EXPECT_EQ(reloaded.status, 200) << reloaded.body;
    EXPECT_TRUE(lists("third"));
    EXPECT_FALSE(lists("second"));
    const auto events = reloads();
    ASSERT_EQ(events.size(), 2u) << "who reloaded it is on record";
    EXPECT_EQ(events.at(0).at("data").at("last_reload").at("what"), "models");
    EXPECT_TRUE(events.at(0).at("metadata").contains("user_id"));

    write(models_of(upstream, "[[model]]\nid = \"broken\"\ntargets = [\"nobody/x\"]\n"));
    const auto refused = fetch(server.port(), raw_request("POST", "/api/models/reload", server.key()));
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_NE(refused.body.find("nobody"), std::string::npos) << refused.body;
    EXPECT_TRUE(lists("third"));

    const auto answer = client.read_answer();
    EXPECT_NE(answer.body.find(" last"), std::string::npos) << answer.body;
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(fetch(server.port(), raw_request("POST", "/api/models/reload", "")).status, 401);
}

TEST(ModelsCheck, TriesEveryTargetAndFailsWhenOneDoes)
{
    ScriptedUpstream upstream;
    upstream.handle([](const RecordedRequest&) { return completion_script("ok"); });
    ServerProcess server(configured(upstream));
    auto finished = server.run({"models", "check", "--config", "dure.toml"});
    EXPECT_EQ(finished.code, 0) << finished.out << finished.err;
    EXPECT_NE(finished.out.find("ok      scripted  up/scripted"), std::string::npos) << finished.out;
    upstream.handle([](const RecordedRequest&) { return error_script(401, "no", "authentication_error"); });
    finished = server.run({"models", "check", "--config", "dure.toml"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_NE(finished.out.find("FAILED  scripted  up/scripted"), std::string::npos) << finished.out;
    EXPECT_NE(finished.out.find("upstream_auth"), std::string::npos);
    std::ofstream(server.folder() / "dead.toml") << "[[providers]]\nname = \"dead\"\nbase_url = \"http://127.0.0.1:" << free_port()
                                                 << "/v1\"\n[[model]]\nid = \"x\"\ntargets = [\"dead/x\"]\n";
    finished = server.run({"models", "check", "--config", "dead.toml"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_NE(finished.out.find("upstream_unreachable"), std::string::npos) << finished.out;
    EXPECT_NE(finished.out.find(": 127.0.0.1: Connection refused)\n"), std::string::npos) << finished.out;
}

}  // namespace upstream_cases
}  // namespace dure::test

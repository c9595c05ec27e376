// The table of llm-upstreams §9 as a client sees it: for each way in which an only target fails, the status, type, code and
// param of the answer, or the error frame of a stream, and how often the provider was asked.
#include <gtest/gtest.h>

#include <map>

#include "support/free_port.hpp"
#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace upstream_answers {

using namespace std::chrono_literals;

// A model of its own for each row, so that no cool-down of one is seen by another.
struct Row {
    std::string model;
    Script script;
    int status;
    std::string type;
    std::string code;
    Json param;
    int asked;  // requests at the provider
    enum class Form { both, streamed, whole } form = Form::both;
    bool retry_after = false;
};

const std::string begun = sse_head() + chunk(role_chunk());
const std::string part = begun + chunk(text_chunk("part"));
const std::string secret = "sk-of-the-provider-1234567890";

std::vector<Row> refusals()
{
    const auto json = [](int status, const std::string& body) {
        return Script{send(http_answer(status, "application/json", body))};
    };
    const auto error = "server_error";
    const auto invalid = "invalid_request_error";
    return {
        {"case-1", error_script(429, "slow", "x", nullptr, {{"retry-after-ms", "20"}}), 429, "rate_limit_error",
         "rate_limit_exceeded", nullptr, 2, Row::Form::both, true},
        {"case-2", error_script(429, "slow", "x", nullptr, {{"Retry-After", "120"}}), 429, "rate_limit_error",
         "rate_limit_exceeded", nullptr, 1, Row::Form::both, true},
        {"case-3", error_script(429, "slow", "x"), 429, "rate_limit_error", "rate_limit_exceeded", nullptr, 1,
         Row::Form::both, true},
        {"case-4-quota", error_script(429, "no money", "x", "insufficient_quota"), 502, error, "upstream_quota",
         nullptr, 1},
        {"case-4-402", error_script(402, "pay", "x"), 502, error, "upstream_quota", nullptr, 1},
        {"case-5", error_script(401, "wrong key " + secret, "x"), 502, error, "upstream_auth", nullptr, 1},
        {"case-5-403", error_script(403, "not you", "permission_error"), 502, error, "upstream_auth", nullptr, 1},
        {"case-6", error_script(500, "boom", "server_error"), 502, error, "upstream_error", nullptr, 2},
        {"case-7-503", error_script(503, "busy", "x"), 503, error, "upstream_overloaded", nullptr, 2,
         Row::Form::both, true},
        {"case-7-529", error_script(529, "busy", "overloaded_error"), 503, error, "upstream_overloaded", nullptr, 2,
         Row::Form::both, true},
        {"case-9", {await_peer_close()}, 504, error, "upstream_timeout", nullptr, 1, Row::Form::streamed},
        {"case-10",
         {send(sse_head() + chunk(": ping\n\n")), pause(100ms), send(chunk(": ping\n\n")), await_peer_close()},
         504,
         error,
         "upstream_timeout",
         nullptr,
         1,
         Row::Form::streamed},
        {"case-12",
         {send(begun + chunk(sse_data(error_body("boom", "server_error"))) + last_chunk())},
         502,
         error,
         "upstream_error",
         nullptr,
         2,
         Row::Form::streamed},
        {"case-20",
         {send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\""),
          close_connection()},
         502,
         error,
         "stream_interrupted",
         nullptr,
         2,
         Row::Form::whole},
        {"case-21", error_script(400, "This model's maximum context length is 4096 tokens", "x"), 400, invalid,
         "context_length_exceeded", "messages", 1},
        {"case-22", error_script(400, "no", "x", "content_policy_violation"), 400, invalid, "content_policy_violation",
         nullptr, 1},
        {"case-23", error_script(400, "Unsupported parameter: 'tools'", "x", "unsupported_parameter"), 400, invalid,
         "unsupported_parameter", "tools", 1},
        {"case-24", error_script(404, "no such model", "x"), 502, error, "upstream_model_missing", nullptr, 1},
        {"case-25-html",
         {send(http_answer(200, "text/html", "<html></html>"))},
         502,
         error,
         "upstream_protocol_error",
         nullptr,
         2},
        {"case-25-empty", json(200, ""), 502, error, "upstream_protocol_error", nullptr, 2},
        {"case-25-no-choices", json(200, R"({"choices":[]})"), 502, error, "upstream_protocol_error", nullptr, 2},
        {"case-25-not-http",
         {send("garbage\r\n\r\n"), close_connection()},
         502,
         error,
         "upstream_protocol_error",
         nullptr,
         2},
        {"other-400", error_script(400, "no such thing at http://10.0.0.1/x with " + secret, "x"), 400, invalid,
         "bad_request", nullptr, 1},
        {"other-413", error_script(413, "too large", "x"), 413, invalid, "bad_request", nullptr, 1},
    };
}

// After the first output: the frame's code.
struct Break {
    std::string model;
    Script script;
    std::string code;
};

std::vector<Break> breaks()
{
    const auto bad = chunk("data: no json\n\n");
    Script pings{send(part)};
    for (int i = 0; i < 12; ++i) {
        pings.push_back(pause(50ms));
        pings.push_back(send(chunk(": ping\n\n")));
    }
    pings.push_back(await_peer_close());
    return {
        {"case-13",
         {send(part + chunk(sse_data(error_body("boom", "server_error"))) + chunk(done_event()) + last_chunk())},
         "upstream_error"},
        {"case-13-class",
         {send(part + chunk(sse_data(error_body("busy", "overloaded_error"))) + last_chunk())},
         "upstream_overloaded"},
        {"case-14-reset", {send(part), reset()}, "stream_interrupted"},
        {"case-14-cut", {send(part), close_connection()}, "stream_interrupted"},
        {"case-15", {send(part + last_chunk())}, "stream_interrupted"},
        {"case-17", {send(part), await_peer_close()}, "upstream_timeout"},
        {"case-18", std::move(pings), "upstream_timeout"},
        {"case-19",
         {send(part + bad + bad + bad + chunk(finish_chunk("stop")) + last_chunk())},
         "upstream_protocol_error"},
    };
}

class UpstreamAnswers : public ::testing::Test {
protected:
    static void SetUpTestSuite()
    {
        upstream = new ScriptedUpstream;
        upstream->handle([](const RecordedRequest& request) {
            const auto model = Json::parse(request.body).at("model").get<std::string>();
            const std::lock_guard lock(guard);
            ++asked[model];
            return scripts.at(model);
        });
        std::string configuration = "[breaker]\nfailures = 0\n";
        const auto add = [&](const std::string& model, const std::string& base) {
            configuration += "[[providers]]\nname = \"p-" + model + "\"\nbase_url = \"" + base +
                             "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[providers.timeouts]\nhead = \"300ms\"\n"
                             "first_output = \"400ms\"\nbyte_silence = \"300ms\"\nprogress_silence = \"400ms\"\n"
                             "[[model]]\nid = \"" +
                             model + "\"\ntargets = [\"p-" + model + "/" + model + "\"]\n";
        };
        const auto play = [&](const std::string& model, const Script& script) {
            scripts[model] = script;
            add(model, upstream->base());
        };
        for (const auto& row : refusals())
            for (const auto* form : {"-streamed", "-whole"})
                play(row.model + form, row.script);
        for (const auto& one : breaks())
            play(one.model, one.script);
        play("fine", {send(part + chunk(finish_chunk("stop")) + last_chunk())});
        play("one-bad-event", {send(part + chunk("data: {\n\n") + chunk(finish_chunk("stop")) + last_chunk())});
        add("case-8", "http://127.0.0.1:" + std::to_string(free_port()));
        server = new ServerProcess({.configuration = configuration, .environment = {{"UPSTREAM_TEST_KEY", secret}}});
    }
    static void TearDownTestSuite()
    {
        delete server;
        delete upstream;
    }

    static RawAnswer ask(const std::string& model, bool streamed)
    {
        return fetch(server->port(),
                     raw_request("POST", "/v1/chat/completions", server->key(),
                                 dump(Json{{"model", model},
                                           {"stream", streamed},
                                           {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}})));
    }
    static int asked_of(const std::string& model)
    {
        const std::lock_guard lock(guard);
        return asked[model];
    }
    static void expect_error(const Json& body, const std::string& type, const std::string& code, const Json& param)
    {
        ASSERT_TRUE(body.contains("error")) << body;
        const auto& error = body["error"];
        EXPECT_EQ(error.at("type"), type) << body;
        EXPECT_EQ(error.at("code"), code) << body;
        EXPECT_EQ(error.at("param"), param) << body;
        const auto message = error.at("message").get<std::string>();
        EXPECT_FALSE(message.empty());
        for (const auto* hidden : {secret.c_str(), "127.0.0.1", "10.0.0.1"})
            EXPECT_EQ(message.find(hidden), std::string::npos) << message;
    }

    static inline ScriptedUpstream* upstream = nullptr;
    static inline ServerProcess* server = nullptr;
    static inline std::mutex guard;
    static inline std::map<std::string, Script> scripts;
    static inline std::map<std::string, int> asked;
};

TEST_F(UpstreamAnswers, BeforeTheHeadAreAStatusWithTypeCodeAndParam)
{
    for (const auto& row : refusals())
        for (const bool streamed : {true, false}) {
            if (row.form == (streamed ? Row::Form::whole : Row::Form::streamed))
                continue;
            SCOPED_TRACE(row.model + (streamed ? ", streamed" : ", whole"));
            const auto model = row.model + (streamed ? "-streamed" : "-whole");
            const auto answer = ask(model, streamed);
            EXPECT_EQ(answer.status, row.status) << answer.body;
            EXPECT_TRUE(answer.header("content-type").starts_with("application/json"));
            EXPECT_FALSE(answer.header("x-request-id").empty());
            expect_error(answer.json(), row.type, row.code, row.param);
            EXPECT_EQ(asked_of(model), row.asked);
            if (row.retry_after)
                EXPECT_GE(std::atoi(answer.header("retry-after").c_str()), 1);
        }
}

TEST_F(UpstreamAnswers, BehindTheFirstOutputAreAFrameWithoutDone)
{
    for (const auto& one : breaks()) {
        SCOPED_TRACE(one.model);
        const auto answer = ask(one.model, true);
        EXPECT_EQ(answer.status, 200) << answer.body;
        EXPECT_NE(answer.body.find("\"part\""), std::string::npos) << answer.body;
        EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos) << answer.body;
        EXPECT_EQ(answer.body.find("\"finish_reason\":\"stop\""), std::string::npos) << answer.body;
        const auto frame = answer.body.rfind("data: ");
        ASSERT_NE(frame, std::string::npos);
        expect_error(Json::parse(answer.body.substr(frame + 6)), "server_error", one.code, nullptr);
        EXPECT_EQ(asked_of(one.model), 1) << "nothing is tried again behind the first output";
    }
}

TEST_F(UpstreamAnswers, Case08_WhatCannotBeReachedIsABadGateway)
{
    for (const bool streamed : {true, false}) {
        const auto answer = ask("case-8", streamed);
        EXPECT_EQ(answer.status, 502) << answer.body;
        expect_error(answer.json(), "server_error", "upstream_unreachable", nullptr);
    }
}

TEST_F(UpstreamAnswers, Cases16And19_AFinishWithoutDoneAndOneDamagedEventAreWhole)
{
    for (const std::string model : {"fine", "one-bad-event"}) {
        const auto answer = ask(model, true);
        EXPECT_EQ(answer.status, 200);
        EXPECT_NE(answer.body.find("\"finish_reason\":\"stop\""), std::string::npos) << answer.body;
        EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n")) << answer.body;
    }
}

TEST_F(UpstreamAnswers, Case24_AModelUnknownToUsIsNotFound)
{
    const auto answer = ask("nobody", false);
    EXPECT_EQ(answer.status, 404);
    expect_error(answer.json(), "invalid_request_error", "model_not_found", "model");
}

}  // namespace upstream_answers
}  // namespace dure::test

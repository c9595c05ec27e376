// The gateway against a scripted provider over real sockets: the rows of llm-upstreams §9 that are in force.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "llm/gateway_fixture.hpp"
#include "support/openai_script.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::llm::test {

namespace {

using namespace dure::test;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string stream_body =
    R"({"model":"gpt","messages":[{"role":"user","content":"hi"}],"stream":true,"odd":{"keep": [1,  2]},"dure_x":1,"max_tokens":5})";
const std::string whole_body = R"({"model":"gpt","messages":[{"role":"user","content":"hi"}]})";

class Upstream : public GatewayTest {
protected:
    Upstream() { add_upstream(upstream.base()); }
    config::ProviderTimeouts& timeouts() { return settings.providers.at(0).timeouts; }
    Result<void> stream_now(bool usage = false) { return relay("gpt", stream_body, true, usage, sink, record); }
    Result<void> whole_now() { return relay("gpt", whole_body, false, false, sink, record); }

    ScriptedUpstream upstream;
    KeepingSink sink;
    RelayRecord record;
};

TEST_F(Upstream, AStreamIsRelayedInOneWritePerRead)
{
    std::string all = sse_head();
    for (const auto& event : {role_chunk(), text_chunk("Hel"), text_chunk("lo"), finish_chunk("stop"), usage_chunk(), done_event()})
        all += chunk(event);
    upstream.enqueue({send(all + last_chunk())});
    const auto result = stream_now();
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(sink.writes, 1);
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(record.completion.text, "Hello");
    EXPECT_EQ(record.completion.answered_by, "up/upstream-gpt");
    EXPECT_EQ(record.completion.usage.total(), 12);
    EXPECT_FALSE(record.completion.usage.estimated);
    const auto sent = upstream.requests().at(0);
    EXPECT_EQ(sent.target, "/v1/chat/completions");
    EXPECT_EQ(sent.header("authorization"), "Bearer sk-provider-secret-1");
    EXPECT_THAT(sent.body, HasSubstr(R"("odd":{"keep": [1,  2]})"));
    EXPECT_THAT(sent.body, Not(HasSubstr("dure_x")));
    const auto body = Json::parse(sent.body);
    EXPECT_EQ(body["model"], "upstream-gpt");
    EXPECT_EQ(body["stream"], true);
    EXPECT_EQ(body["stream_options"]["include_usage"], true);
}

TEST_F(Upstream, TypedRequestsStreamPieces)
{
    upstream.enqueue(text_stream_script("one two three", 5ms));
    model::Completion completion;
    ASSERT_TRUE(stream(asking("hi", "gpt"), sink, completion));
    EXPECT_EQ(sink.text, "one two three");
    EXPECT_EQ(completion.finish_reason, "stop");
    EXPECT_TRUE(sink.bytes.empty());
}

TEST_F(Upstream, TypedRequestsGetTheEndThatNobodyTold)
{
    const auto delta = [](const char* text) { return sse_data(R"({"choices":[{"index":0,"delta":)" + std::string(text) + "}]}"); };
    upstream.enqueue(stream_script({delta(R"({"content":"half \ud83d"})"),
                                    delta(R"({"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]})")}));
    model::Completion completion;
    ASSERT_TRUE(stream(asking("hi", "gpt"), sink, completion));
    EXPECT_EQ(sink.text, "half \uFFFD");
    EXPECT_EQ(completion.text, "half \uFFFD");
    EXPECT_EQ(completion.finish_reason, "tool_calls");
    ASSERT_EQ(completion.tool_calls.size(), 1u);
    EXPECT_EQ(completion.tool_calls[0].arguments, "{}");
}

TEST_F(Upstream, WholeAnswersBearTheAskedName)
{
    upstream.enqueue(completion_script("Hallo"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(Json::parse(record.body)["model"], "gpt");
    EXPECT_EQ(Json::parse(record.body)["choices"][0]["message"]["content"], "Hallo");
    EXPECT_EQ(record.completion.text, "Hallo");
    EXPECT_EQ(record.completion.usage.total(), 12);
}

struct FailureRow {
    const char* name;
    Script script;               // of every attempt
    int attempts;
    Errc code;
    const char* reason;
    const char* param;
};

class FailureTable : public Upstream, public ::testing::WithParamInterface<FailureRow> {};

TEST_P(FailureTable, EndsAsTheContractSays)
{
    const auto& row = GetParam();
    upstream.handle([script = row.script](const RecordedRequest&) { return script; });
    timeouts().head = 300ms;
    timeouts().first_output = 300ms;
    for (const bool streamed : {true, false}) {
        forget_gateway();   // what the first run has cooled down
        const auto before = upstream.request_count();
        const auto result = streamed ? stream_now() : whole_now();
        ASSERT_FALSE(result) << row.name;
        EXPECT_EQ(result.error().code(), row.code) << row.name;
        EXPECT_EQ(result.error().reason(), row.reason) << row.name;
        EXPECT_EQ(result.error().param(), row.param) << row.name;
        EXPECT_EQ(upstream.request_count() - before, row.attempts) << row.name;
        EXPECT_FALSE(record.output_started);
        EXPECT_TRUE(sink.bytes.empty());
        EXPECT_THAT(result.error().message(), Not(HasSubstr("sk-")));
        EXPECT_THAT(result.error().message(), Not(HasSubstr("127.0.0.1")));
        EXPECT_FALSE(result.error().message().empty());
    }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, FailureTable,
    ::testing::Values(
        FailureRow{"429 far away", error_script(429, "slow", "rate_limit_error", nullptr, {{"Retry-After", "120"}}), 1,
                   Errc::rate_limited, "rate_limit_exceeded", ""},
        FailureRow{"quota", error_script(429, "no money", "x", "insufficient_quota"), 1, Errc::upstream_failed, "upstream_quota", ""},
        FailureRow{"402", error_script(402, "pay", "x"), 1, Errc::upstream_failed, "upstream_quota", ""},
        FailureRow{"401", error_script(401, "bad key sk-provider-secret-1", "x"), 1, Errc::upstream_failed, "upstream_auth", ""},
        FailureRow{"500", error_script(500, "boom", "server_error"), 2, Errc::upstream_failed, "upstream_error", ""},
        FailureRow{"500 no retry", error_script(500, "boom", "server_error", nullptr, {{"x-should-retry", "false"}}), 1,
                   Errc::upstream_failed, "upstream_error", ""},
        FailureRow{"503", error_script(503, "busy", "x"), 2, Errc::unavailable, "upstream_overloaded", ""},
        FailureRow{"529", error_script(529, "busy", "overloaded_error"), 2, Errc::unavailable, "upstream_overloaded", ""},
        FailureRow{"context", error_script(400, "This model's maximum context length is 4096", "invalid_request_error"), 1,
                   Errc::invalid_argument, "context_length_exceeded", "messages"},
        FailureRow{"policy", error_script(400, "no", "x", "content_policy_violation"), 1, Errc::invalid_argument,
                   "content_policy_violation", ""},
        FailureRow{"parameter", error_script(400, "Unsupported parameter: 'messages' is odd", "x", "unsupported_parameter"), 1,
                   Errc::invalid_argument, "unsupported_parameter", "messages"},
        FailureRow{"404", error_script(404, "no such model at http://127.0.0.1/x", "x"), 1, Errc::upstream_failed,
                   "upstream_model_missing", ""},
        FailureRow{"other 400", error_script(400, "bad key sk-provider-secret-1 at http://127.0.0.1/x", "invalid_request_error"), 1,
                   Errc::invalid_argument, "bad_request", ""},
        FailureRow{"html", {send(http_answer(200, "text/html", "<html>"))}, 2, Errc::upstream_failed, "upstream_protocol_error", ""},
        FailureRow{"no choices", {send(http_answer(200, "application/json", R"({"choices":[]})"))}, 2, Errc::upstream_failed,
                   "upstream_protocol_error", ""},
        FailureRow{"error in 200", {send(http_answer(200, "application/json", error_body("boom", "server_error")))}, 2,
                   Errc::upstream_failed, "upstream_error", ""}),
    [](const auto& row) {
        std::string name = row.param.name;
        std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
        return name;
    });

TEST_F(Upstream, AnErrorThatRepeatsTheKeyAndTheHeadersOfTheProviderShowsNeither)
{
    auto& provider = settings.providers.at(0);
    provider.keys = {SecretString("plain-looking-42")};   // nothing tells that it is a key
    provider.headers = {{"api-key", "other/plain=43"}, {"X-Title", "Dure"}};
    upstream.handle([](const RecordedRequest& request) {
        return error_script(400, "Dure sent " + request.header("authorization") + " and " + request.header("api-key"),
                            "invalid_request_error", "plain-looking-42");
    });
    for (const bool streamed : {false, true}) {
        const auto result = streamed ? stream_now() : whole_now();
        ASSERT_FALSE(result);
        EXPECT_THAT(result.error().message(), HasSubstr("Dure sent Bearer [redacted] and [redacted]"));
        EXPECT_THAT(result.error().reason() + result.error().detail(), Not(HasSubstr("plain")));
    }
}

TEST_F(Upstream, Row1A429WithAShortPauseIsRetriedOnce)
{
    upstream.enqueue(error_script(429, "slow", "rate_limit_error", nullptr, {{"retry-after-ms", "60"}}));
    upstream.enqueue(completion_script("ok"));
    const auto start = Steady::now();
    ASSERT_TRUE(whole_now());
    EXPECT_GE(Steady::now() - start, 60ms);
    EXPECT_EQ(record.completion.attempts, 2);
}

TEST_F(Upstream, Row6A500IsRetriedOnce)
{
    upstream.enqueue(error_script(500, "boom", "server_error"));
    upstream.enqueue(text_stream_script("fine now"));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "fine now");
}

TEST_F(Upstream, Row8ARefusedConnectionIsUnreachable)
{
    settings.providers.clear();
    settings.model.clear();
    add_upstream("http://127.0.0.1:1");
    const auto result = whole_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "upstream_unreachable");
    EXPECT_EQ(record.completion.attempts, 2);
}

TEST_F(Upstream, Row9And10SilenceAndMereCommentsTimeOutWithoutASecondWait)
{
    timeouts().head = 150ms;
    timeouts().total = 150ms;
    timeouts().first_output = 150ms;
    upstream.enqueue({await_peer_close()});
    auto result = stream_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "upstream_timeout");
    EXPECT_EQ(upstream.request_count(), 1);
    Script comments{send(sse_head())};
    for (int i = 0; i < 100; ++i) {
        comments.push_back(send(chunk(": ping\n\n")));
        comments.push_back(pause(10ms));
    }
    upstream.enqueue(comments);
    result = stream_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Errc::timeout);
    EXPECT_EQ(result.error().reason(), "upstream_timeout");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(Upstream, Row12AnErrorEventBeforeOutputIsRetriedUnseen)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(sse_data(error_body("x", "server_error"))) + last_chunk())});
    upstream.enqueue(text_stream_script("good"));
    ASSERT_TRUE(stream_now());
    EXPECT_THAT(sink.bytes, Not(HasSubstr("error")));
    EXPECT_EQ(record.completion.text, "good");
}

struct BreakRow {
    const char* name;
    Script behind_output;
    const char* reason;
};

class BreakAfterOutput : public Upstream, public ::testing::WithParamInterface<BreakRow> {};

TEST_P(BreakAfterOutput, IsAnErrorWithoutRetryAndThePartIsKept)
{
    timeouts().byte_silence = 150ms;
    timeouts().progress_silence = 200ms;
    Script script{send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part")))};
    for (const auto& step : GetParam().behind_output)
        script.push_back(step);
    upstream.enqueue(script);
    const auto result = stream_now(true);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), GetParam().reason);
    EXPECT_TRUE(record.output_started);
    EXPECT_EQ(record.completion.text, "part");
    EXPECT_TRUE(record.completion.usage.estimated);
    EXPECT_EQ(record.completion.usage.completion_tokens, 1);
    EXPECT_EQ(upstream.request_count(), 1);
    EXPECT_THAT(sink.bytes, HasSubstr("part"));
    EXPECT_THAT(sink.bytes, Not(HasSubstr("[DONE]")));
    EXPECT_THAT(sink.bytes, Not(HasSubstr("usage")));
}

Script pings()
{
    Script script;
    for (int i = 0; i < 100; ++i) {
        script.push_back(send(chunk(": ping\n\n")));
        script.push_back(pause(20ms));
    }
    return script;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BreakAfterOutput,
    ::testing::Values(BreakRow{"r13", {send(chunk(sse_data(error_body("x", "server_error"))) + chunk(done_event()) + last_chunk())}, "upstream_error"},
                      BreakRow{"r14_reset", {pause(30ms), reset()}, "stream_interrupted"},
                      BreakRow{"r14_no_last_chunk", {close_connection()}, "stream_interrupted"},
                      BreakRow{"r15", {send(last_chunk())}, "stream_interrupted"},
                      BreakRow{"r17", {await_peer_close()}, "upstream_timeout"}, BreakRow{"r18", pings(), "upstream_timeout"},
                      BreakRow{"r19", {send(chunk("data: {\n\ndata: {\n\ndata: {\n\n"))}, "upstream_protocol_error"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Upstream, Row16AFinishWithoutDoneIsComplete)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("x")) + chunk(finish_chunk("stop")) + last_chunk())});
    ASSERT_TRUE(stream_now());
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("x")) + chunk(finish_chunk("stop"))), await_peer_close()});
    const auto start = Steady::now();
    ASSERT_TRUE(stream_now());
    EXPECT_LT(Steady::now() - start, 2s);
}

TEST_F(Upstream, Row20ABrokenWholeAnswerIsRetriedUnseen)
{
    upstream.enqueue({send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\""), reset()});
    upstream.enqueue(completion_script("whole"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "whole");
}

TEST_F(Upstream, Row23AnUnsupportedParameterIsRenamedAndRemembered)
{
    upstream.enqueue(error_script(400, "Unsupported parameter: 'max_tokens' is not supported, use 'max_completion_tokens'",
                                  "invalid_request_error", "unsupported_parameter"));
    upstream.enqueue(text_stream_script("a"));
    upstream.enqueue(text_stream_script("b"));
    ASSERT_TRUE(stream_now());
    ASSERT_TRUE(stream_now());
    const auto requests = upstream.requests();
    ASSERT_EQ(requests.size(), 3u);
    for (const std::size_t later : {std::size_t{1}, std::size_t{2}}) {
        EXPECT_EQ(Json::parse(requests[later].body)["max_completion_tokens"], 5);
        EXPECT_FALSE(Json::parse(requests[later].body).contains("max_tokens"));
    }
}

TEST_F(Upstream, AWholeAnswerToAStreamRequestBecomesChunks)
{
    upstream.enqueue(completion_script("all at once"));
    ASSERT_TRUE(stream_now(true));
    EXPECT_THAT(sink.bytes, HasSubstr("all at once"));
    EXPECT_THAT(sink.bytes, HasSubstr("\"usage\""));
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
}

TEST_F(Upstream, TheNextTargetAnswersWhenTheFirstCannot)
{
    ScriptedUpstream second;
    add_upstream(second.base(), "other");
    upstream.enqueue(error_script(401, "no", "x"));
    second.enqueue(text_stream_script("from the other"));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
    EXPECT_EQ(record.completion.attempts, 2);
}

TEST_F(Upstream, Row26ACancelledRequestClosesTheUpstreamWithin100Milliseconds)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part"))), await_peer_close()});
    boost::asio::cancellation_signal signal;
    Steady::time_point cancelled;
    sink.on_output = [&] {
        boost::asio::post(cores.at(0), [&] {
            cancelled = Steady::now();
            signal.emit(boost::asio::cancellation_type::terminal);
        });
    };
    RelayRequest request;
    request.model = "gpt";
    request.body = stream_body;
    request.stream = true;
    const auto call = context();
    auto task = [&]() -> Task<void> { (void)co_await gateway().relay(request, call, sink, record); };
    std::promise<std::exception_ptr> ended;
    boost::asio::co_spawn(cores.at(0), task(),
                          boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) { ended.set_value(error); }));
    EXPECT_NE(ended.get_future().get(), nullptr);
    ASSERT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_LE(upstream.peer_closes().at(0).at - cancelled, 100ms);
    EXPECT_EQ(record.completion.text, "part");
    EXPECT_TRUE(record.completion.usage.estimated);
    EXPECT_TRUE(record.output_started);
}

TEST_F(Upstream, Row30ToolsAreNeverDroppedForAModelWithout)
{
    settings.model.at(0).tools = false;
    struct Case {
        const char* fields;
        bool refused;
    };
    const Case cases[] = {{R"("tools":[{"type":"function","function":{"name":"f"}}])", true},
                          {R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")", false},
                          {R"("tools":[])", false},
                          {R"("tools":null)", false}};
    for (const auto& one : cases) {
        const auto body = std::string(R"({"model":"gpt","messages":[{"role":"user","content":"x"}],)") + one.fields + "}";
        RelayRequest request;
        request.model = "gpt";
        request.body = body;
        const auto call = context();
        if (!one.refused)
            upstream.enqueue(completion_script("fine"));
        std::optional<Result<void>> result;
        on_core([&]() -> Task<void> { result.emplace(co_await gateway().relay(request, call, sink, record)); });
        EXPECT_EQ(result->has_error(), one.refused) << one.fields;
        if (one.refused)
            EXPECT_EQ(result->error().reason(), "tools_not_supported");
    }
}

TEST_F(Upstream, TheRoleDeveloperReachesTargetsAsSystem)
{
    const std::string body =
        R"({"model":"gpt","messages":[ {"role" : "developer","content":"\"developer\""},{"content":"x","role":"user"} ,)"
        R"({"role":"developer","content":"b"}],"note":"developer"})";
    RelayRequest request;
    request.model = "gpt";
    request.body = body;
    const auto call = context();
    upstream.enqueue(completion_script("fine"));
    on_core([&]() -> Task<void> { (void)co_await gateway().relay(request, call, sink, record); });
    const auto sent = Json::parse(upstream.requests().at(0).body);
    EXPECT_EQ(sent["messages"], Json::parse(R"([{"role":"system","content":"\"developer\""},{"content":"x","role":"user"},
                                                {"role":"system","content":"b"}])"));
    EXPECT_EQ(sent["note"], "developer");
}

TEST_F(Upstream, TheProvidersLimitOfRunningRequestsHolds)
{
    settings.providers.at(0).max_running = 1;
    upstream.handle([](const RecordedRequest&) { return Script{pause(100ms), completion_script("x").at(0)}; });
    RelayRequest request;
    request.model = "gpt";
    request.body = whole_body;
    const auto call = context();
    RelayRecord records[3];
    std::vector<std::future<void>> running;
    auto task = [&](RelayRecord& into) -> Task<void> { EXPECT_TRUE((co_await gateway().relay(request, call, sink, into)).has_value()); };
    (void)gateway();
    const auto start = Steady::now();
    for (auto& one : records)
        running.push_back(boost::asio::co_spawn(cores.at(0), task(one), boost::asio::use_future));
    for (auto& one : running)
        one.get();
    EXPECT_GE(Steady::now() - start, 300ms);
}

TEST_F(Upstream, EmbeddingsKeepTheirOrder)
{
    settings.models.embeddings = "gpt";
    const Json body = {{"data", {{{"index", 1}, {"embedding", {0.5, 1.0}}}, {{"index", 0}, {"embedding", "AACAPwAAAEA="}}}},
                       {"usage", {{"prompt_tokens", 4}}}};
    upstream.enqueue({send(http_answer(200, "application/json", body.dump()))});
    EmbeddingRequest request;
    request.model = "gpt";
    request.input = {"a", "b"};
    on_core([&]() -> Task<void> {
        const auto answer = co_await gateway().embed(request, context());
        EXPECT_TRUE(answer.has_value());
        if (!answer)
            co_return;
        EXPECT_EQ(answer->vectors, (std::vector<std::vector<float>>{{1.0f, 2.0f}, {0.5f, 1.0f}}));
        EXPECT_EQ(answer->usage.prompt_tokens, 4);
    });
    EXPECT_EQ(Json::parse(upstream.requests().at(0).body)["encoding_format"], "float");
    const auto shown = metrics.text();
    const auto at = shown.find("gen_ai_client_operation_duration_seconds_count{");
    ASSERT_NE(at, std::string::npos);
    const auto line = shown.substr(at, shown.find('\n', at) - at);
    EXPECT_THAT(line, HasSubstr(R"(gen_ai_operation_name="embeddings")"));
    EXPECT_THAT(line, HasSubstr(R"(gen_ai_provider_name="up")"));
    EXPECT_THAT(line, HasSubstr(R"(error_type="")"));
}

TEST_F(Upstream, EmbeddingsWithoutNumbersAreEstimated)
{
    settings.models.embeddings = "gpt";
    settings.model.at(0).prices.input = 1'000'000'000;   // a dollar per million tokens
    EmbeddingRequest request;
    request.model = "gpt";
    request.input = {"nine byte"};
    for (const std::string usage : {"", R"(,"usage":null)", R"(,"usage":[])", R"(,"usage":5)", R"(,"usage":{})"}) {
        const auto body = R"({"data":[{"index":0,"embedding":[0.5]}])" + usage + "}";
        upstream.enqueue({send(http_answer(200, "application/json", body))});
        on_core([&]() -> Task<void> {
            const auto answer = co_await gateway().embed(request, context());
            EXPECT_TRUE(answer.has_value()) << usage;
            if (!answer)
                co_return;
            EXPECT_EQ(answer->usage.prompt_tokens, 3) << usage;
            EXPECT_EQ(answer->usage.cost_nano, 3000) << usage;
            EXPECT_TRUE(answer->usage.estimated) << usage;
        });
    }
    EXPECT_THAT(metrics.text(), HasSubstr("\ndure_usage_estimated_total 5\n"));
}

}  // namespace

}  // namespace dure::llm::test

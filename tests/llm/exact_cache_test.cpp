// The exact response cache and the reload, over real sockets.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "llm/exact_cache.hpp"
#include "llm/gateway_fixture.hpp"
#include "support/openai_script.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::llm::test {

namespace {

using namespace dure::test;
using namespace std::chrono_literals;

class Cached : public GatewayTest {
protected:
    Cached()
    {
        add_upstream(upstream.base());
        settings.model.at(0).cache = "exact";
        settings.model.at(0).prices.output = 1'000'000'000;
        upstream.handle([](const RecordedRequest& request) {
            return request.body.find("\"stream\":true") == std::string::npos ? completion_script("answer")
                                                                             : text_stream_script("an answer");
        });
    }
    Result<void> ask(const std::string& rest, bool streamed = false, const std::string& user = "user-1")
    {
        record = {};
        sink = KeepingSink();
        const CallContext call("req", user, Deadline::after(20s));
        return relay("gpt", R"({"model":"gpt",)" + rest + "}", streamed, false, sink, record, call);
    }
    ScriptedUpstream upstream;
    KeepingSink sink;
    RelayRecord record;
};

const std::string cached_question = R"("messages":[{"role":"user","content":"hi"}])";

TEST_F(Cached, TheSameRequestIsAnsweredFromMemoryAtNoCost)
{
    ASSERT_TRUE(ask(cached_question));
    EXPECT_EQ(record.cache_hit, false);
    EXPECT_EQ(record.completion.usage.cost_nano, 5000);
    const auto first = Json::parse(record.body);
    ASSERT_TRUE(ask(cached_question));
    EXPECT_EQ(record.cache_hit, true);
    EXPECT_EQ(record.completion.usage.cost_nano, 0);
    const auto second = Json::parse(record.body);
    EXPECT_EQ(second["choices"][0]["message"]["content"], "answer");
    EXPECT_EQ(second["usage"], first["usage"]);
    EXPECT_NE(second["id"], first["id"]);
    ASSERT_TRUE(ask(cached_question + R"(,"stream":true)", true));
    EXPECT_EQ(sink.text, "answer") << "a hit can be streamed";
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(Cached, AHitNamesTheParametersThatItsMakingLeftOut)
{
    add_upstream(upstream.base(), "other");   // a chain asks each of its targets for one model
    const auto question = cached_question + R"(,"models":["other"])";
    ASSERT_TRUE(ask(question));
    EXPECT_EQ(record.cache_hit, false);
    EXPECT_EQ(record.dropped_params, std::vector<std::string>{"models"});
    ASSERT_TRUE(ask(question));
    EXPECT_EQ(record.cache_hit, true);
    EXPECT_EQ(record.dropped_params, std::vector<std::string>{"models"});
}

TEST_F(Cached, AHitHasTheDetailsOfItsUsageAndReasoning)
{
    upstream.handle([](const RecordedRequest&) {
        return Script{
            send(http_answer(200, "application/json", R"({"id":"c","object":"chat.completion","created":1,"model":"m",
            "choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"r",
              "reasoning_details":[{"type":"reasoning.text","text":"r","signature":"s"}]},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3},
              "completion_tokens_details":{"reasoning_tokens":2}}})"))};
    });
    ASSERT_TRUE(ask(cached_question));
    const auto first = Json::parse(record.body);
    ASSERT_TRUE(ask(cached_question));
    EXPECT_EQ(record.cache_hit, true);
    const auto second = Json::parse(record.body);
    EXPECT_EQ(second["usage"], first["usage"]);
    EXPECT_EQ(second["choices"][0]["message"]["reasoning_details"],
              first["choices"][0]["message"]["reasoning_details"]);
}

TEST_F(Cached, AnAnswerWithMoreThanItsTextIsAskedForAgain)
{
    const std::string image = R"("images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}])";
    const std::string call = R"("tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"run","input":"1"}}])";
    upstream.handle([&](const RecordedRequest& request) {
        const auto asks = [&](const char* word) { return request.body.find(word) != std::string::npos; };
        const auto rest = asks("image") ? image : asks("call") ? call : R"("images":[],"annotations":null)";
        const auto choice = [&](const char* name) {
            return R"({"id":"c","object":"x","created":1,"model":"m","choices":[{"index":0,")" + std::string(name) +
                   R"(":{"role":"assistant","content":"a",)" + rest + R"(},"finish_reason":"stop"}]})";
        };
        if (request.body.find("\"stream\":true") == std::string::npos)
            return Script{send(http_answer(200, "application/json", choice("message")))};
        return stream_script({sse_data(choice("delta"))});
    });
    for (const bool streamed : {false, true}) {
        const auto rest = cached_question + (streamed ? R"(,"seed":1,"stream":true)" : R"(,"seed":2)");
        for (const std::string kind : {"image", "call", "plain"}) {
            const auto question = rest + R"(,"stop":")" + kind + '"';
            ASSERT_TRUE(ask(question, streamed));
            ASSERT_TRUE(ask(question, streamed));
            EXPECT_EQ(record.cache_hit, kind == "plain") << question;
        }
    }
    EXPECT_EQ(upstream.request_count(), 10);
}

// Signed thoughts go back unchanged with the tool results: a stream that lost them would be refused by the provider.
TEST_F(Cached, AStreamNeverLosesTheDetailsOfThoughts)
{
    const auto details = R"("reasoning_details":[{"type":"reasoning.text","text":"r","signature":"s"}])";
    upstream.handle([&](const RecordedRequest& request) {
        const auto choice = [&](const char* name) {
            return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,")" +
                   std::string(name) + R"(":{"role":"assistant","content":"a",)" + details +
                   R"(},"finish_reason":"stop"}]})";
        };
        if (request.body.find("\"stream\":true") == std::string::npos)
            return Script{send(http_answer(200, "application/json", choice("message")))};
        return stream_script({sse_data(choice("delta"))});
    });
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(ask(cached_question + R"(,"seed":1,"stream":true)", true));
        EXPECT_EQ(record.cache_hit, false);
        EXPECT_THAT(sink.bytes, ::testing::HasSubstr(details));
    }
    ASSERT_TRUE(ask(cached_question));
    ASSERT_TRUE(ask(cached_question));
    EXPECT_EQ(record.cache_hit, true) << "a whole answer has room for them";
    ASSERT_TRUE(ask(cached_question + R"(,"stream":true)", true));
    EXPECT_EQ(record.cache_hit, false);
    EXPECT_THAT(sink.bytes, ::testing::HasSubstr(details));
    EXPECT_EQ(upstream.request_count(), 4);
}

TEST_F(Cached, AnAnswerWithMoreBesideItsTextIsAskedForAgain)
{
    struct Row {
        const char* top;
        const char* choice;
        bool kept;
    };
    static const Row rows[] = {
        {R"("citations":["https://a.example"],)", "", false},
        {R"("search_results":[{"title":"t"}],)", "", false},
        {"", R"("grounding":{"a":1},)", false},
        {R"("citations":[],"x_groq":{"id":"r"},"provider":"P",)", R"("content_filter_results":{"hate":{}},)", true},
        {R"("prompt_filter_results":[{"prompt_index":0}],)", R"("logprobs":null,)", true}};
    for (const bool streamed : {false, true}) {
        for (const auto& row : rows) {
            upstream.handle([&, streamed](const RecordedRequest&) {
                const auto text = std::string(R"({"id":"c","object":"chat.completion)") + (streamed ? ".chunk" : "") +
                                  R"(","created":1,"model":"m",)" + row.top + R"("choices":[{"index":0,)" + row.choice +
                                  (streamed ? R"("delta")" : R"("message")") +
                                  R"(:{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":)" +
                                  (streamed ? "null}" : R"({"prompt_tokens":1,"completion_tokens":1}})");
                if (streamed)
                    return stream_script({sse_data(text)});
                return Script{send(http_answer(200, "application/json", text))};
            });
            const auto question = cached_question + R"(,"seed":)" + std::to_string(&row - rows) +
                                  (streamed ? R"(,"top_p":1,"stream":true)" : "");
            ASSERT_TRUE(ask(question, streamed));
            ASSERT_TRUE(ask(question, streamed));
            EXPECT_EQ(record.cache_hit, row.kept) << streamed << row.top << row.choice;
        }
    }
}

// Whoever makes the answer first: a client behind it has to see all of it.
TEST_F(Cached, AnAnswerMadeForOurselvesIsNotGivenToAClientThatWouldLoseAPart)
{
    upstream.handle([](const RecordedRequest&) {
        return Script{
            send(http_answer(200, "application/json", R"({"id":"c","object":"chat.completion","created":1,"model":"m",
            "citations":["https://a.example"],"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":1,"completion_tokens":1}})"))};
    });
    for (int i = 0; i < 2; ++i) {
        model::Completion answer;
        ASSERT_TRUE(complete(asking("hi", "gpt"), answer));
        EXPECT_EQ(answer.text, "a");
        EXPECT_EQ(upstream.request_count(), i + 1);
    }
}

TEST_F(Cached, AnAnswerOfPartsThatAreNotTextIsAskedForAgain)
{
    upstream.handle([](const RecordedRequest&) {
        return Script{send(http_answer(200, "application/json", R"({"id":"c","choices":[{"message":{"content":[
            {"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,"}}]},"finish_reason":"stop"}]})"))};
    });
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(ask(cached_question));
        EXPECT_EQ(record.cache_hit, false);
        EXPECT_EQ(Json::parse(record.body)["choices"][0]["message"]["content"].size(), 2u);
    }
}

TEST_F(Cached, WhatDoesNotShapeTheAnswerDoesNotMatterWhatDoesIsApart)
{
    ASSERT_TRUE(ask(cached_question + R"(,"temperature":1)"));
    for (
        const auto* same :
        {R"(  "temperature" : 1.0 , "user":"x", "metadata":{"a":1}, "messages":[{"content":"hi","role":"user"}])",
         R"("messages":[{"role":"user","content":"hi"}],"temperature":1,"dure_session":"s","safety_identifier":"q")"}) {
        ASSERT_TRUE(ask(same));
        EXPECT_EQ(record.cache_hit, true) << same;
    }
    for (const auto& other :
         {cached_question, cached_question + R"(,"temperature":0.5)", cached_question + R"(,"temperature":1,"seed":1)",
          std::string(R"("temperature":1,"messages":[{"role":"user","content":"hi "}])"),
          cached_question + R"(,"temperature":1,"odd":[1,2])", cached_question + R"(,"temperature":1,"odd":[2,1])"}) {
        ASSERT_TRUE(ask(other));
        EXPECT_EQ(record.cache_hit, false) << other;
    }
    ASSERT_TRUE(ask(cached_question + R"(,"temperature":1)", false, "user-2"));
    EXPECT_EQ(record.cache_hit, false) << "of another user";
}

TEST_F(Cached, OnlyCompleteAnswersThatStoppedAreKept)
{
    upstream.enqueue({send(http_answer(200, "application/json", dure::test::completion_body("cut", "length")))});
    ASSERT_TRUE(ask(cached_question));
    ASSERT_TRUE(ask(cached_question));
    EXPECT_EQ(record.completion.text, "answer");
    upstream.enqueue(error_script(400, "no", "invalid_request_error"));
    EXPECT_FALSE(ask(cached_question + R"(,"seed":5)"));
    ASSERT_TRUE(ask(cached_question + R"(,"seed":5)"));
    for (const auto* never : {R"(,"n":2)", R"(,"logprobs":true)"}) {
        ASSERT_TRUE(ask(cached_question + never));
        EXPECT_EQ(record.cache_hit, std::nullopt) << never;
    }
}

TEST_F(Cached, EqualRequestsInFlightShareOneUpstreamCall)
{
    upstream.handle([](const RecordedRequest&) { return Script{pause(100ms), completion_script("shared").at(0)}; });
    (void)gateway();
    const std::string body = R"({"model":"gpt",)" + cached_question + "}";
    RelayRequest request;
    request.model = "gpt";
    request.body = body;
    const auto call = context();
    std::vector<RelayRecord> records(8);
    auto task = [&](RelayRecord& into) -> Task<void> {
        EXPECT_TRUE((co_await gateway().relay(request, call, sink, into)).has_value());
    };
    std::vector<std::future<void>> running;
    for (auto& one : records)
        running.push_back(boost::asio::co_spawn(cores.at(0), task(one), boost::asio::use_future));
    for (auto& one : running)
        one.get();
    for (const auto& one : records)
        EXPECT_EQ(one.completion.text, "shared");
    EXPECT_EQ(upstream.request_count(), 1);
    const auto shown = metrics.text();
    const auto at = shown.find("gen_ai_client_operation_duration_seconds_count{");
    ASSERT_NE(at, std::string::npos);
    EXPECT_THAT(shown.substr(at, shown.find('\n', at) - at), ::testing::EndsWith("} 1")) << "calls of providers";
}

// Equal calls on one core, each of which may leave.
class CachedCallers : public Cached {
protected:
    struct Caller {
        RelayRecord record;
        std::string refused;  // why
        boost::asio::cancellation_signal leaving;
        std::promise<void> ended;
    };
    CachedCallers()
    {
        request.model = "gpt";
        request.body = body;
        call.from_client = true;
    }
    void begin(Caller& caller)
    {
        (void)gateway();
        auto work = [](CachedCallers& self, Caller& who) -> Task<void> {
            const auto result = co_await self.gateway().relay(self.request, self.call, self.sink, who.record);
            who.refused = result ? "" : result.error().reason();
        };
        boost::asio::co_spawn(cores.at(0), work(*this, caller),
                              boost::asio::bind_cancellation_slot(
                                  caller.leaving.slot(), [&caller](std::exception_ptr) { caller.ended.set_value(); }));
    }
    void begin_first(Caller& caller)
    {
        begin(caller);
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() == 1; }));
    }
    void begin_three()
    {
        begin_first(first);
        begin(second);
        begin(third);
    }
    void leave(Caller& caller)
    {
        std::promise<void> told;
        boost::asio::post(cores.at(0), [&] {
            caller.leaving.emit(boost::asio::cancellation_type::terminal);
            told.set_value();
        });
        told.get_future().get();
    }
    static void wait_for_end(Caller& caller) { caller.ended.get_future().get(); }
    void wait_for_three()
    {
        for (auto* one : {&first, &second, &third})
            wait_for_end(*one);
    }

    const std::string body = R"({"model":"gpt",)" + cached_question + "}";
    RelayRequest request;
    CallContext call = context();
    Caller first, second, third;
};

TEST_F(CachedCallers, TheFirstThatLeavesDoesNotEndTheCallOfTheOthers)
{
    upstream.enqueue({await_word(), completion_script("for those who stayed").at(0)});
    begin_three();
    leave(first);
    upstream.go_on();
    wait_for_three();
    EXPECT_EQ(second.record.completion.text, "for those who stayed");
    EXPECT_EQ(third.record.completion.text, "for those who stayed");
    EXPECT_TRUE(first.record.completion.drained) << "it was read for others, and is charged";
    EXPECT_TRUE(upstream.peer_closes().empty());
    EXPECT_EQ(upstream.request_count(), 1);
    ASSERT_EQ(attempts.rows().size(), 1u);
    EXPECT_EQ(attempts.rows()[0].failure, "success");
}

TEST_F(CachedCallers, TheCallEndsWhenTheLastOfThemLeaves)
{
    upstream.enqueue({await_peer_close(10s)});
    begin_three();
    for (auto* one : {&first, &third})
        leave(*one);
    EXPECT_TRUE(upstream.peer_closes().empty());
    leave(second);
    wait_for_three();
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_EQ(upstream.request_count(), 1);
    ASSERT_EQ(attempts.rows().size(), 1u);
    EXPECT_EQ(attempts.rows()[0].failure, "cancelled");
}

TEST_F(CachedCallers, OneThatNobodyWaitsBehindEndsAtOnce)
{
    upstream.enqueue({await_peer_close(10s)});
    begin_first(first);
    leave(first);
    wait_for_end(first);
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_FALSE(first.record.completion.drained);
}

TEST_F(CachedCallers, AWriteThatFailsIsALeavingToo)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("seen"))), await_peer_close(10s)});
    request.stream = true;
    sink.on_output = [&] { sink.gone = true; };
    begin(first);
    wait_for_end(first);
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_FALSE(first.record.completion.drained);
}

TEST_F(CachedCallers, WhatFailsBehindTheFirstIsMadeByTheNext)
{
    upstream.enqueue({await_word(), reset()});
    upstream.enqueue(completion_script("for those who stayed"));
    begin_three();
    leave(first);
    upstream.go_on();
    wait_for_three();
    EXPECT_EQ(second.record.completion.text, "for those who stayed");
    EXPECT_EQ(third.record.completion.text, "for those who stayed");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(CachedCallers, WhatTheProviderRefusesIsRefusedToAllWhoWait)
{
    upstream.enqueue({await_word(), error_script(400, "no", "invalid_request_error", "content_filter").at(0)});
    begin_three();
    upstream.go_on();
    wait_for_three();
    EXPECT_NE(first.refused, "");
    EXPECT_EQ(second.refused, first.refused);
    EXPECT_EQ(third.refused, first.refused);
    EXPECT_EQ(upstream.request_count(), 1) << "each asking again would only add to its load";
}

// Those behind the first have seen nothing of what was cut.
TEST_F(CachedCallers, AnAnswerCutBehindItsFirstWordsIsMadeByTheNext)
{
    request.stream = true;
    upstream.enqueue({await_word(), send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("half"))), reset()});
    upstream.enqueue(text_stream_script("whole"));
    begin_three();
    upstream.go_on();
    wait_for_three();
    EXPECT_NE(first.refused, "");
    EXPECT_EQ(second.record.completion.text, "whole");
    EXPECT_EQ(third.record.completion.text, "whole");
    EXPECT_EQ(upstream.request_count(), 2);
}

// The time limit of a run ends its calls when it says so.
TEST_F(CachedCallers, WorkInsideOfTheServerIsCutAndTakenOverByTheNext)
{
    call.from_client = false;
    upstream.enqueue({await_peer_close()});
    upstream.enqueue(completion_script("for those who stayed"));
    begin_first(first);
    begin(second);
    leave(first);
    for (auto* one : {&first, &second})
        wait_for_end(*one);
    EXPECT_EQ(second.record.completion.text, "for those who stayed");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(Cached, AReloadTakesNewModelsAndKeepsWhatRunsAndWhatIsCooled)
{
    upstream.enqueue(error_script(429, "slow", "rate_limit_error", nullptr, {{"Retry-After", "120"}}));
    EXPECT_FALSE(ask(cached_question));
    auto changed = settings;
    changed.model.push_back(changed.model.at(0));
    changed.model.back().id = "gpt-2";
    ASSERT_TRUE(gateway().reload(changed));
    EXPECT_TRUE(gateway().serves("gpt-2"));
    const auto cooled = ask(cached_question);
    ASSERT_FALSE(cooled);
    EXPECT_EQ(cooled.error().reason(), "no_target_available");
    changed.providers.at(0).keys = {SecretString("another")};
    ASSERT_TRUE(gateway().reload(changed));
    EXPECT_TRUE(ask(cached_question)) << "another key has not been cooled down";
    changed.models.default_model = "nobody";
    EXPECT_FALSE(gateway().reload(changed));
    EXPECT_TRUE(gateway().serves("gpt-2")) << "a broken configuration changes nothing";
}

TEST_F(Cached, EveryTargetIsTriedByTheCheck)
{
    add_upstream("http://127.0.0.1:1", "down");
    std::vector<TargetCheck> seen;
    on_core([&]() -> Task<void> {
        co_await gateway().check_targets([&](const TargetCheck& one) { seen.push_back(one); });
    });
    ASSERT_GE(seen.size(), 2u);
    EXPECT_EQ(seen[0].target, "up/upstream-gpt");
    EXPECT_EQ(seen[0].error, "");
    EXPECT_EQ(seen[1].target, "down/upstream-gpt");
    EXPECT_THAT(seen[1].error, ::testing::HasSubstr("upstream_unreachable"));
}

TEST_F(Cached, WhatOpenRouterSaysItBilledWinsOverThePrices)
{
    auto answer = Json::parse(dure::test::completion_body("x"));
    answer["usage"]["cost"] = 0.00123;
    upstream.enqueue({send(http_answer(200, "application/json", answer.dump()))});
    ASSERT_TRUE(ask(cached_question));
    EXPECT_EQ(record.completion.usage.cost_nano, 1230000);
}

}  // namespace

}  // namespace dure::llm::test

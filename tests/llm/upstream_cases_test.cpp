// The cases of llm-upstreams §9 up to 25 by number, against scripted providers over real sockets. The others:
// upstream_cases_end_test.cpp; 27, 32 and 33 need the whole server: tests/integration/upstream_cases_test.cpp.
#include "llm/upstream_cases_fixture.hpp"
#include "llm/exchange.hpp"

namespace dure::llm::test {

namespace {

TEST_F(UpstreamCases, Case01_A429WithAShortPauseIsWaitedForOnce)
{
    upstream.enqueue(limited({{"retry-after-ms", "80"}}));
    upstream.enqueue(completion_script("ok"));
    const auto start = Steady::now();
    ASSERT_TRUE(whole_now());
    EXPECT_GE(Steady::now() - start, 80ms);
    forget_gateway();
    always(limited({{"retry-after-ms", "80"}}));
    const auto result = whole_now();
    expect_error(result, Errc::rate_limited, "rate_limit_exceeded");
    EXPECT_TRUE(result.error().extra().retry_after);
    EXPECT_EQ(upstream.request_count(), 4);
}

TEST_F(UpstreamCases, Case02_A429FarAwayGoesToTheNextTargetAndCoolsThisOne)
{
    chain();
    upstream.enqueue(limited({{"Retry-After", "120"}}));
    other.handle([](const RecordedRequest&) { return text_stream_script("fine"); });
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.attempts, 1);
    EXPECT_EQ(upstream.request_count(), 1) << "it is cooled down";
}

TEST_F(UpstreamCases, Case02_TheClientIsToldToComeBackWhenTheTargetDoes)
{
    always(limited({{"Retry-After", "31536000"}}));
    EXPECT_EQ(whole_now().error().extra().retry_after, 600s);
    EXPECT_EQ(whole_now().error().extra().retry_after, 600s) << "nothing is sent there";
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(UpstreamCases, Case03_A429WithoutHeaderTakesTheOtherKeyFirst)
{
    settings.providers.at(0).keys.emplace_back("sk-provider-secret-2");
    chain();
    upstream.handle([](const RecordedRequest& request) {
        return request.header("authorization") == "Bearer sk-provider-secret-1" ? limited()
                                                                                : completion_script("second key");
    });
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "second key");
    EXPECT_EQ(other.request_count(), 0);
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.attempts, 1) << "the first key is cooled down";
    forget_gateway();
    always(limited());
    other.enqueue(completion_script("the next"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "the next");
    EXPECT_EQ(record.completion.attempts, 3);
}

TEST_F(UpstreamCases, Case04_AUsedUpQuotaTurnsTheKeyOff)
{
    for (const auto& script : {limited({}, "insufficient_quota"), error_script(402, "pay", "x")}) {
        forget_gateway();
        upstream.enqueue(script);
        const auto before = upstream.request_count();
        expect_error(whole_now(), Errc::upstream_failed, "upstream_quota");
        expect_error(whole_now(), Errc::upstream_failed, "upstream_quota");
        EXPECT_EQ(upstream.request_count() - before, 1) << "a key that is off is not tried";
    }
}

TEST_F(UpstreamCases, Case05_ARefusedKeyEndsTheProviderForTheRequest)
{
    settings.model.at(0).targets.push_back("up/second-model");
    chain();
    upstream.enqueue(error_script(401, "bad key", "authentication_error"));
    other.enqueue(completion_script("other"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
    EXPECT_EQ(upstream.request_count(), 1);
    forget_gateway();
    settings.model.at(0).targets.resize(1);
    upstream.enqueue(error_script(401, "bad key", "authentication_error"));
    expect_error(whole_now(), Errc::upstream_failed, "upstream_auth");
}

TEST_F(UpstreamCases, Case06_A500IsRetriedOnceOnTheSameTarget)
{
    chain();
    upstream.enqueue(error_script(500, "boom", "server_error"));
    upstream.enqueue(text_stream_script("fine now"));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.answered_by, "up/upstream-gpt");
    EXPECT_EQ(record.completion.attempts, 2);
}

TEST_F(UpstreamCases, Case07_APersistentOverloadOpensTheBreaker)
{
    for (const int status : {503, 529}) {
        forget_gateway();
        const auto before = upstream.request_count();
        always(error_script(status, "busy", "overloaded_error"));
        expect_error(whole_now(), Errc::unavailable, "upstream_overloaded");
        EXPECT_EQ(upstream.request_count() - before, 2);
        expect_error(whole_now(), Errc::unavailable, "upstream_overloaded");
        EXPECT_EQ(upstream.request_count() - before, 3) << "the third failure opens it";
        expect_error(whole_now(), Errc::unavailable, "no_target_available");
        EXPECT_EQ(upstream.request_count() - before, 3);
    }
}

TEST_F(UpstreamCases, Case08_WhatCannotBeReachedIsTriedOnceMoreAndThenTheNextTarget)
{
    const auto plain = "https://127.0.0.1:" + std::to_string(upstream.port());   // no TLS is spoken there
    for (const auto& base : {std::string("http://127.0.0.1:1"), std::string("http://nobody.invalid"), plain}) {
        SCOPED_TRACE(base);
        forget_gateway();
        settings.providers.clear();
        settings.model.clear();
        add_upstream(base);
        timeouts().connect = 500ms;   // a machine without DNS does not even say that there is no such name
        expect_error(whole_now(), Errc::upstream_failed, "upstream_unreachable");
        EXPECT_EQ(record.completion.attempts, 2);
        forget_gateway();
        chain();
        other.enqueue(completion_script("reached"));
        ASSERT_TRUE(whole_now());
        EXPECT_EQ(record.completion.text, "reached");
        EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
    }
    EXPECT_EQ(upstream.request_count(), 0);
}

TEST_F(UpstreamCases, Case09_SilenceIsWaitedForOnce)
{
    timeouts().head = timeouts().total = timeouts().first_output = 150ms;
    always({await_peer_close()});
    expect_error(stream_now(), Errc::timeout, "upstream_timeout");
    EXPECT_EQ(upstream.request_count(), 1);
    forget_gateway();
    chain();
    other.enqueue(text_stream_script("awake"));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "awake");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(UpstreamCases, Case09_ASilentHeadOfAnAnswerWithoutAStreamIsNotWaitedForUntilItsTotal)
{
    chain();
    timeouts().head = 150ms;
    always({await_peer_close()});
    other.enqueue(completion_script("awake"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "awake");
    // A model that thinks sends it when it has thought.
    forget_gateway();
    settings.model.at(0).targets.resize(1);
    settings.model.at(0).reasoning = true;
    const auto thought = completion_script("42");
    Script late{pause(400ms)};
    late.insert(late.end(), thought.begin(), thought.end());
    always(late);
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "42");
}

TEST(PatienceForHead, OfAnAnswerWithoutAStreamIsItsTotalUnlessAnotherIsSet)
{
    config::ProviderTimeouts as_they_are;
    EXPECT_EQ(patience_for_head(as_they_are, true, false), 30s);
    EXPECT_EQ(patience_for_head(as_they_are, true, true), 30s);
    EXPECT_EQ(patience_for_head(as_they_are, false, false), 180s);
    auto set = as_they_are;
    set.head = 10s;
    EXPECT_EQ(patience_for_head(set, true, true), 10s);
    EXPECT_EQ(patience_for_head(set, false, false), 10s);
    EXPECT_EQ(patience_for_head(set, false, true), 180s) << "a model that thinks has the time for it";
}

TEST_F(UpstreamCases, Case10_CommentsAloneAreNoOutput)
{
    timeouts().first_output = 150ms;
    Script comments{send(sse_head() + chunk(role_chunk()))};
    for (int i = 0; i < 100; ++i) {
        comments.push_back(send(chunk(": OPENROUTER PROCESSING\n\n")));
        comments.push_back(pause(10ms));
    }
    upstream.enqueue(comments);
    expect_error(stream_now(), Errc::timeout, "upstream_timeout");
    EXPECT_TRUE(sink.bytes.empty());
}

TEST_F(UpstreamCases, Case11_AStaleConnectionIsReplacedUnseen)
{
    upstream.enqueue(completion_script("first"));
    upstream.enqueue({reset()});
    upstream.enqueue(completion_script("second"));
    ASSERT_TRUE(whole_now());
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "second");
    EXPECT_EQ(record.completion.attempts, 1);
    EXPECT_EQ(upstream.request_count(), 3);
}

TEST_F(UpstreamCases, Case08_ANewConnectionThatEndsWithoutAWordIsAFailedServer)
{
    always({reset()});
    expect_error(stream_now(), Errc::upstream_failed, "upstream_error");
    EXPECT_EQ(upstream.request_count(), 2);
}

TEST_F(UpstreamCases, Case12_AnErrorEventBeforeOutputIsAFailureLikeAnyOther)
{
    chain();
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(sse_data(error_body("x", "insufficient_quota"))) +
                           last_chunk())});
    other.enqueue(text_stream_script("good"));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "good");
    EXPECT_THAT(sink.bytes, Not(HasSubstr("error")));
}

TEST_F(UpstreamCases, Case13_AnErrorEventAfterOutputEndsTheStream)
{
    expect_broken_after_part(
        {send(chunk(sse_data(error_body("x", "server_error"))) + chunk(done_event()) + last_chunk())},
        "upstream_error");
}

TEST_F(UpstreamCases, Case14_AResetAfterOutputInterrupts)
{
    expect_broken_after_part({pause(30ms), reset()}, "stream_interrupted");
}

TEST_F(UpstreamCases, Case14_ABodyWithoutItsLastChunkInterrupts)
{
    expect_broken_after_part({close_connection()}, "stream_interrupted");
}

TEST_F(UpstreamCases, Case15_ACleanEndWithoutFinishInterrupts)
{
    expect_broken_after_part({send(last_chunk())}, "stream_interrupted");
}

TEST_F(UpstreamCases, Case16_AFinishWithoutDoneIsWhole)
{
    upstream.enqueue(
        {send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("x")) + chunk(finish_chunk("stop")) + last_chunk())});
    ASSERT_TRUE(stream_now());
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
}

TEST_F(UpstreamCases, Case17_BytesThatStopTimeOut)
{
    timeouts().byte_silence = 150ms;
    expect_broken_after_part({await_peer_close()}, "upstream_timeout");
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); })) << "the upstream is closed";
}

TEST_F(UpstreamCases, Case18_PingsAloneAreNoProgress)
{
    timeouts().progress_silence = 150ms;
    Script pings;
    for (int i = 0; i < 100; ++i) {
        pings.push_back(send(chunk(": ping\n\n")));
        pings.push_back(pause(20ms));
    }
    expect_broken_after_part(pings, "upstream_timeout");
}

TEST_F(UpstreamCases, Case19_TheThirdMalformedEventEndsTheStream)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk("data: {\n\n") + chunk(text_chunk("a")) +
                           chunk("data: [\n\n") + chunk(finish_chunk("stop")) + chunk(done_event()) + last_chunk())});
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "a");
    Script script{send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part")) +
                       chunk("data: {\n\ndata: {\n\ndata: {\n\n"))};
    upstream.enqueue(script);
    const auto result = stream_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "upstream_protocol_error");
}

TEST_F(UpstreamCases, Case20_ABrokenWholeAnswerIsMadeAgainUnseen)
{
    upstream.enqueue(
        {send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\""),
         reset()});
    upstream.enqueue(completion_script("whole"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "whole");
    model::Completion completion;
    upstream.enqueue(
        {send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\""),
         reset()});
    upstream.enqueue(completion_script("typed"));
    ASSERT_TRUE(complete(asking("hi", "gpt"), completion));
    EXPECT_EQ(completion.text, "typed");
}

TEST_F(UpstreamCases, Case21_ATooLongPromptTriesLargerWindowsOnly)
{
    ScriptedUpstream large;
    add_upstream(other.base(), "other");
    add_upstream(large.base(), "large");
    config::Model larger;
    larger.id = "larger";
    larger.targets = {"large/upstream-gpt"};
    larger.context_window = 1000000;
    settings.model.push_back(larger);
    always(error_script(400, "This model's maximum context length is 4096 tokens", "invalid_request_error"));
    large.enqueue(completion_script("it fits"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.answered_by, "large/upstream-gpt");
    EXPECT_EQ(other.request_count(), 0) << "its window is no larger";
    large.enqueue(error_script(400, "prompt is too long", "invalid_request_error"));
    const auto result = whole_now();
    expect_error(result, Errc::invalid_argument, "context_length_exceeded");
    EXPECT_EQ(result.error().param(), "messages");
}

TEST_F(UpstreamCases, Case22_AContentPolicyStopsUnlessTheModelGoesOn)
{
    chain();
    const auto refusal = error_script(400, "This was flagged", "x", "content_policy_violation");
    upstream.enqueue(refusal);
    const auto result = whole_now();
    expect_error(result, Errc::invalid_argument, "content_policy_violation");
    EXPECT_THAT(result.error().message(), HasSubstr("flagged"));
    EXPECT_EQ(other.request_count(), 0);
    forget_gateway();
    settings.model.at(0).on_content_filter = "next";
    upstream.enqueue(refusal);
    other.enqueue(completion_script("allowed here"));
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "allowed here");
}

TEST_F(UpstreamCases, Case23_AnUnsupportedParameterIsRepairedAndRemembered)
{
    upstream.enqueue(error_script(400, "Unsupported parameter: 'max_tokens' is not supported", "invalid_request_error",
                                  "unsupported_parameter"));
    upstream.enqueue(text_stream_script("a"));
    upstream.enqueue(text_stream_script("b"));
    ASSERT_TRUE(stream_now());
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(upstream.request_count(), 3);
    EXPECT_EQ(Json::parse(upstream.requests().at(2).body).value("max_completion_tokens", 0), 5);
    always(error_script(400, "Unsupported parameter: 'messages'", "x", "unsupported_parameter"));
    const auto result = stream_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "unsupported_parameter");
    EXPECT_EQ(result.error().param(), "messages");
}

TEST_F(UpstreamCases, Case24_AModelMissingUpstreamGoesToTheNextAndIsOff)
{
    chain();
    upstream.enqueue(error_script(404, "no such model", "x"));
    other.handle([](const RecordedRequest&) { return completion_script("there"); });
    ASSERT_TRUE(whole_now());
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(upstream.request_count(), 1) << "it is off for a while";
    forget_gateway();
    settings.model.at(0).targets.resize(1);
    upstream.enqueue(error_script(404, "no such model", "x"));
    expect_error(whole_now(), Errc::upstream_failed, "upstream_model_missing");
    expect_error(relay("nobody", case_whole, false, false, sink, record), Errc::not_found, "model_not_found");
}

TEST_F(UpstreamCases, Case25_WhatIsNoAnswerIsAProtocolError)
{
    for (const auto& answer : {http_answer(200, "text/html", "<html>"), http_answer(200, "application/json", ""),
                               http_answer(200, "application/json", R"({"choices":[]})")}) {
        forget_gateway();
        const auto before = upstream.request_count();
        always({send(answer)});
        expect_error(whole_now(), Errc::upstream_failed, "upstream_protocol_error");
        EXPECT_EQ(upstream.request_count() - before, 2);
    }
}

}  // namespace

}  // namespace dure::llm::test

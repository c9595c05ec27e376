// The cases of llm-upstreams §9 from 26 by number, against scripted providers over real sockets; see upstream_cases_test.cpp.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace {

// Cancels the call as soon as `when` says so, as a client that leaves does, and waits for the upstream to see it.
class ClientLeaves : public UpstreamCases {
protected:
    void leave_when(const std::function<bool()>& when, bool streamed)
    {
        boost::asio::cancellation_signal signal;
        RelayRequest request;
        request.model = "gpt";
        request.body = streamed ? case_stream : case_whole;
        request.stream = streamed;
        const auto call = context();
        auto task = [&]() -> Task<void> { (void)co_await gateway().relay(request, call, sink, record); };
        std::promise<std::exception_ptr> ended;
        boost::asio::co_spawn(cores.at(0), task(),
                              boost::asio::bind_cancellation_slot(
                                  signal.slot(), [&](std::exception_ptr error) { ended.set_value(error); }));
        const auto patience = Deadline::after(5s);
        while (!when() && !patience.passed())
            std::this_thread::sleep_for(1ms);
        ASSERT_TRUE(when());
        Steady::time_point left;
        boost::asio::post(cores.at(0), [&] {
            left = Steady::now();
            signal.emit(boost::asio::cancellation_type::terminal);
        });
        EXPECT_NE(ended.get_future().get(), nullptr);
        ASSERT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
        EXPECT_LE(upstream.peer_closes().at(0).at - left, 100ms);
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; }));
    }
    bool asked() const { return upstream.request_count() == 1; }
};

TEST_F(ClientLeaves, Case26_BeforeTheHead)
{
    upstream.enqueue({await_peer_close()});
    leave_when([&] { return asked(); }, true);
    EXPECT_EQ(record.completion.usage.total(), 0) << "nothing came, nothing is charged";
}

TEST_F(ClientLeaves, Case26_BeforeTheFirstToken)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk())), await_peer_close()});
    leave_when([&] { return asked(); }, true);
    EXPECT_FALSE(record.output_started);
}

TEST_F(ClientLeaves, Case26_MidStreamThePartIsChargedByEstimate)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part"))), await_peer_close()});
    std::atomic<bool> seen{false};
    sink.on_output = [&] { seen = true; };
    leave_when([&] { return seen.load(); }, true);
    EXPECT_EQ(record.completion.text, "part");
    EXPECT_TRUE(record.completion.usage.estimated);
    EXPECT_GT(record.completion.usage.prompt_tokens, 0);
}

TEST_F(ClientLeaves, Case26_OfAWholeAnswer)
{
    upstream.enqueue(
        {send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\""),
         await_peer_close()});
    leave_when([&] { return asked(); }, false);
}

TEST_F(UpstreamCases, Case28_CooledTargetsFailFastAndAShortWhileIsWaitedFor)
{
    upstream.enqueue(limited({{"Retry-After", "120"}}));
    expect_error(whole_now(), Errc::rate_limited, "rate_limit_exceeded");
    const auto result = whole_now();
    expect_error(result, Errc::unavailable, "no_target_available");
    ASSERT_TRUE(result.error().extra().retry_after);
    EXPECT_GT(result.error().extra().retry_after->count(), 100);
    EXPECT_EQ(upstream.request_count(), 1);
    forget_gateway();
    settings.model.at(0).attempts = 1;
    upstream.enqueue(limited({{"retry-after-ms", "300"}}));
    upstream.enqueue(completion_script("after the wait"));
    EXPECT_FALSE(whole_now());
    ASSERT_TRUE(whole_now());
    EXPECT_EQ(record.completion.text, "after the wait");
}

// A stream may last for minutes: until its end nobody else would be let through.
TEST_F(UpstreamCases, AProbeThatSpeaksClosesTheBreaker)
{
    settings.breaker = {1, std::chrono::milliseconds(1), std::chrono::milliseconds(1)};
    const auto state = [&] {
        const auto shown = metrics.text();
        const auto at = shown.find(R"(provider="up"} )", shown.find("dure_upstream_breaker_state{"));
        return at == std::string::npos ? '?' : shown.at(shown.find(' ', at) + 1);
    };
    upstream.enqueue(error_script(500, "down", "server_error", nullptr));
    EXPECT_FALSE(whole_now());
    EXPECT_NE(state(), '0');
    std::this_thread::sleep_for(2ms);
    EXPECT_EQ(state(), '1') << "half open";
    upstream.enqueue(text_stream_script("it speaks again", 5ms));
    char when_it_spoke = '-';
    sink.on_output = [&] {
        if (when_it_spoke == '-')
            when_it_spoke = state();
    };
    EXPECT_TRUE(stream_now());
    EXPECT_EQ(when_it_spoke, '0');
}

TEST_F(UpstreamCases, Case29_MissingUsageIsEstimatedAndAnExplicitZeroIsNot)
{
    settings.model.at(0).prices.input = 1'000'000'000;
    upstream.enqueue(stream_script({role_chunk(), text_chunk("four"), finish_chunk("stop")}));
    ASSERT_TRUE(stream_now());
    EXPECT_TRUE(record.completion.usage.estimated);
    EXPECT_EQ(record.completion.usage.completion_tokens, 1);
    EXPECT_EQ(record.completion.usage.cost_nano, record.completion.usage.prompt_tokens * 1000);
    upstream.enqueue(stream_script({role_chunk(), text_chunk("four"), finish_chunk("stop"), usage_chunk(0, 0)}));
    ASSERT_TRUE(stream_now());
    EXPECT_FALSE(record.completion.usage.estimated);
    EXPECT_EQ(record.completion.usage.total(), 0);
    upstream.enqueue(stream_script({role_chunk(), text_chunk("four"), finish_chunk("stop"),
                                    sse_data(R"({"choices":[],"usage":{"prompt_tokens":null,"completion_tokens":null}})")}));
    ASSERT_TRUE(stream_now());
    EXPECT_TRUE(record.completion.usage.estimated) << "numbers that are not there are no zeros";
    EXPECT_EQ(record.completion.usage.completion_tokens, 1);
}

TEST_F(UpstreamCases, Case30_TargetsWithoutToolsAreSkippedNeverTheTools)
{
    chain();
    config::Model plain;
    plain.id = "plain";
    plain.targets = {"up/upstream-gpt"};
    plain.tools = false;
    settings.model.push_back(plain);
    const std::string body =
        R"({"model":"gpt","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}]})";
    other.enqueue(completion_script("with tools"));
    ASSERT_TRUE(relay("gpt", body, false, false, sink, record));
    EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
    EXPECT_EQ(upstream.request_count(), 0);
    const auto refused = relay("plain", body, false, false, sink, record);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), "tools_not_supported");
}

TEST_F(UpstreamCases, Case31_ToolArgumentsThatAreNotJsonPassUnchanged)
{
    upstream.enqueue(
        stream_script({role_chunk(), tool_chunk(tool_call_json(0, "call_1", "f", "{\"a\": ")),
                       tool_chunk({{"index", 0}, {"function", {{"arguments", "oops"}}}}), finish_chunk("tool_calls")}));
    ASSERT_TRUE(stream_now());
    ASSERT_EQ(record.completion.tool_calls.size(), 1u);
    EXPECT_EQ(record.completion.tool_calls[0].arguments, "{\"a\": oops");
    EXPECT_THAT(sink.bytes, HasSubstr("oops"));

    const auto call = tool_call_json(0, "call_1", "f", "not json at all");
    const auto answer = Json{{"id", "1"},
                             {"object", "chat.completion"},
                             {"choices",
                              Json::array({{{"index", 0},
                                            {"message", {{"role", "assistant"}, {"tool_calls", Json::array({call})}}},
                                            {"finish_reason", "tool_calls"}}})}};
    upstream.enqueue({send(http_answer(200, "application/json", answer.dump()))});
    ASSERT_TRUE(whole_now());
    ASSERT_EQ(record.completion.tool_calls.size(), 1u);
    EXPECT_EQ(record.completion.tool_calls[0].arguments, "not json at all");
    EXPECT_THAT(record.body, HasSubstr("not json at all"));
}

// "Must be seen" 4: every request ends in a definite way, and no connection or place stays behind.
TEST_F(UpstreamCases, SixteenConcurrentFaultsMixedAllEnd)
{
    timeouts().head = timeouts().first_output = timeouts().total = timeouts().byte_silence = 400ms;
    settings.breaker.failures = 0;
    const std::vector<Script> faults = {
        error_script(429, "slow", "x", nullptr, {{"retry-after-ms", "1"}}),
        error_script(500, "boom", "x"),
        {await_peer_close()},
        {send(sse_head() + chunk(text_chunk("a"))), reset()},
        text_stream_script("slow but fine", 20ms),
        {send("garbage\r\n\r\n"), close_connection()},
        {send(sse_head() + chunk("data: " + std::string(5 << 20, 'x')))},
        {send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("x")) + last_chunk())}};
    std::atomic<unsigned> turn{0};
    upstream.handle([&](const RecordedRequest&) { return faults[turn++ % faults.size()]; });
    (void)gateway();
    const auto call = context();
    std::atomic<int> ended{0};
    auto caller = [&]() -> Task<void> {
        for (int i = 0; i < 6; ++i) {
            KeepingSink own;
            RelayRecord result;
            RelayRequest request;
            request.model = "gpt";
            request.body = case_stream;
            request.stream = true;
            const auto outcome = co_await gateway().relay(request, call, own, result);
            EXPECT_TRUE(outcome || !outcome.error().reason().empty());
            EXPECT_EQ(outcome.has_value(), own.bytes.find("[DONE]") != std::string::npos);
            ++ended;
        }
    };
    std::vector<std::future<void>> clients;
    for (int i = 0; i < 16; ++i)
        clients.push_back(boost::asio::co_spawn(cores.at(0), caller(), boost::asio::use_future));
    for (auto& one : clients)
        one.get();
    EXPECT_EQ(ended, 96);
    client.close_idle();
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; }));
}

}  // namespace

}  // namespace dure::llm::test

// Reading an answer to its end although its reader has left: its bound, its stop, and what becomes of the cancellation.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "dure/base/timeout.hpp"
#include "llm/drains.hpp"
#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace {

// A call of a client that may leave, on a core.
class DrainedCalls : public UpstreamCases {
protected:
    DrainedCalls()
    {
        settings.model.at(0).on_client_gone = "drain";
        settings.model.at(0).prices.output = 2'000'000'000;
        sink.on_output = [this] { seen = true; };
    }

    void begin(bool streamed, bool from_client = true)
    {
        call.from_client = from_client;
        request.model = "gpt";
        request.body = streamed ? case_stream : case_whole;
        request.stream = streamed;
        (void)gateway();
        auto work = [](DrainedCalls& self) -> Task<void> {
            self.result = co_await self.gateway().relay(self.request, self.call, self.sink, self.record);
        };
        boost::asio::co_spawn(cores.at(0), work(*this),
                              boost::asio::bind_cancellation_slot(
                                  leaving.slot(), [this](std::exception_ptr thrown) { ended.set_value(thrown); }));
    }
    void leave()
    {
        std::promise<void> told;
        boost::asio::post(cores.at(0), [&] {
            leaving.emit(boost::asio::cancellation_type::terminal);
            told.set_value();
        });
        told.get_future().wait();
    }
    // The end of the call is the client's leaving, whenever it comes.
    void expect_cancelled()
    {
        const auto thrown = ended.get_future().get();
        ASSERT_NE(thrown, nullptr);
        try {
            std::rethrow_exception(thrown);
        } catch (const boost::system::system_error& error) {
            EXPECT_EQ(error.code(), boost::asio::error::operation_aborted);
        }
    }
    // Until the upstream has the request and, of a stream, the client its first output.
    void wait_for_begin(bool streamed)
    {
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() > 0; }));
        const auto patience = Deadline::after(5s);
        while (streamed && !seen && !patience.passed())
            std::this_thread::sleep_for(1ms);
        ASSERT_TRUE(!streamed || seen);
    }

    CallContext call = context();
    RelayRequest request;
    Result<void> result;
    std::atomic<bool> seen{false};
    boost::asio::cancellation_signal leaving;
    std::promise<std::exception_ptr> ended;
};

// The second part comes when the test calls upstream.go_on().
Script answer_in_two_parts(const std::string& first, const std::string& second)
{
    return {send(first), await_word(), send(second)};
}

const std::string first_part = sse_head() + chunk(role_chunk()) + chunk(text_chunk("first"));
const std::string last_part = chunk(text_chunk(" last")) + chunk(finish_chunk("stop")) + chunk(usage_chunk(7, 1000)) +
                              chunk(done_event()) + last_chunk();

TEST_F(DrainedCalls, AClientThatLeavesMidStreamIsChargedWhatTheProviderCounted)
{
    upstream.enqueue(answer_in_two_parts(first_part, last_part));
    begin(true);
    wait_for_begin(true);
    leave();
    upstream.go_on();
    expect_cancelled();
    EXPECT_TRUE(upstream.peer_closes().empty()) << "it was read to its end";
    EXPECT_EQ(record.completion.text, "first last");
    EXPECT_TRUE(record.completion.drained);
    EXPECT_FALSE(record.completion.usage.estimated);
    EXPECT_EQ(record.completion.usage.completion_tokens, 1000);
    EXPECT_EQ(record.completion.usage.cost_nano, 2'000'000);
    EXPECT_THAT(sink.bytes, Not(HasSubstr("last"))) << "nobody is written to";
    ASSERT_EQ(attempts.rows().size(), 1u);
    EXPECT_EQ(attempts.rows()[0].failure, "success");
    EXPECT_EQ(attempts.rows()[0].completion_tokens, 1000);
}

TEST_F(DrainedCalls, ABrokenWriteIsALeavingToo)
{
    sink.on_output = [this] {
        sink.gone = true;
        seen = true;
    };
    upstream.enqueue(answer_in_two_parts(first_part, last_part));
    begin(true);
    wait_for_begin(true);
    upstream.go_on();
    EXPECT_EQ(ended.get_future().get(), nullptr);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Errc::cancelled);
    EXPECT_EQ(record.completion.text, "first last");
    EXPECT_EQ(record.completion.usage.completion_tokens, 1000);
    EXPECT_EQ(sink.writes, 1);
}

TEST_F(DrainedCalls, AnAnswerWithoutAStreamIsDrainedAsWell)
{
    const auto whole = completion_script("all of it");
    Script late{await_word()};
    late.insert(late.end(), whole.begin(), whole.end());
    upstream.enqueue(late);
    begin(false);
    wait_for_begin(false);
    leave();
    upstream.go_on();
    expect_cancelled();
    EXPECT_EQ(record.completion.text, "all of it");
    EXPECT_TRUE(record.completion.drained);
}

TEST_F(DrainedCalls, WhoWaitsForTheSameAnswerHasItFromADrain)
{
    settings.model.at(0).cache = "exact";
    upstream.enqueue(answer_in_two_parts(first_part, last_part));
    begin(true);
    wait_for_begin(true);
    RelayRecord other;
    KeepingSink other_sink;
    const auto other_call = context();
    auto work = [&]() -> Task<void> { result = co_await gateway().relay(request, other_call, other_sink, other); };
    auto waiting = boost::asio::co_spawn(cores.at(0), work(), boost::asio::use_future);
    leave();   // behind the other, who waits by then
    upstream.go_on();
    expect_cancelled();
    waiting.get();
    EXPECT_TRUE(result);
    EXPECT_EQ(other.completion.text, "first last");
    EXPECT_FALSE(other.completion.drained);
    EXPECT_EQ(other_sink.text, "first last");
    EXPECT_EQ(upstream.request_count(), 1);
}

TEST_F(DrainedCalls, WhatFailsWithoutAReaderIsNotTriedAgain)
{
    chain();
    upstream.enqueue({send(first_part), await_word(), reset()});
    begin(true);
    wait_for_begin(true);
    leave();
    upstream.go_on();
    expect_cancelled();
    EXPECT_FALSE(record.completion.drained);
    EXPECT_EQ(upstream.request_count() + other.request_count(), 1);
    EXPECT_TRUE(record.completion.usage.estimated) << "what came is charged";
    EXPECT_GT(record.completion.usage.completion_tokens, 0);
}

TEST_F(DrainedCalls, TheStopOfTheServerEndsThem)
{
    upstream.enqueue({send(first_part), await_peer_close(10s)});
    begin(true);
    wait_for_begin(true);
    leave();
    EXPECT_TRUE(upstream.peer_closes().empty());
    gateway().stop_draining();
    expect_cancelled();
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_EQ(record.completion.text, "first");
    EXPECT_FALSE(record.completion.drained);
    EXPECT_TRUE(record.completion.usage.estimated);
}

TEST_F(DrainedCalls, AfterTheStopLeavingEndsACallAtOnce)
{
    gateway().stop_draining();
    upstream.enqueue({send(first_part), await_peer_close(10s)});
    begin(true);
    wait_for_begin(true);
    leave();
    expect_cancelled();
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
}

TEST_F(DrainedCalls, WorkInsideOfTheServerIsCutAtOnce)
{
    upstream.enqueue({send(first_part), await_peer_close(10s)});
    begin(true, false);
    wait_for_begin(true);
    leave();
    expect_cancelled();
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_TRUE(record.completion.usage.estimated);
}

// The bound, with one of the test's own.
TEST_F(DrainedCalls, ADrainHasABound)
{
    Drains drains(50ms);
    model::Completion completion;
    std::atomic<bool> begun_to_wait{false};
    auto work = [](Drains& owner, model::Completion& into, std::atomic<bool>& waits) -> Task<void> {
        Reply reply(co_await boost::asio::this_coro::executor, into, nullptr, std::chrono::seconds(15));
        auto attempt = [](std::atomic<bool>& told) -> Task<MaybeFailure> {
            told = true;
            co_await sleep_for(std::chrono::hours(1));
            co_return std::nullopt;
        };
        (void)co_await owner.run(attempt(waits), reply, true);
    };
    boost::asio::co_spawn(cores.at(0), work(drains, completion, begun_to_wait),
                          boost::asio::bind_cancellation_slot(
                              leaving.slot(), [this](std::exception_ptr thrown) { ended.set_value(thrown); }));
    const auto patience = Deadline::after(5s);
    while (!begun_to_wait && !patience.passed())
        std::this_thread::sleep_for(1ms);
    leave();
    expect_cancelled();
}

}  // namespace

}  // namespace dure::llm::test

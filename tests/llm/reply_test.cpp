// The still-alive ticks of a Reply: they come in silence only, one at a time, and none outlives stop_ticks() and quiet().
#include "llm/reply.hpp"

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include "dure/base/timeout.hpp"
#include "support/run_on_core.hpp"

namespace dure::llm {
namespace {

using namespace std::chrono_literals;

class TickSink final : public model::AnswerSink {
public:
    enum class Ticks { go_out, hang, fail };
    explicit TickSink(Ticks ticks) : ticks_(ticks) {}

    Task<Result<void>> piece(const model::Piece&) override { co_return Result<void>(); }
    Task<Result<void>> rendered(std::string_view) override { co_return Result<void>(); }
    Task<Result<void>> progress(const model::Progress&) override { co_return Result<void>(); }
    Task<Result<void>> still_alive() override
    {
        struct Inside {
            int& count;
            ~Inside() { --count; }
        } const inside{inside_now};
        ++inside_now;
        ++begun;
        if (ticks_ == Ticks::fail)
            co_return Error(Errc::cancelled, "The client is gone.");
        if (ticks_ == Ticks::hang)
            co_await sleep_for(std::chrono::hours(1));
        co_return Result<void>();
    }

    int begun = 0;
    int inside_now = 0;

private:
    Ticks ticks_;
};

class ReplyTicks : public testing::Test {
protected:
    ReplyTicks() { cores.start(); }

    // Behind a first write ticks come after every heartbeat of silence.
    template <class Look>
    void with_ticks(TickSink::Ticks ticks, Look look)
    {
        dure::test::run_on_core(cores, [&]() -> Task<void> {
            TickSink sink(ticks);
            model::Completion completion;
            Reply reply(co_await boost::asio::this_coro::executor, completion, &sink, 2ms);
            EXPECT_TRUE((co_await reply.rendered("data: {}\n\n")).has_value());
            reply.start_ticks();
            co_await look(reply, sink);
            if (reply.stop_ticks())
                co_await reply.quiet();
            EXPECT_EQ(sink.inside_now, 0);
            const auto begun = sink.begun;
            co_await sleep_for(10ms);
            EXPECT_EQ(sink.begun, begun) << "a tick behind the end";
        });
    }

    static Task<bool> wait_for_ticks(const TickSink& sink, int count)
    {
        for (const auto patience = Deadline::after(10s); sink.begun < count && !patience.passed();)
            co_await sleep_for(1ms);
        co_return sink.begun >= count;
    }

    Cores cores{1};
};

TEST_F(ReplyTicks, ComeAgainAndAgainInSilence)
{
    with_ticks(TickSink::Ticks::go_out, [](Reply& reply, TickSink& sink) -> Task<void> {
        EXPECT_TRUE(co_await wait_for_ticks(sink, 3));
        EXPECT_FALSE(reply.reader_gone());
    });
}

TEST_F(ReplyTicks, KeepTheHeartbeatBehindTheFirstWriteToo)
{
    dure::test::run_on_core(cores, [&]() -> Task<void> {
        TickSink sink(TickSink::Ticks::go_out);
        model::Completion completion;
        Reply reply(co_await boost::asio::this_coro::executor, completion, &sink, 2ms);
        reply.start_ticks();   // before there is any output, as calls do: the first tick is ten seconds away
        EXPECT_TRUE((co_await reply.rendered("data: {}\n\n")).has_value());
        const auto written = Steady::now();
        EXPECT_TRUE(co_await wait_for_ticks(sink, 1));
        EXPECT_LT(Steady::now() - written, 8s);
        if (reply.stop_ticks())
            co_await reply.quiet();
    });
}

TEST_F(ReplyTicks, OneThatHangsEndsWithTheAnswer)
{
    with_ticks(TickSink::Ticks::hang, [](Reply& reply, TickSink& sink) -> Task<void> {
        EXPECT_TRUE(co_await wait_for_ticks(sink, 1));
        co_await sleep_for(10ms);
        EXPECT_EQ(sink.begun, 1) << "one at a time";
        EXPECT_TRUE(reply.stop_ticks());
        co_await reply.quiet();
        EXPECT_FALSE(reply.reader_gone()) << "it was ended, nobody left";
    });
}

TEST_F(ReplyTicks, OneThatFailsSaysThatTheReaderHasGone)
{
    with_ticks(TickSink::Ticks::fail, [](Reply& reply, TickSink& sink) -> Task<void> {
        EXPECT_TRUE(co_await wait_for_ticks(sink, 1));
        co_await sleep_for(10ms);
        EXPECT_TRUE(reply.reader_gone());
        EXPECT_EQ(sink.begun, 1);
    });
}

}  // namespace
}  // namespace dure::llm

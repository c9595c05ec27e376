// Channel, timeout, task group and blocking pool on a single-threaded loop.
#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/channel.hpp"
#include "dure/base/run_on.hpp"
#include "dure/base/task_group.hpp"
#include "dure/base/timeout.hpp"
#include "support/run_on_core.hpp"
#include "support/run_task.hpp"

namespace dure {
namespace {

using namespace std::chrono_literals;

TEST(Channel, DeliversInOrderAndHoldsTheProducerBack)
{
    std::vector<int> got;
    std::size_t sent_when_first_read = 0;
    test::run([&]() -> Task<void> {
        const auto executor = co_await boost::asio::this_coro::executor;
        Channel<int> channel(executor, 2);
        std::size_t sent = 0;
        TaskGroup group(executor);
        auto producer = [](Channel<int>& out, std::size_t& count) -> Task<void> {
            for (int i = 0; i < 5; ++i) {
                co_await out.send(i);
                ++count;
            }
            out.close();
        };
        group.spawn(producer(channel, sent));
        co_await sleep_for(5ms);
        sent_when_first_read = sent;
        while (auto item = co_await channel.receive())
            got.push_back(*item);
        co_await group.wait();
    });
    EXPECT_EQ(sent_when_first_read, 2u);
    EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Channel, ReceiveTellsTimeoutFromClose)
{
    test::run([]() -> Task<void> {
        Channel<int> channel(co_await boost::asio::this_coro::executor, 1);
        EXPECT_FALSE((co_await channel.receive(Steady::now() + 1ms)).has_value());
        EXPECT_TRUE(channel.timed_out());
        channel.close();
        EXPECT_FALSE((co_await channel.receive(Steady::now() + 1ms)).has_value());
        EXPECT_FALSE(channel.timed_out());
        EXPECT_FALSE(co_await channel.send(1));
    });
}

class RunOn : public testing::Test {
protected:
    RunOn() { cores.start(); }
    Cores cores{2};
};

TEST_F(RunOn, GivesTheResultOrTheExceptionOfTheOtherCore)
{
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto there = cores.at(1).get_executor();
        EXPECT_EQ(co_await run_on(there, []() -> Task<std::size_t> { co_return Cores::here(); }()), 1u);
        EXPECT_EQ(Cores::here(), 0u);
        const auto throwing = []() -> Task<void> {
            co_await sleep_for(1ms);
            throw std::runtime_error("over there");
        };
        EXPECT_THROW(co_await run_on(there, throwing()), std::runtime_error);
    });
}

TEST_F(RunOn, TheTaskEndsWithItsCaller)
{
    bool cancelled = false;
    const auto waiting = [&cancelled]() -> Task<void> {
        try {
            co_await sleep_for(std::chrono::hours(1));
        } catch (const boost::system::system_error&) {
            cancelled = true;
            throw;
        }
    };
    test::Running caller(cores, [&]() -> Task<void> { co_await run_on(cores.at(1).get_executor(), waiting()); });
    caller.cancel();
    EXPECT_THROW(caller.wait(), boost::system::system_error);
    EXPECT_TRUE(cancelled);
}

// The cancellation is under way to the other core while the task ends there by itself.
TEST_F(RunOn, ACancellationMayComeLate)
{
    for (int i = 0; i < 500; ++i) {
        test::Running caller(cores, [&]() -> Task<void> {
            co_await run_on(cores.at(1).get_executor(), [](int round) -> Task<void> {
                for (int turns = round % 7; turns > 0; --turns)
                    co_await boost::asio::post(boost::asio::use_awaitable);
            }(i));
        });
        caller.cancel();
        try {
            caller.wait();
        } catch (const boost::system::system_error& error) {
            EXPECT_EQ(error.code(), boost::asio::error::operation_aborted);
        }
    }
}

TEST(Timeout, GivesEmptyOnOurClockAndTheValueInTime)
{
    test::run([]() -> Task<void> {
        auto slow = []() -> Task<int> {
            co_await sleep_for(10s);
            co_return 1;
        };
        auto fast = []() -> Task<int> { co_return 7; };
        EXPECT_FALSE((co_await with_timeout(slow(), Deadline::after(5ms))).has_value());
        EXPECT_EQ(co_await with_timeout(fast(), Deadline::after(5s)), 7);
    });
}

TEST(Timeout, WhatTheTaskThrowsComesOutAtOnce)
{
    test::run([]() -> Task<void> {
        auto failing = []() -> Task<int> {
            co_await sleep_for(1ms);
            throw std::runtime_error("broken");
        };
        const auto started = Steady::now();
        bool thrown = false;
        try {
            co_await with_timeout(failing(), Deadline::after(60s));
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        EXPECT_TRUE(thrown);
        EXPECT_LT(Steady::now() - started, 30s);
    });
}

TEST(Timeout, ACancelledParentIsNoTimeout)
{
    test::run([]() -> Task<void> {
        TaskGroup group(co_await boost::asio::this_coro::executor);
        bool aborted = false;
        auto parent = [](bool& flag) -> Task<void> {
            auto slow = []() -> Task<int> {
                co_await sleep_for(60s);
                co_return 1;
            };
            try {
                co_await with_timeout(slow(), Deadline::after(60s));
            } catch (const boost::system::system_error& error) {
                flag = error.code() == boost::asio::error::operation_aborted;
                throw;
            }
        };
        group.spawn(parent(aborted));
        co_await sleep_for(1ms);
        group.cancel();
        co_await group.wait();
        EXPECT_TRUE(aborted);
    });
}

TEST(TaskGroup, CancelReachesEveryChildAndWaitRethrowsAFailure)
{
    test::run([]() -> Task<void> {
        TaskGroup group(co_await boost::asio::this_coro::executor);
        int cancelled = 0;
        auto sleeper = [](int& count) -> Task<void> {
            try {
                co_await sleep_for(10s);
            } catch (const boost::system::system_error&) {
                ++count;
                throw;
            }
        };
        for (int i = 0; i < 3; ++i)
            group.spawn(sleeper(cancelled));
        co_await sleep_for(1ms);
        group.cancel();
        co_await group.wait();
        EXPECT_EQ(cancelled, 3);

        auto failing = []() -> Task<void> {
            throw std::runtime_error("broken");
            co_return;
        };
        group.spawn(failing());
        bool thrown = false;
        try {
            co_await group.wait();
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        EXPECT_TRUE(thrown);
    });
}

TEST(BlockingPool, RunsElsewhereReturnsResultsAndRefusesWhenFull)
{
    test::run([]() -> Task<void> {
        BlockingPool pool("test", 1, 1);
        const auto here = std::this_thread::get_id();
        auto outcome = co_await pool.run([here]() -> Result<bool> { return std::this_thread::get_id() != here; });
        EXPECT_TRUE(outcome && *outcome);

        std::mutex gate;
        gate.lock();
        const auto executor = co_await boost::asio::this_coro::executor;
        TaskGroup group(executor);
        int refused = 0;
        auto job = [](BlockingPool& where, std::mutex& held, int& count) -> Task<void> {
            auto done = co_await where.run([&held]() -> Result<int> {
                const std::lock_guard lock(held);
                return 1;
            });
            if (!done) {
                EXPECT_EQ(done.error().code(), Errc::unavailable);
                ++count;
            }
        };
        for (int i = 0; i < 6; ++i)
            group.spawn(job(pool, gate, refused));
        while (refused < 4)
            co_await sleep_for(1ms);
        gate.unlock();
        co_await group.wait();
        EXPECT_GE(refused, 4);
    });
}

}  // namespace
}  // namespace dure

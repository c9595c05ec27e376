// Pools of the HTTP client: reuse, order, bounds, stale connections, cancellation.
#include "dure/base/task_group.hpp"
#include "http/client_fixture.hpp"

namespace dure::http {
namespace {

using test::await_peer_close;
using test::close_connection;
using test::pause;
using test::reset;
using test::send;

ClientOptions options_with(std::size_t connections, std::size_t idle = 64)
{
    ClientOptions options;
    options.connections_per_origin = connections;
    options.idle_per_origin = idle;
    return options;
}

class PoolTest : public ClientTest {
protected:
    PoolTest()
    {
        upstream.handle([](const test::RecordedRequest& request) {
            return test::Script{send(http_answer(200, "text/plain", std::to_string(request.connection)))};
        });
    }

    std::string fetch_one() { return fetch_now(client, request_to(upstream.base())); }
};

TEST_F(PoolTest, ReusesAConnectionWhoseBodyWasRead)
{
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(fetch_one(), "1");
    EXPECT_EQ(client.counts().open, 1u);
    EXPECT_EQ(client.counts().idle, 1u);
}

TEST_F(PoolTest, TakesTheNewestIdleConnectionFirst)
{
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        std::vector<std::unique_ptr<ResponseStream>> streams;
        for (int i = 0; i < 3; ++i) {
            auto stream = co_await client.send(request);
            streams.push_back(std::move(*stream));
        }
        for (const int order : {1, 2, 0})
            (void)co_await streams[static_cast<std::size_t>(order)]->read_all(100, Deadline::after(5s));
    });
    EXPECT_EQ(client.counts().idle, 3u);
    EXPECT_EQ(fetch_one(), "1");
    EXPECT_EQ(fetch_one(), "1");
    EXPECT_EQ(upstream.accepted(), 3);
}

TEST_F(PoolTest, KeepsAConnectionWhoseEndArrivedThoughNobodyReadOn)
{
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "1");
    });
    EXPECT_EQ(fetch_one(), "1");
}

TEST_F(PoolTest, NeverReusesAfterUnreadBytesOrClose)
{
    const std::string answers[] = {
        http_answer(200, "text/plain", "x", {{"Connection", "close"}}),
        http_answer(200, "text/plain", "x") + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        chunked_head(200, "t") + chunk("x") + last_chunk() + "junk",
    };
    int connections = 0;
    for (const std::string& answer : answers) {
        upstream.enqueue({send(answer), await_peer_close()});
        EXPECT_EQ(fetch_one(), "x");
        EXPECT_EQ(upstream.accepted(), ++connections) << answer;
        EXPECT_EQ(client.counts().open, 0u) << answer;
    }
}

TEST_F(PoolTest, ClosesAtOnceWhenTheStreamIsDropped)
{
    upstream.enqueue({send(chunked_head(200, "t") + chunk("x")), await_peer_close()});
    Steady::time_point dropped;
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        {
            auto stream = co_await client.send(request);
            EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "x");
        }
        dropped = Steady::now();
    });
    ASSERT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_LT(upstream.peer_closes().at(0).at - dropped, 100ms);
    EXPECT_EQ(client.counts().open, 0u);
}

TEST_F(PoolTest, ReplaysARequestThatMetAStaleConnection)
{
    for (const auto& gone : {close_connection(), reset()}) {
        const int before = upstream.accepted();
        upstream.enqueue({send(http_answer(200, "text/plain", "first"))});
        upstream.enqueue({gone});
        EXPECT_EQ(fetch_one(), "first");
        // The upstream closes only when it has seen the second request: no check of the idle socket can know before.
        EXPECT_EQ(fetch_one(), std::to_string(before + 2));
        EXPECT_EQ(upstream.accepted(), before + 2);
        upstream.enqueue({send(http_answer(200, "text/plain", "bye", {{"Connection", "close"}}))});
        EXPECT_EQ(fetch_one(), "bye");
    }
}

TEST_F(PoolTest, ReplaysOnlyOnceAndOnlyWithoutAnyAnswerByte)
{
    upstream.enqueue({send(http_answer(200, "text/plain", "first"))});
    upstream.enqueue({reset()});
    upstream.enqueue({reset()});
    EXPECT_EQ(fetch_one(), "first");
    EXPECT_EQ(fetch_one(), "error: cut");
    EXPECT_EQ(upstream.request_count(), 3);

    upstream.enqueue({send(http_answer(200, "text/plain", "again"))});
    upstream.enqueue({send("H"), close_connection()});
    EXPECT_EQ(fetch_one(), "again");
    EXPECT_EQ(fetch_one(), "error: cut");
    EXPECT_EQ(upstream.request_count(), 5);
}

TEST_F(PoolTest, SeesThatAnIdleConnectionIsDead)
{
    upstream.enqueue({send(http_answer(200, "text/plain", "first")), close_connection()});
    EXPECT_EQ(fetch_one(), "first");
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; }));
    EXPECT_EQ(fetch_one(), "2");
    EXPECT_EQ(upstream.request_count(), 2);

    upstream.enqueue({send(http_answer(200, "text/plain", "third")), pause(20ms), send("unasked"), close_connection()});
    EXPECT_EQ(fetch_one(), "third");
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; }));
    EXPECT_EQ(fetch_one(), "3");
}

TEST_F(PoolTest, ForgetsConnectionsThatRestedOrLivedTooLong)
{
    ClientOptions resting;
    resting.idle_time = 0s;
    ClientOptions living;
    living.connection_life = 0s;
    for (const ClientOptions& options : {resting, living}) {
        Client short_lived(cores, options);
        const int before = upstream.accepted();
        for (int i = 1; i <= 3; ++i)
            EXPECT_EQ(fetch_now(short_lived, request_to(upstream.base())), std::to_string(before + i));
    }
}

TEST_F(PoolTest, BoundsIdleConnections)
{
    Client small(cores, options_with(8, 2));
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        std::vector<std::unique_ptr<ResponseStream>> streams;
        for (int i = 0; i < 5; ++i) {
            auto stream = co_await small.send(request);
            streams.push_back(std::move(*stream));
        }
        EXPECT_EQ(small.counts().open, 5u);
        for (auto& stream : streams)
            (void)co_await stream->read_all(100, Deadline::after(5s));
    });
    EXPECT_EQ(small.counts().open, 2u);
    EXPECT_EQ(small.counts().idle, 2u);
    small.close_idle();
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; }));
    EXPECT_EQ(small.counts().open, 0u);
}

TEST_F(PoolTest, QueuesWaitersInTheirOrderWhenFull)
{
    Client narrow(cores, options_with(2));
    upstream.handle([](const test::RecordedRequest& request) {
        return test::Script{pause(10ms), send(http_answer(200, "text/plain", request.target))};
    });
    std::vector<std::string> ended;
    test::run_on_core(cores, [&]() -> Task<void> {
        TaskGroup group(co_await boost::asio::this_coro::executor);
        auto one = [&](int number) -> Task<void> {
            auto request = request_to(upstream.base(), "/" + std::to_string(number));
            ended.push_back(co_await fetch(narrow, std::move(request)));
        };
        for (int i = 0; i < 10; ++i)
            group.spawn(one(i));
        co_await group.wait();
    });
    EXPECT_EQ(upstream.accepted(), 2);
    EXPECT_EQ(ended.size(), 10u);
    const auto seen = upstream.requests();
    for (std::size_t i = 2; i < seen.size(); ++i)   // two run at once: a neighbour may be recorded first
        EXPECT_LE(std::abs(std::stoi(seen[i].target.substr(1)) - static_cast<int>(i)), 1) << i;
}

TEST_F(PoolTest, GivesUpWaitingForAPlaceAtTheDeadline)
{
    Client narrow(cores, options_with(1));
    upstream.enqueue({send(chunked_head(200, "t") + chunk("x")), await_peer_close()});
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto holder = co_await narrow.send(request);
        auto waiting = request_to(upstream.base());
        waiting.deadline = Deadline::after(30ms);
        const auto refused = co_await narrow.send(waiting);
        EXPECT_EQ(refused.error().code(), Errc::timeout);
        EXPECT_EQ(refused.error().reason(), "connect");
        holder->reset();
        EXPECT_EQ(co_await fetch(narrow, request_to(upstream.base())), "2");
    });
}

TEST_F(PoolTest, APlaceOfACancelledWaiterGoesToTheNext)
{
    Client narrow(cores, options_with(1));
    upstream.enqueue({send(chunked_head(200, "t") + chunk("x")), await_peer_close()});
    std::string got;
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto request = request_to(upstream.base());
        auto holder = co_await narrow.send(request);
        auto waiter = [&](std::string& out) -> Task<void> { out = co_await fetch(narrow, request_to(upstream.base())); };
        std::string never;
        TaskGroup given_up(executor);
        TaskGroup patient(executor);
        given_up.spawn(waiter(never));
        patient.spawn(waiter(got));
        co_await boost::asio::post(executor, boost::asio::use_awaitable);
        holder->reset();      // grants the place to the first waiter, which is cancelled before it has woken up
        given_up.cancel();
        co_await given_up.wait();
        co_await patient.wait();
        EXPECT_EQ(never, "");
    });
    EXPECT_EQ(got, "2");
    EXPECT_EQ(narrow.counts().open, 1u);
}

TEST_F(PoolTest, CancellingSendOrReadClosesTheConnection)
{
    upstream.enqueue({await_peer_close()});
    upstream.enqueue({send(chunked_head(200, "t") + chunk("x")), await_peer_close()});
    for (const bool reading : {false, true}) {
        const auto before = upstream.peer_closes().size();
        std::atomic<bool> waits_for_more = false;
        auto job = [&]() -> Task<void> {
            const auto request = request_to(upstream.base());
            auto stream = co_await client.send(request);
            (void)co_await (*stream)->read(Deadline::after(5s));
            waits_for_more = true;
            (void)co_await (*stream)->read(Deadline::after(5s));
        };
        test::Running running(cores, job);
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() == (reading ? 2 : 1); }));
        for (const auto end = Steady::now() + 5s; reading && !waits_for_more && Steady::now() < end;)
            std::this_thread::yield();
        EXPECT_EQ(waits_for_more.load(), reading);
        const auto cancelled = Steady::now();
        running.cancel();
        EXPECT_THROW(running.wait(), boost::system::system_error);
        ASSERT_TRUE(upstream.wait_until([&] { return upstream.peer_closes().size() == before + 1; }));
        EXPECT_LT(upstream.peer_closes().back().at - cancelled, 100ms);
        EXPECT_EQ(client.counts().open, 0u);
    }
}

TEST_F(PoolTest, EachCoreHasItsOwnPool)
{
    Cores two(2);
    Client shared(two, options_with(2));
    two.start();
    for (int round = 0; round < 3; ++round)
        for (const std::size_t core : {0u, 1u})
            test::run_on_core(two, [&]() -> Task<void> { (void)co_await fetch(shared, request_to(upstream.base())); }, core);
    EXPECT_EQ(upstream.accepted(), 2);
    EXPECT_EQ(shared.counts().idle, 2u);
}

}  // namespace
}  // namespace dure::http

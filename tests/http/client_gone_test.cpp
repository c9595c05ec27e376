// What a leaving client does to its handler, the phases of a stop, and the limits on connections.
#include <boost/asio/post.hpp>

#include <future>

#include "dure/base/timeout.hpp"
#include "http/server_fixture.hpp"

namespace dure::http::server_test::client_gone {
namespace {

const std::string get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::function<Task<void>(Exchange&)> waiting_handler(OnClientGone policy, std::atomic<bool>& go_on)
{
    return [policy, &go_on](Exchange& exchange) -> Task<void> {
        exchange.on_client_gone(policy);
        while (!go_on)
            co_await sleep_for(policy == OnClientGone::cancel ? Steady::duration(10s) : Steady::duration(1ms));
        co_await ScriptedApplication::echo(exchange);
    };
}

TEST(ClientGone, CancelsTheHandlerWithinAHundredMilliseconds)
{
    for (const bool by_reset : {false, true}) {
        std::atomic<bool> go_on{false};
        RunningServer server;
        server.application.handler = waiting_handler(OnClientGone::cancel, go_on);
        RawClient client(server.port());
        client.send(get);
        ASSERT_TRUE(eventually([&] { return server.application.handled == 1; }));
        by_reset ? client.reset() : client.close();
        EXPECT_TRUE(eventually([&] { return server.application.cancelled == 1; }, 100ms));
        EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
    }
}

TEST(ClientGone, IsNoticedWhenItsEndCameTogetherWithItsRequest)
{
    for (const bool by_reset : {false, true}) {
        std::atomic<bool> go_on{false};
        std::promise<void> held, sent;   // the core may use them until it has ended
        RunningServer server;
        server.application.handler = waiting_handler(OnClientGone::cancel, go_on);
        RawClient client(server.port());
        boost::asio::post(server.cores().at(0), [&] {
            held.set_value();
            sent.get_future().wait();
        });
        held.get_future().wait();
        client.send(get);
        by_reset ? client.reset() : client.close();
        sent.set_value();
        if (!by_reset)   // a reset may take the request with it
            EXPECT_TRUE(eventually([&] { return server.application.handled == 1; }));
        EXPECT_TRUE(eventually(
            [&] { return server.server().open_exchanges() == 0 && server.application.cancelled == server.application.handled; },
            100ms));
    }
}

TEST(ClientGone, ItsEndBehindAnAnswerClosesTheConnection)
{
    RunningServer server;
    RawClient client(server.port());
    client.send(get);
    client.shutdown_send();
    EXPECT_EQ(body_in(client.receive_answer()), "GET /a\n");
    EXPECT_TRUE(client.closed_by_server());
}

TEST(ClientGone, CancelsWithinAStreamAndWhenItHadLeftBefore)
{
    RunningServer server;
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        while (!exchange.client_gone())
            co_await sleep_for(1ms);
        exchange.on_client_gone(OnClientGone::cancel);
        co_await sleep_for(10s);
    };
    RawClient client(server.port());
    client.send(get);
    client.close();
    EXPECT_TRUE(eventually([&] { return server.application.cancelled == 1; }, 1s));
}

TEST(ClientGone, LeavesAFinishingHandlerAlone)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    std::atomic<bool> saw_gone{false}, ended{false};
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        while (!go_on) {
            co_await sleep_for(1ms);
            saw_gone = exchange.client_gone();
        }
        ended = true;
        co_await exchange.respond(Response());
    };
    RawClient client(server.port());
    client.send(get);
    client.close();
    ASSERT_TRUE(eventually([&] { return saw_gone.load(); }));
    go_on = true;
    EXPECT_TRUE(eventually([&] { return ended.load(); }));
    EXPECT_EQ(server.application.cancelled, 0);
}

TEST(ClientGone, AClientThatOnlyEndsItsSendingIsAnsweredByAFinishingHandler)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    server.application.handler = waiting_handler(OnClientGone::finish, go_on);
    RawClient client(server.port());
    client.send(get);
    client.shutdown_send();
    ASSERT_TRUE(eventually([&] { return server.application.handled == 1; }));
    go_on = true;
    EXPECT_EQ(body_in(client.receive_answer()), "GET /a\n");
}

TEST(ClientGone, AFloodAheadOfItsTurnIsHeldBackAndAnsweredLater)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    server.application.handler = waiting_handler(OnClientGone::finish, go_on);
    RawClient client(server.port());
    std::string requests;
    constexpr int count = 5000;
    for (int i = 0; i < count; ++i)
        requests += get;
    std::thread sender([&] { client.send(requests); });
    ASSERT_TRUE(eventually([&] { return server.application.handled == 1; }));
    go_on = true;
    for (int i = 0; i < count; ++i)
        ASSERT_EQ(body_in(client.receive_answer()), "GET /a\n");
    sender.join();
}

TEST(Stopping, ClosesIdleConnectionsAndLetsRunningOnesEnd)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    RawClient idle(server.port());
    idle.send(get);
    idle.receive_answer();
    server.application.handler = waiting_handler(OnClientGone::finish, go_on);
    RawClient busy(server.port());
    busy.send(get);
    ASSERT_TRUE(eventually([&] { return server.application.handled == 2; }));
    server.server().stop_accepting();
    EXPECT_TRUE(idle.closed_by_server());
    EXPECT_EQ(server.server().open_exchanges(), 1u);
    EXPECT_THROW(RawClient late(server.port()), std::runtime_error);
    go_on = true;
    const auto answer = busy.receive_answer();
    EXPECT_EQ(status_in(answer), 200);
    EXPECT_TRUE(has(answer, "Connection: close"));
}

TEST(Stopping, BeginsByAnsweringWhoHasNotAskedYet)
{
    RunningServer server;
    RawClient fresh(server.port());
    RawClient used(server.port());
    used.send(get);
    used.receive_answer();   // so the connection before it was accepted
    server.server().wind_down();
    EXPECT_TRUE(used.closed_by_server());
    fresh.send(get);
    EXPECT_EQ(status_in(fresh.receive_answer()), 200);
    RawClient late(server.port());
    late.send(get);
    const auto answer = late.receive_answer();
    EXPECT_EQ(status_in(answer), 200);
    EXPECT_TRUE(has(answer, "Connection: close"));
}

TEST(Stopping, CancelsWhatStillRunsAtTheEnd)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    server.application.handler = waiting_handler(OnClientGone::cancel, go_on);
    RawClient busy(server.port());
    busy.send(get);
    ASSERT_TRUE(eventually([&] { return server.application.handled == 1; }));
    server.server().stop_accepting();
    const auto began = Steady::now();
    server.server().close_all(5s);
    EXPECT_LT(Steady::now() - began, 4s);
    EXPECT_EQ(server.application.cancelled, 1);
    EXPECT_EQ(server.server().open_exchanges(), 0u);
    EXPECT_TRUE(busy.closed_by_server());
}

TEST(Stopping, DoesNotWaitForeverForAHandlerThatIgnoresIt)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        while (!go_on)
            co_await sleep_for(1ms);
        co_await exchange.respond(Response());
    };
    RawClient busy(server.port());
    busy.send(get);
    ASSERT_TRUE(eventually([&] { return server.application.handled == 1; }));
    const auto began = Steady::now();
    server.server().close_all(100ms);
    EXPECT_LT(Steady::now() - began, 4s);
    go_on = true;
    EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
}

TEST(Stopping, LoopsThatEndedBeforeTheServerLeaveNothingBehind)
{
    ScriptedApplication application;
    Logger logger({LogLevel::error, true, "/dev/null"});
    Cores cores(2);
    ServerOptions options;
    options.port = 0;
    Server server(cores, application, logger, options);
    ASSERT_TRUE(server.listen());
    cores.start();
    RawClient first(server.port()), second(server.port());
    first.send(get);
    EXPECT_EQ(status_in(first.receive_answer()), 200);
    cores.stop();
    cores.join();
}

TEST(Listening, ATakenPortIsAnError)
{
    RunningServer server;
    ScriptedApplication application;
    Logger logger({LogLevel::error, true, "/dev/null"});
    Cores cores(1);
    ServerOptions options;
    options.port = server.port();
    Server second(cores, application, logger, options);
    const auto listening = second.listen();
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code(), Errc::unavailable);
}

TEST(Listening, RefusesUnusableOptions)
{
    ScriptedApplication application;
    Logger logger({LogLevel::error, true, "/dev/null"});
    Cores cores(1);
    for (const bool tls : {true, false}) {
        ServerOptions options;
        options.port = 0;
        if (tls)
            options.tls_certificate_file = options.tls_key_file = "/nonexistent.pem";
        else
            options.trusted_proxies = {"10.0.0.0/33"};
        Server server(cores, application, logger, options);
        const auto listening = server.listen();
        ASSERT_FALSE(listening);
        EXPECT_EQ(listening.error().code(), Errc::invalid_argument);
        EXPECT_NE((listening.error().message() + listening.error().detail()).find(tls ? "/nonexistent.pem" : "10.0.0.0/33"),
                  std::string::npos)
            << "what is wrong is named";
    }
}

TEST(ConnectionLimits, NewOnesAreRefusedAndOldOnesServed)
{
    for (const bool per_address : {true, false}) {
        RunningServer server([&](ServerOptions& options) {
            (per_address ? options.limits.connections_per_address : options.limits.connections) = 2;
        }, 2);
        RawClient first(server.port()), second(server.port());
        first.send(get);
        second.send(get);
        EXPECT_EQ(status_in(first.receive_answer()), 200);
        EXPECT_EQ(status_in(second.receive_answer()), 200);
        RawClient third(server.port());
        EXPECT_EQ(third.receive_all(), "");
        first.send(get);
        EXPECT_EQ(status_in(first.receive_answer()), 200);
        second.close();
        EXPECT_TRUE(eventually([&] {
            RawClient fourth(server.port());
            fourth.send(get);
            return status_in(fourth.receive_answer()) == 200;
        }));
    }
}

}  // namespace
}  // namespace dure::http::server_test::client_gone

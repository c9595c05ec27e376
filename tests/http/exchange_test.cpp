// Bodies, answers and connections over the wire: what a client sees of keep-alive, chunks, limits and time-outs.
#include "dure/base/cores.hpp"
#include "dure/base/timeout.hpp"
#include "http/server_fixture.hpp"

namespace dure::http::server_test::exchange {
namespace {

const std::string get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string post(const std::string& fields, const std::string& body)
{
    return "POST /a HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n" + body;
}

TEST(Exchange, AnswersCarryTheCommonHeaders)
{
    RunningServer server;
    RawClient client(server.port());
    client.send(get);
    const auto answer = client.receive_answer();
    for (const auto* field : {"Date: ", "Server: dure\r\n", "X-Content-Type-Options: nosniff\r\n", "X-Request-ID: ",
                              "Content-Type: text/plain\r\n", "Content-Length: 7\r\n"})
        EXPECT_TRUE(has(answer, field)) << field;
    EXPECT_FALSE(has(answer, "Connection:"));
}

std::string core_of(RawClient& client)
{
    client.send(get);
    return body_in(client.receive_answer());
}

TEST(Exchange, NoCoreHasManyMoreConnectionsThanAnother)
{
    constexpr std::size_t cores = 4;
    constexpr std::size_t borne_difference = 4;
    RunningServer server({}, cores);
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        Response response;
        response.body = std::to_string(Cores::here());
        co_await exchange.respond(std::move(response));
    };
    std::map<std::string, std::vector<std::unique_ptr<RawClient>>> by_core;
    const auto connect = [&] {
        auto client = std::make_unique<RawClient>(server.port());
        auto core = core_of(*client);
        by_core[core].push_back(std::move(client));
        return core;
    };
    for (std::size_t i = 0; i < 200; ++i)
        connect();
    ASSERT_EQ(by_core.size(), cores);
    const auto [fewest, most] = std::minmax({by_core["0"].size(), by_core["1"].size(), by_core["2"].size(), by_core["3"].size()});
    EXPECT_LE(most - fewest, borne_difference + 1);
    const auto left = by_core["2"].size();
    by_core["2"].clear();
    ASSERT_TRUE(eventually([&] { return connect() == "2"; }));   // when it has been seen that some have left
    while (by_core["2"].size() < left / 2)
        connect();
    EXPECT_GE(most + borne_difference, std::max({by_core["0"].size(), by_core["1"].size(), by_core["3"].size()}));
}

TEST(Exchange, PipelinedRequestsAreAnsweredInOrder)
{
    RunningServer server;
    RawClient client(server.port());
    std::string requests;
    for (int i = 0; i < 300; ++i)
        requests += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc";
    std::thread sender([&] { client.send(requests); });
    for (int i = 0; i < 300; ++i)
        ASSERT_EQ(body_in(client.receive_answer()), "POST /" + std::to_string(i) + "\nabc");
    sender.join();
}

TEST(Exchange, AChunkedBodyIsTheSameHoweverItIsSplit)
{
    RunningServer server;
    const auto request = post("Transfer-Encoding: chunked\r\n", "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n");
    for (std::size_t split = 1; split < request.size(); ++split) {
        RawClient client(server.port());
        client.send(request.substr(0, split));
        if (split % 8 == 0)
            std::this_thread::yield();
        client.send(request.substr(split) + get);
        ASSERT_EQ(body_in(client.receive_answer()), "POST /a\nabc0123456789") << split;
        ASSERT_EQ(body_in(client.receive_answer()), "GET /a\n") << split;
    }
}

TEST(Exchange, RefusesBrokenChunks)
{
    RunningServer server;
    const std::vector<std::pair<const char*, std::string>> cases = {
        {"size_not_hex", "x\r\n"},
        {"size_with_sign", "+3\r\nabc\r\n0\r\n\r\n"},
        {"size_with_blank", " 3\r\nabc\r\n0\r\n\r\n"},
        {"size_0x", "0x3\r\nabc\r\n0\r\n\r\n"},
        {"size_overflow", "fffffffffffffffff\r\n"},
        {"bare_lf", "3\nabc\n0\n\n"},
        {"data_longer_than_size", "3\r\nabcd\r\n0\r\n\r\n"},
        {"size_line_too_long", "3;" + std::string(5000, 'a') + "\r\nabc\r\n0\r\n\r\n"},
        {"trailers_too_long", "0\r\nX: " + std::string(9000, 'a') + "\r\n\r\n"},
        {"trailer_with_control", "0\r\nX: \x01\r\n\r\n"},
    };
    for (const auto& [name, body] : cases) {
        SCOPED_TRACE(name);
        RawClient client(server.port());
        client.send(post("Transfer-Encoding: chunked\r\n", body) + get);
        const auto answers = client.receive_all();
        EXPECT_FALSE(client.timed_out());
        EXPECT_EQ(status_in(answers), 400);
        EXPECT_FALSE(has(answers, "HTTP/1.1 200"));
    }
}

TEST(Exchange, RefusesChunksThatAreMostlyOverhead)
{
    RunningServer server;
    std::string body;
    for (int i = 0; i < 40; ++i)
        body += "1;" + std::string(1000, 'a') + "\r\nx\r\n";
    RawClient client(server.port());
    client.send(post("Transfer-Encoding: chunked\r\n", body + "0\r\n\r\n"));
    EXPECT_EQ(status_in(client.receive_all()), 400);
}

TEST(Exchange, LargeBodiesArriveWhole)
{
    RunningServer server;
    std::string body(1 << 20, 'x');
    for (std::size_t i = 0; i < body.size(); i += 97)
        body[i] = static_cast<char>('a' + i % 26);
    std::string chunks;
    for (std::size_t at = 0; at < body.size(); at += 65536)
        chunks += "10000\r\n" + body.substr(at, 65536) + "\r\n";
    for (const auto& request : {post("Content-Length: 1048576\r\n", body), post("Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n")}) {
        RawClient client(server.port());
        std::thread sender([&] { client.send(request + get); });
        EXPECT_EQ(body_in(client.receive_answer()), "POST /a\n" + body);
        EXPECT_EQ(body_in(client.receive_answer()), "GET /a\n");
        sender.join();
    }
}

TEST(Exchange, AnAnnouncedBodyOverTheLimitIsRefusedBeforeItIsSent)
{
    RunningServer server;
    RawClient client(server.port());
    client.send(post("Content-Length: 1048577\r\nExpect: 100-continue\r\n", ""));
    const auto answer = client.receive_answer();
    EXPECT_EQ(status_in(answer), 413);
    EXPECT_TRUE(has(answer, "Connection: close"));
}

TEST(Exchange, AChunkedBodyOverTheLimitIsRefusedWhileItArrives)
{
    RunningServer server;
    RawClient client(server.port());
    client.send(post("Transfer-Encoding: chunked\r\n", "200000\r\n"));
    const std::string piece(65536, 'x');
    std::thread sender([&] {
        for (int i = 0; i < 20; ++i)
            client.send(piece);
    });
    EXPECT_EQ(status_in(client.receive_answer()), 413);
    sender.join();
}

TEST(Exchange, ContinueIsSentOnceTheBodyIsWanted)
{
    RunningServer server;
    RawClient client(server.port());
    client.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(client.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi" + get);
    EXPECT_EQ(body_in(client.receive_answer()), "POST /a\nhi");
    EXPECT_EQ(body_in(client.receive_answer()), "GET /a\n");
}

TEST(Exchange, ContinueIsNotSentWhenTheBodyIsThereOrNotRead)
{
    RunningServer server;
    {
        RawClient client(server.port());
        client.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", "hi"));
        EXPECT_EQ(status_in(client.receive_answer()), 200);
    }
    server.application.handler = [](Exchange& exchange) -> Task<void> { co_await exchange.respond(Response()); };
    RawClient client(server.port());
    client.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    const auto answer = client.receive_answer();
    EXPECT_EQ(status_in(answer), 200);
    EXPECT_TRUE(has(answer, "Connection: close"));
}

TEST(Exchange, AnAnswerBeforeTheBodyWasReadEndsTheConnectionButReachesTheClient)
{
    RunningServer server;
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        Response response;
        response.status = 401;
        co_await exchange.respond(std::move(response));
    };
    RawClient client(server.port());
    client.send(post("Content-Length: 100000\r\n", std::string(50000, 'x')));
    EXPECT_EQ(status_in(client.receive_answer()), 401);
    client.send(std::string(50000, 'x') + get);   // read and dropped: no reset that could take the answer away
    client.shutdown_send();
    EXPECT_EQ(client.receive_all(), "");
    EXPECT_FALSE(client.timed_out());
    EXPECT_EQ(server.application.handled, 1);
}

TEST(Exchange, AnErrorAfterTheWholeBodyLeavesTheConnectionOpen)
{
    RunningServer server;
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        const auto body = co_await exchange.read_body(100);
        Response response;
        response.status = body ? 422 : 500;
        co_await exchange.respond(std::move(response));
    };
    RawClient client(server.port());
    for (int i = 0; i < 2; ++i) {
        client.send(post("Content-Length: 2\r\n", "hi"));
        EXPECT_EQ(status_in(client.receive_answer()), 422);
    }
}

TEST(Exchange, HeadHasTheSameHeadAndNoBody)
{
    RunningServer server;
    RawClient client(server.port());
    client.send("HEAD /abc HTTP/1.1\r\nHost: localhost\r\n\r\n" + get);
    const auto head = client.receive_answer(false);
    EXPECT_TRUE(has(head, "Content-Length: 10\r\n"));
    EXPECT_EQ(body_in(client.receive_answer()), "GET /a\n");
}

TEST(Exchange, Http10ClosesUnlessAskedOtherwise)
{
    RunningServer server;
    RawClient closing(server.port());
    closing.send("GET /a HTTP/1.0\r\n\r\n");
    const auto answer = closing.receive_answer();
    EXPECT_TRUE(has(answer, "Connection: close"));
    closing.shutdown_send();
    EXPECT_TRUE(closing.closed_by_server());

    RawClient keeping(server.port());
    for (int i = 0; i < 2; ++i) {
        keeping.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        EXPECT_TRUE(has(keeping.receive_answer(), "Connection: keep-alive"));
    }
}

Task<void> stream_three(Exchange& exchange)
{
    Response head;
    head.content_type = "text/event-stream";
    co_await exchange.start_stream(std::move(head));
    co_await exchange.write("one");
    co_await exchange.write("two");
    co_await exchange.finish_stream("three");
}

TEST(Exchange, AStreamIsChunkedAndTheConnectionGoesOn)
{
    RunningServer server;
    server.application.handler = stream_three;
    RawClient client(server.port());
    for (int i = 0; i < 2; ++i) {
        client.send(get);
        const auto answer = client.receive_until("\r\n0\r\n\r\n");
        EXPECT_TRUE(has(answer, "Transfer-Encoding: chunked\r\n"));
        EXPECT_FALSE(has(answer, "Content-Length"));
        EXPECT_EQ(body_in(answer), "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
    }
}

TEST(Exchange, AStreamForHttp10EndsByClosing)
{
    RunningServer server;
    server.application.handler = stream_three;
    RawClient client(server.port());
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client.shutdown_send();
    const auto answer = client.receive_all();
    EXPECT_FALSE(client.timed_out());
    EXPECT_EQ(body_in(answer), "onetwothree");
    EXPECT_TRUE(has(answer, "Connection: close"));
}

TEST(Exchange, AStreamForHeadHasNoBody)
{
    RunningServer server;
    server.application.handler = stream_three;
    RawClient client(server.port());
    client.send("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n" + get);
    EXPECT_EQ(body_in(client.receive_until("\r\n\r\n")), "");
    EXPECT_TRUE(client.receive_until("0\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST(Exchange, EachWriteIsSentAtOnce)
{
    RunningServer server;
    std::atomic<int> released{0};
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        co_await exchange.start_stream(Response());
        for (int i = 1; i <= 3; ++i) {
            co_await exchange.write("piece" + std::to_string(i));
            while (released < i)
                co_await sleep_for(1ms);
        }
        co_await exchange.finish_stream();
    };
    RawClient client(server.port());
    client.send(get);
    for (int i = 1; i <= 3; ++i) {
        EXPECT_TRUE(has(client.receive_until("piece" + std::to_string(i)), "piece" + std::to_string(i)));
        ++released;
    }
    EXPECT_TRUE(has(client.receive_until("0\r\n\r\n"), "0\r\n\r\n"));
}

TEST(Exchange, WritingWaitsForASlowReaderAndLosesNothing)
{
    RunningServer server;
    std::atomic<std::size_t> written{0};
    constexpr std::size_t piece_size = 100000, pieces = 100;
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        const std::string piece(piece_size, 'x');
        co_await exchange.start_stream(Response());
        for (std::size_t i = 0; i < pieces; ++i) {
            co_await exchange.write(piece);
            ++written;
        }
        co_await exchange.finish_stream();
    };
    RawClient client(server.port(), 4096);
    client.send("GET /a HTTP/1.0\r\n\r\n");
    client.receive_until("\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return written > 0; }));
    EXPECT_LT(written, pieces);
    client.shutdown_send();
    EXPECT_EQ(client.receive_all(20s).size(), piece_size * pieces);
}

TEST(Exchange, AReaderThatStopsIsCutAfterTheStallLimit)
{
    RunningServer server([](ServerOptions& options) { options.limits.write_stall = 100ms; });
    std::atomic<bool> failed{false};
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        const std::string piece(100000, 'x');
        co_await exchange.start_stream(Response());
        for (int i = 0; i < 1000 && !failed; ++i) {
            const auto sent = co_await exchange.write(piece);
            failed = !sent && sent.error().code() == Errc::cancelled;
        }
    };
    RawClient client(server.port(), 4096);
    client.send(get);
    EXPECT_TRUE(eventually([&] { return failed.load(); }));
    EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
}

TEST(Exchange, ASlowHeadIsTimedOut)
{
    RunningServer server([](ServerOptions& options) { options.limits.header_timeout = 50ms; });
    RawClient client(server.port());
    client.send("GET / HT");
    const auto answer = client.receive_answer();
    EXPECT_EQ(status_in(answer), 408);
    EXPECT_TRUE(has(answer, "Connection: close"));
}

TEST(Exchange, AnIdleConnectionIsClosedWithoutAWord)
{
    RunningServer server([](ServerOptions& options) { options.limits.keep_alive = 50ms; });
    RawClient client(server.port());
    EXPECT_EQ(client.receive_all(), "");
    EXPECT_FALSE(client.timed_out());
}

TEST(Exchange, ASilentBodyIsTimedOutByItsPausesAndByItsWholeTime)
{
    for (const bool by_pause : {true, false}) {
        RunningServer server([&](ServerOptions& options) {
            options.limits.body_idle = by_pause ? 50ms : 10000ms;
            options.limits.body_total = by_pause ? 10000ms : 50ms;
        });
        RawClient client(server.port());
        client.send(post("Content-Length: 10\r\n", "abc"));
        const auto answer = client.receive_answer();
        EXPECT_EQ(status_in(answer), 408);
        EXPECT_TRUE(has(answer, "Connection: close"));
    }
}

TEST(Exchange, AllBodiesTogetherHaveABound)
{
    RunningServer server([](ServerOptions& options) { options.limits.bodies_in_memory = 100000; });
    RawClient first(server.port());
    first.send(post("Content-Length: 60000\r\n", "abc"));
    EXPECT_TRUE(eventually([&] { return server.application.handled == 1; }));
    RawClient second(server.port());
    second.send(post("Content-Length: 60000\r\n", "abc"));
    EXPECT_EQ(status_in(second.receive_answer()), 503);
    first.send(std::string(59997, 'x'));
    EXPECT_EQ(status_in(first.receive_answer()), 200);
    RawClient third(server.port());
    third.send(post("Content-Length: 60000\r\n", std::string(60000, 'x')));
    EXPECT_EQ(status_in(third.receive_answer()), 200);
}

TEST(Exchange, TheLastRequestOfAConnectionSaysSo)
{
    RunningServer server([](ServerOptions& options) { options.limits.requests_per_connection = 2; });
    RawClient client(server.port());
    client.send(get + get + get);
    client.shutdown_send();
    EXPECT_FALSE(has(client.receive_answer(), "Connection: close"));
    EXPECT_TRUE(has(client.receive_answer(), "Connection: close"));
    EXPECT_EQ(client.receive_all(), "");
    EXPECT_EQ(server.application.handled, 2);
}

TEST(Exchange, AHandlerThatThrowsOrForgetsIsAnsweredAsInternalError)
{
    RunningServer server;
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        if (exchange.head().path == "/throw")
            throw std::runtime_error("secret detail");
        co_return;
    };
    RawClient client(server.port());
    for (const std::string path : {"/throw", "/forget"}) {
        client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const auto answer = client.receive_answer();
        EXPECT_EQ(status_in(answer), 500);
        EXPECT_FALSE(has(answer, "secret"));
    }
}

TEST(Exchange, AHandlerThatThrowsWithinAStreamCutsItWithoutTheLastChunk)
{
    RunningServer server;
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        co_await exchange.start_stream(Response());
        co_await exchange.write("one");
        throw std::runtime_error("broken");
    };
    RawClient client(server.port());
    client.send(get + get);
    const auto answer = client.receive_all();
    EXPECT_FALSE(client.timed_out());
    EXPECT_EQ(body_in(answer), "3\r\none\r\n");
}

TEST(Exchange, AnAnswerHeaderCannotBeSplitByForeignText)
{
    RunningServer server;
    server.application.handler = [](Exchange& exchange) -> Task<void> {
        Response response;
        response.headers = {{"X-Name", "a\r\nSet-Cookie: b"}};
        co_await exchange.respond(std::move(response));
    };
    RawClient client(server.port());
    client.send(get);
    const auto answer = client.receive_answer();
    EXPECT_EQ(status_in(answer), 500);
    EXPECT_FALSE(has(answer, "Set-Cookie"));
}

}  // namespace
}  // namespace dure::http::server_test::exchange

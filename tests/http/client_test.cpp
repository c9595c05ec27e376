// The HTTP client against a scripted upstream: requests, bodies in every framing and split, and how exchanges fail.
#include "dure/base/timeout.hpp"
#include "http/client_fixture.hpp"

namespace dure::http {
namespace {

using test::close_connection;
using test::await_word;
using test::pause;
using test::reset;
using test::Script;
using test::send;
using test::send_split;

TEST_F(ClientTest, SendsMethodTargetFieldsAndBody)
{
    upstream.enqueue({send(http_answer(200, "text/plain", "ok"))});
    auto request = request_to(upstream.base(), "/v1/chat?x=1", Method::post);
    request.headers = {{"Authorization", "Bearer k"}, {"Content-Type", "application/json"}};
    request.body = "{\"a\":1}";
    EXPECT_EQ(fetch_now(client, request), "ok");
    const auto seen = upstream.requests().at(0);
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.target, "/v1/chat?x=1");
    EXPECT_EQ(seen.body, "{\"a\":1}");
    EXPECT_EQ(seen.header("host"), "127.0.0.1:" + std::to_string(upstream.port()));
    EXPECT_EQ(seen.header("authorization"), "Bearer k");
    EXPECT_EQ(seen.header("content-length"), "7");
}

// Between slow pieces the read buffer is given up, or over TLS goes back to its smallest; it grows again for a large one.
TEST_F(ClientTest, ReadsSlowPiecesOfEverySize)
{
    Script script{send(chunked_head(200, "text/plain"))};
    std::string whole;
    for (const std::size_t size : {1, 200, 511, 512, 513, 2048, 3, 5000, 70000, 40, 1024, 7}) {
        const std::string piece(size, static_cast<char>('a' + script.size() % 26));
        script.push_back(pause(15ms));
        script.push_back(send(chunk(piece)));
        whole += piece;
    }
    script.push_back(send(last_chunk()));
    upstream.enqueue(script);
    EXPECT_TRUE(fetch_now(client, request_to(upstream.base())) == whole);
    upstream.enqueue({send(http_answer(200, "text/plain", "ok"))});
    EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "ok");
    EXPECT_EQ(upstream.accepted(), 1);
}

// More than the system takes at once: the rest follows when the upstream reads on.
TEST_F(ClientTest, SendsALargeBodyWhole)
{
    std::string body(24u << 20, 'x');
    for (std::size_t i = 0; i < body.size(); i += 4096)
        body[i] = static_cast<char>('a' + i / 4096 % 26);
    upstream.enqueue({send(http_answer(200, "text/plain", "ok"))});
    auto request = request_to(upstream.base(), "/", Method::post);
    request.body = body;
    EXPECT_EQ(fetch_now(client, request), "ok");
    EXPECT_TRUE(upstream.requests().at(0).body == body);
}

TEST_F(ClientTest, RefusesFieldsThatCouldBecomeOthers)
{
    const std::pair<std::string, std::string> broken[] = {
        {"A", "b\r\nC: d"}, {"A", "b\nc"}, {"A", std::string("b\0c", 3)}, {"A b", "c"}, {"", "c"}, {"A:", "c"}, {"A\r\nB", "c"},
        {"Host", "evil"}, {"content-length", "1"}, {"Transfer-Encoding", "chunked"}, {"Connection", "close"},
    };
    for (const auto& field : broken) {
        auto request = request_to(upstream.base());
        request.headers = {field};
        EXPECT_EQ(fetch_now(client, request), "error: invalid_header") << field.first;
    }
    EXPECT_EQ(upstream.accepted(), 0);
}

TEST_F(ClientTest, ReadsEveryFramingWhateverTheSplit)
{
    const std::string chunked = chunked_head(200, "text/plain") + chunk("Hel") + chunk("lo, ") + chunk("world") + last_chunk();
    const std::string length = http_answer(200, "text/plain", "Hello, world");
    const std::string closed = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nHello, world";
    upstream.enqueue({send_split(chunked)});
    upstream.enqueue({send_split(length)});
    upstream.enqueue({send_split(closed), close_connection()});
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "Hello, world");
    for (std::size_t at = 1; at < chunked.size(); ++at) {
        upstream.enqueue({send(chunked.substr(0, at)), pause(1ms), send(chunked.substr(at))});
        EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "Hello, world") << at;
    }
    EXPECT_EQ(upstream.accepted(), 2);
}

TEST_F(ClientTest, HandsOutABurstOfChunksInOneRead)
{
    std::string burst = chunked_head(200, "text/event-stream");
    std::string whole;
    for (int i = 0; i < 100; ++i) {
        burst += chunk("data: " + std::to_string(i) + "\n\n");
        whole += "data: " + std::to_string(i) + "\n\n";
    }
    upstream.enqueue({send(burst + last_chunk())});
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        const auto bytes = co_await (*stream)->read(Deadline::after(5s));
        EXPECT_EQ(*bytes, whole);
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "");
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "");
    });
}

// A connection whose peer is slow gives its buffer back while it waits.
TEST_F(ClientTest, ReadsTheSameWhenThePeerPausesWhereverItDoes)
{
    const std::string large(30'000, 'l');
    const auto body = chunk("small") + chunk(large) + chunk("end") + last_chunk();
    Script script{send(chunked_head(200, "text/plain"))};
    for (const auto& part : {body.substr(0, 1), body.substr(1, 3), body.substr(4, 5000), body.substr(5004, 20'000), body.substr(25'004)}) {
        script.push_back(pause(15ms));
        script.push_back(send(part));
    }
    upstream.enqueue(script);
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        std::string all;
        for (;;) {
            const auto bytes = co_await (*stream)->read(Deadline::after(8ms));
            if (!bytes && bytes.error().reason() == "read_timeout")
                continue;
            EXPECT_TRUE(bytes.has_value());
            if (!bytes || bytes->empty())
                break;
            all += *bytes;
        }
        EXPECT_EQ(all.size(), 5 + large.size() + 3);
        EXPECT_TRUE(all == "small" + large + "end");
    });
}

// The system tells of what arrives once: an end that came together with the last bytes has to be looked for behind them.
TEST_F(ClientTest, FindsAnEndThatCameWithTheLastBytes)
{
    upstream.enqueue({send(chunked_head(200, "text/plain") + chunk("a")), await_word(), send(chunk("b")), close_connection()});
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(10s))), "a");
        upstream.go_on();
        co_await sleep_for(50ms);   // now both are there, and their arrival is told while nobody reads
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(10s))), "b");
        const auto end = co_await (*stream)->read(Deadline::after(10s));
        EXPECT_FALSE(end.has_value());
        EXPECT_EQ(end.error().reason(), "cut");
    });
}

TEST_F(ClientTest, GivesStatusAndFieldsOfErrors)
{
    upstream.enqueue({send(http_answer(429, "application/json", "{}", {{"Retry-After", "3"}}))});
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        EXPECT_EQ((*stream)->status(), 429);
        EXPECT_EQ((*stream)->header("retry-after"), "3");
        EXPECT_EQ((*stream)->header("x-none"), "");
        (*stream)->forget_headers();
        EXPECT_EQ((*stream)->header("retry-after"), "");
        EXPECT_EQ((*stream)->status(), 429);
        EXPECT_EQ(*(co_await (*stream)->read_all(100, Deadline::after(5s))), "{}");
    });
}

TEST_F(ClientTest, SkipsInterimAnswersAndKnowsAnswersWithoutBody)
{
    upstream.enqueue({send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
                           http_answer(200, "text/plain", "late"))});
    upstream.enqueue({send("HTTP/1.1 204 No Content\r\n\r\n")});
    upstream.enqueue({send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")});
    upstream.enqueue({send("HTTP/1.1 101 Switching Protocols\r\n\r\n")});
    EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "late");
    EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "204: ");
    EXPECT_EQ(fetch_now(client, request_to(upstream.base(), "/", Method::head)), "");
    EXPECT_EQ(upstream.accepted(), 1);
    EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "error: protocol");
}

TEST_F(ClientTest, ReadsBigBodiesBothWays)
{
    std::string big(8u << 20, 'x');
    for (std::size_t i = 0; i < big.size(); i += 4096)
        big[i] = static_cast<char>('a' + i / 4096 % 26);
    std::string chunked = chunked_head(200, "text/plain");
    for (std::size_t at = 0; at < big.size(); at += 100000)
        chunked += chunk(std::string_view(big).substr(at, 100000));
    upstream.enqueue({send(http_answer(200, "text/plain", big))});
    upstream.enqueue({send(chunked + last_chunk())});
    auto request = request_to(upstream.base(), "/", Method::post);
    request.body = big;
    EXPECT_TRUE(fetch_now(client, request) == big);
    EXPECT_TRUE(fetch_now(client, request_to(upstream.base())) == big);
    EXPECT_TRUE(upstream.requests().at(0).body == big);
}

TEST_F(ClientTest, RefusesBodiesOverTheLimitOfReadAll)
{
    upstream.enqueue({send(http_answer(200, "text/plain", "12345"))});
    upstream.enqueue({send(chunked_head(200, "text/plain") + chunk("123") + chunk("45") + last_chunk())});
    upstream.enqueue({send(http_answer(200, "text/plain", "1234"))});
    test::run_on_core(cores, [&]() -> Task<void> {
        for (const auto expected : {Errc::payload_too_large, Errc::payload_too_large}) {
            const auto request = request_to(upstream.base());
            auto stream = co_await client.send(request);
            const auto body = co_await (*stream)->read_all(4, Deadline::after(5s));
            EXPECT_EQ(body.error().code(), expected);
        }
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        EXPECT_EQ(*(co_await (*stream)->read_all(4, Deadline::after(5s))), "1234");
    });
    EXPECT_EQ(upstream.accepted(), 3);
}

TEST_F(ClientTest, NamesHowAnExchangeFailed)
{
    struct Failure {
        const char* what;
        Script script;
        const char* expected;
    };
    std::string bomb = chunked_head(200, "text/plain");
    for (int i = 0; i < 4000; ++i)
        bomb += "1;" + std::string(60, 'x') + "\r\ny\r\n";
    const Failure failures[] = {
        {"length cut", {send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), close_connection()}, "error: cut"},
        {"length reset", {send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), pause(20ms), reset()}, "error: cut"},
        {"no last chunk", {send(chunked_head(200, "t") + chunk("12345")), close_connection()}, "error: cut"},
        {"cut in a chunk", {send(chunked_head(200, "t") + "5\r\n12"), close_connection()}, "error: cut"},
        {"open body reset", {send("HTTP/1.1 200 OK\r\n\r\n12345"), pause(20ms), reset()}, "error: cut"},
        {"no answer", {close_connection()}, "error: cut"},
        {"reset instead of an answer", {reset()}, "error: cut"},
        {"cut head", {send("HTTP/1.1 200 OK\r\nContent-Le"), close_connection()}, "error: cut"},
        {"not HTTP", {send("SSH-2.0-OpenSSH_9\r\n\r\n")}, "error: protocol"},
        {"not HTTP, without a line", {send("\x15\x03\x01"), test::await_peer_close()}, "error: protocol"},
        {"not HTTP, and closed", {send("HTTQ"), close_connection()}, "error: protocol"},
        {"broken chunk size", {send(chunked_head(200, "t") + "xyz\r\n")}, "error: protocol"},
        {"chunk without its end", {send(chunked_head(200, "t") + "2\r\nabc\r\n")}, "error: protocol"},
        {"endless chunk line", {send(chunked_head(200, "t") + "5;" + std::string(5000, 'x'))}, "error: protocol"},
        {"framing bomb", {send(bomb)}, "error: protocol"},
        {"endless head", {send("HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x'))}, "error: protocol"},
        {"many fields", {send("HTTP/1.1 200 OK\r\n" + [] {
             std::string fields;
             for (int i = 0; i < 20000; ++i)
                 fields += "A: b\r\n";
             return fields;
         }() + "\r\n")}, "error: protocol"},
    };
    for (const Failure& one : failures) {
        const int before = upstream.accepted();
        upstream.enqueue(one.script);
        EXPECT_EQ(fetch_now(client, request_to(upstream.base())), one.expected) << one.what;
        EXPECT_EQ(upstream.accepted(), before + 1) << one.what;
    }
    EXPECT_EQ(client.counts().open, 0u);
}

TEST_F(ClientTest, AcceptsAHeadOfNearlyItsBound)
{
    upstream.enqueue({send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + std::string(65000, 'x') + "\r\n\r\nok")});
    EXPECT_EQ(fetch_now(client, request_to(upstream.base())), "ok");
}

TEST_F(ClientTest, GivesUpOnASlowHead)
{
    upstream.enqueue({send("HTTP/1.1 200 OK\r\n"), test::await_peer_close()});
    auto request = request_to(upstream.base());
    request.timeouts.head = 60ms;
    const auto start = Steady::now();
    EXPECT_EQ(fetch_now(client, request), "error: head_timeout");
    EXPECT_LT(Steady::now() - start, 5s);
    EXPECT_TRUE(upstream.wait_until([&] { return upstream.open() == 0; }));
}

TEST_F(ClientTest, GoesOnReadingAfterAReadTimeout)
{
    upstream.enqueue({send(chunked_head(200, "t") + chunk("one")), pause(150ms), send(chunk("two") + last_chunk())});
    test::run_on_core(cores, [&]() -> Task<void> {
        const auto request = request_to(upstream.base());
        auto stream = co_await client.send(request);
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "one");
        const auto nothing = co_await (*stream)->read(Deadline::after(20ms));
        EXPECT_EQ(nothing.error().reason(), "read_timeout");
        EXPECT_EQ(nothing.error().code(), Errc::timeout);
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "two");
        EXPECT_EQ(*(co_await (*stream)->read(Deadline::after(5s))), "");
    });
    EXPECT_EQ(client.counts().idle, 1u);
}

TEST_F(ClientTest, ReportsAnUnreachableUpstream)
{
    std::uint16_t free_port = 0;
    {
        const ScriptedUpstream gone;
        free_port = gone.port();
    }
    EXPECT_EQ(fetch_now(client, request_to("http://127.0.0.1:" + std::to_string(free_port))), "error: connect");
    EXPECT_EQ(fetch_now(client, request_to("http://no-such-host.invalid:80")), "error: connect");
    EXPECT_EQ(client.counts().open, 0u);
}

TEST_F(ClientTest, TriesEveryAddressOfAName)
{
    upstream.enqueue({send(http_answer(200, "text/plain", "ok"))});
    EXPECT_EQ(fetch_now(client, request_to("http://localhost:" + std::to_string(upstream.port()))), "ok");
    EXPECT_EQ(upstream.requests().at(0).header("host"), "localhost:" + std::to_string(upstream.port()));
}

TEST_F(ClientTest, ThrowsOutsideOfACore)
{
    boost::asio::io_context elsewhere;
    std::exception_ptr thrown;
    auto request = request_to(upstream.base());
    boost::asio::co_spawn(elsewhere, fetch(client, request), [&](std::exception_ptr error, const std::string&) { thrown = error; });
    elsewhere.run();
    EXPECT_THROW(std::rethrow_exception(thrown), InvariantBroken);
}

}  // namespace
}  // namespace dure::http

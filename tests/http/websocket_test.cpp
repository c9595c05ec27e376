// WebSockets by raw frames: handshake, echo, limits, pings, and the end of either side.
#include "http/server_fixture.hpp"
#include "support/mutate.hpp"

namespace dure::http::server_test::websocket {
namespace {

std::string upgrade_request(const std::string& key = "dGhlIHNhbXBsZSBub25jZQ==", const std::string& version = "13")
{
    return "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: " + version + "\r\nSec-WebSocket-Key: " + key + "\r\n\r\n";
}

// A masked frame of a client; the mask is zero, which is allowed and keeps the text readable.
std::string client_frame(unsigned opcode, const std::string& payload)
{
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
        frame += static_cast<char>(0x80 | payload.size());
    } else {
        frame += static_cast<char>(0x80 | 126);
        for (const int shift : {8, 0})
            frame += static_cast<char>((payload.size() >> shift) & 0xff);
    }
    return frame + std::string(4, '\0') + payload;
}

std::string server_frame(unsigned opcode, const std::string& payload)
{
    return std::string{static_cast<char>(0x80 | opcode), static_cast<char>(payload.size())} + payload;
}

struct EchoServer {
    std::atomic<int> last_error{-1};
    RunningServer server;

    explicit EchoServer(std::function<void(ServerOptions&)> adjust = {}) : server(std::move(adjust))
    {
        server.application.handler = [this](Exchange& exchange) -> Task<void> {
            auto socket = co_await exchange.upgrade("bearer");
            if (!socket) {
                Response response;
                response.status = ScriptedApplication::status_of(socket.error().code());
                co_await exchange.respond(std::move(response));
                co_return;
            }
            for (;;) {
                const auto text = co_await (*socket)->receive();
                if (!text) {
                    last_error = static_cast<int>(text.error().code());
                    co_return;
                }
                if (*text == "bye") {
                    co_await (*socket)->close(1000, "done");
                    co_return;
                }
                co_await (*socket)->send("echo " + *text);
            }
        };
    }
};

TEST(ServerWebSocket, ShakesHandsAndEchoes)
{
    EchoServer echo;
    RawClient client(echo.server.port());
    client.send(upgrade_request() + client_frame(1, "early"));   // a frame that came with the head is not lost
    const auto answer = client.receive_until("\r\n\r\n");
    EXPECT_EQ(status_in(answer), 101);
    EXPECT_TRUE(has(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_TRUE(has(answer, "Sec-WebSocket-Protocol: bearer\r\n"));
    EXPECT_TRUE(has(client.receive_until("early"), server_frame(1, "echo early")));
    client.send(client_frame(1, "한국어"));
    EXPECT_EQ(client.receive_until("한국어"), server_frame(1, "echo 한국어"));
    client.send(client_frame(9, "p"));
    EXPECT_EQ(client.receive_until("p"), server_frame(10, "p"));
    client.send(client_frame(1, "bye"));
    EXPECT_TRUE(has(client.receive_until("done"), std::string("\x03\xe8") + "done"));
}

TEST(ServerWebSocket, ClosesWith1009OverTheMessageLimit)
{
    EchoServer echo([](ServerOptions& options) { options.limits.websocket_message = 1000; });
    RawClient client(echo.server.port());
    client.send(upgrade_request());
    client.receive_until("\r\n\r\n");
    client.send(client_frame(1, std::string(1001, 'x')));
    EXPECT_TRUE(has(client.receive_until("\x03\xf1"), "\x03\xf1"));
    client.close();
    EXPECT_TRUE(eventually([&] { return echo.last_error == static_cast<int>(Errc::payload_too_large); }));
}

TEST(ServerWebSocket, EndsWhenThePeerGoesOrIsSilent)
{
    {
        EchoServer echo;
        RawClient client(echo.server.port());
        client.send(upgrade_request());
        client.receive_until("\r\n\r\n");
        client.close();
        EXPECT_TRUE(eventually([&] { return echo.last_error == static_cast<int>(Errc::cancelled); }));
        EXPECT_TRUE(eventually([&] { return echo.server.server().open_exchanges() == 0; }));
    }
    EchoServer echo([](ServerOptions& options) { options.limits.websocket_ping = 100ms; });
    RawClient client(echo.server.port());
    client.send(upgrade_request());
    client.receive_until("\r\n\r\n");
    EXPECT_TRUE(client.receive_until("\x89").ends_with('\x89'));   // a ping, which is not answered
    EXPECT_TRUE(client.closed_by_server());
    EXPECT_TRUE(eventually([&] { return echo.last_error == static_cast<int>(Errc::cancelled); }));
}

TEST(ServerWebSocket, MutatedFramesEndTheirConnectionAndHarmNoOther)
{
    EchoServer echo([](ServerOptions& options) { options.limits.websocket_message = 4000; });
    std::mt19937 random(20261122);
    const auto frames = client_frame(1, "첫 번째") + client_frame(9, "p") + client_frame(1, std::string(300, 'x')) +
                        client_frame(2, "\xff\xfe") + client_frame(0, "rest") + client_frame(8, "\x03\xe8");
    for (int i = 0; i < 500; ++i) {
        RawClient client(echo.server.port());
        client.send(upgrade_request());
        ASSERT_EQ(status_in(client.receive_until("\r\n\r\n")), 101) << i;
        client.send(test::mutated(frames, random));
        client.shutdown_send();
        ASSERT_TRUE(client.closed_by_server()) << i;
    }
    EXPECT_TRUE(eventually([&] { return echo.server.server().open_exchanges() == 0; }));
    RawClient client(echo.server.port());
    client.send(upgrade_request() + client_frame(1, "still here"));
    EXPECT_TRUE(has(client.receive_until("echo still here"), "echo still here"));
}

TEST(ServerWebSocket, IsCancelledWhenTheServerStops)
{
    EchoServer echo;
    RawClient client(echo.server.port());
    client.send(upgrade_request());
    client.receive_until("\r\n\r\n");
    echo.server.server().stop_accepting();
    echo.server.server().close_all(5s);
    EXPECT_EQ(echo.server.server().open_exchanges(), 0u);
    EXPECT_TRUE(client.closed_by_server());
}

TEST(ServerWebSocket, RefusesWhatIsNoUpgrade)
{
    EchoServer echo;
    for (const auto& request : {std::string("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"), upgrade_request("short"),
                                upgrade_request("dGhlIHNhbXBsZSBub25jZQ==", "8")}) {
        RawClient client(echo.server.port());
        client.send(request);
        EXPECT_EQ(status_in(client.receive_answer()), 400) << request;
    }
}

}  // namespace
}  // namespace dure::http::server_test::websocket

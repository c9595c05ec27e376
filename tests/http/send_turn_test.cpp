// With many requests under way an answer waits for its turn: it is sent once and whole, and until then another may take its place.
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <vector>

#include "dure/base/timeout.hpp"
#include "http/send_turn.hpp"
#include "http/server_fixture.hpp"

namespace dure::http::server_test::send_turn {
namespace {

std::string get(const std::string& path)
{
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

Response text(std::string body)
{
    Response response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

// Requests to "/wait" that are under way until the gate opens, as many as it takes for others to wait for their turn.
class Crowd {
public:
    explicit Crowd(RunningServer& server)
    {
        const int already = server.application.handled;
        while (!send_waits_its_turn(clients_.size())) {
            clients_.push_back(std::make_unique<RawClient>(server.port()));
            clients_.back()->send(get("/wait"));
        }
        EXPECT_TRUE(eventually([&] { return server.application.handled == already + static_cast<int>(clients_.size()); }));
    }
    std::vector<std::unique_ptr<RawClient>>& clients() { return clients_; }

private:
    std::vector<std::unique_ptr<RawClient>> clients_;
};

TEST(SendTurn, ManyAnswersAtOnceComeWholeAndOnce)
{
    std::atomic<bool> go_on{false};
    RunningServer server;
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        while (!go_on)
            co_await sleep_for(1ms);
        co_await ScriptedApplication::echo(exchange);
    };
    Crowd crowd(server);
    for (auto& client : crowd.clients())
        client->send(get("/next"));
    go_on = true;
    for (auto& client : crowd.clients()) {
        EXPECT_EQ(body_in(client->receive_answer()), "GET /wait\n");
        EXPECT_EQ(body_in(client->receive_answer()), "GET /next\n");
    }
    EXPECT_TRUE(eventually([&] { return server.server().open_exchanges() == 0; }));
}

TEST(SendTurn, AnAnswerThatIsCancelledBeforeItsTurnLeavesRoomForAnother)
{
    using namespace boost::asio::experimental::awaitable_operators;
    std::atomic<bool> go_on{false};
    RunningServer server;
    server.application.handler = [&](Exchange& exchange) -> Task<void> {
        if (exchange.head().path == "/replaced") {
            auto at_once = []() -> Task<void> { co_return; };
            co_await (at_once() || exchange.respond(text("first")));
            co_await exchange.respond(text("second"));
            co_return;
        }
        while (!go_on)
            co_await sleep_for(1ms);
        co_await ScriptedApplication::echo(exchange);
    };
    Crowd crowd(server);
    RawClient client(server.port());
    client.send(get("/replaced"));
    EXPECT_EQ(body_in(client.receive_answer()), "second");
    client.send(get("/replaced"));
    EXPECT_EQ(body_in(client.receive_answer()), "second");
    go_on = true;
    for (auto& waiting : crowd.clients())
        EXPECT_EQ(body_in(waiting->receive_answer()), "GET /wait\n");
}

}  // namespace
}  // namespace dure::http::server_test::send_turn

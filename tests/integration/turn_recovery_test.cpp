// Turns of the agent whose server was killed (graph-semantics §9): the next server finishes them, or marks them as cut, once;
// none is lost and none is there twice. The model is a scripted server that tells what it was asked.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace turn_recovery {

using namespace std::chrono_literals;

constexpr auto takeover_limit = 60s;

struct Place {
    std::string name;
    bool postgres;
    std::string durability;
};
void PrintTo(const Place& place, std::ostream* out)
{
    *out << place.name;
}

ServerProcess::Options configured(const ScriptedUpstream& upstream, bool postgres, const std::string& durability)
{
    const auto configuration = "[agent]\nmodel = \"scripted\"\ndurability = \"" + durability + "\"\n[sessions]\nmax_turns = 1000\n" +
                               "[executions]\nlease = \"3s\"\n[limits.admin]\nrequests_per_minute = 1000000\n"
                               "chat_per_minute = 1000000\n" +
                               "[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" + upstream.base() +
                               "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\n"
                               "targets = [\"up/scripted\"]\n";
    auto options = postgres ? on_postgres(fresh_schema(), configuration) : ServerProcess::Options{configuration, {}, {}};
    options.environment.emplace_back("UPSTREAM_TEST_KEY", "k");
    return options;
}

std::string question(const ServerProcess& server, const std::string& chat, const std::string& text)
{
    return raw_request("POST", "/v1/chat/completions", server.key(),
                       dump(Json{{"model", "coe-agent-v1"},
                                 {"messages", Json::array({{{"role", "user"}, {"content", text}}})}}),
                       {{"X-OpenWebUI-Chat-Id", chat}, {"X-OpenWebUI-User-Message-Id", "m-" + text}});
}

Json asked(const ServerProcess& server, const std::string& target)
{
    const auto answer = fetch(server.port(), raw_request("GET", target, server.key()));
    return answer.status == 200 ? answer.json() : Json::object();
}

std::vector<std::string> sessions_of(const ServerProcess& server)
{
    std::vector<std::string> ids;
    const auto page = asked(server, "/api/chat/sessions?limit=100");
    for (const auto& session : page.at("sessions"))
        ids.push_back(session.at("session_id").get<std::string>());
    return ids;
}

Json messages_of(const ServerProcess& server, const std::string& session)
{
    return asked(server, "/api/chat/history/" + session + "?limit=100").at("messages");
}

std::string last_role(const RecordedRequest& request)
{
    return Json::parse(request.body).at("messages").back().at("role").get<std::string>();
}

Script tool_call_script()
{
    return stream_script({role_chunk(), tool_chunk(tool_call_json(0, "call_1", "calculator", R"({"expression":"6*7"})")),
                          finish_chunk("tool_calls"), usage_chunk()});
}

class TurnRecovery : public ::testing::TestWithParam<Place> {};

TEST_P(TurnRecovery, TheNextServerFinishesATurnBehindItsLastDurableStep)
{
    ScriptedUpstream upstream;
    std::atomic<bool> hangs = true;
    upstream.handle([&](const RecordedRequest& request) -> Script {
        if (last_role(request) != "tool")
            return tool_call_script();
        if (hangs)
            return {await_peer_close(60s)};
        return text_stream_script("The result is 42.");
    });
    ServerProcess server(configured(upstream, GetParam().postgres, GetParam().durability));
    RawClient client(server.port());
    client.send(question(server, "chat-1", "What is 6*7?"));
    ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() == 2; }, 20s));   // the tool has run
    server.kill();
    hangs = false;
    server.start();
    const auto sessions = sessions_of(server);
    ASSERT_EQ(sessions.size(), 1u);
    ASSERT_TRUE(eventually([&] { return messages_of(server, sessions[0]).size() == 2; }, takeover_limit)) << server.err();
    const auto messages = messages_of(server, sessions[0]);
    EXPECT_EQ(messages[0].at("content"), "What is 6*7?");
    EXPECT_EQ(messages[1].at("content"), "The result is 42.");
    EXPECT_EQ(messages[1].at("metadata").at("status"), "complete");
    ASSERT_EQ(messages[1].at("metadata").at("tools_used").size(), 1u);
    EXPECT_EQ(messages[1].at("metadata").at("tools_used")[0].at("success"), true);
    // A step whose result was durable is not asked for again.
    EXPECT_EQ(upstream.request_count(), GetParam().durability == "exit" ? 4 : 3);
    // The next turn goes on as if nothing had been.
    const auto next = fetch(server.port(), question(server, "chat-1", "And again?"));
    EXPECT_EQ(next.status, 200) << next.body;
    EXPECT_EQ(messages_of(server, sessions[0]).size(), 4u);
    EXPECT_EQ(asked(server, "/api/chat/sessions/" + sessions[0]).at("conversation_turns"), 2);
}

TEST_P(TurnRecovery, ATurnThatServersDieOverIsMarkedAsCut)
{
    ScriptedUpstream upstream;
    upstream.handle([&](const RecordedRequest&) -> Script { return {await_peer_close(60s)}; });
    ServerProcess server(configured(upstream, GetParam().postgres, GetParam().durability));
    RawClient client(server.port());
    client.send(question(server, "chat-1", "Who kills you?"));
    const auto recorded = [&] {
        const auto sessions = sessions_of(server);
        return sessions.size() == 1 && messages_of(server, sessions[0]).size() == 2;
    };
    // A checkpoint between two deaths begins the count anew, so it may take a third.
    for (int killed = 0; killed < 4; ++killed) {
        ASSERT_TRUE(eventually([&] { return upstream.request_count() > killed || recorded(); }, takeover_limit));
        if (recorded())
            break;
        server.kill();
        server.start();
    }
    ASSERT_TRUE(eventually(recorded, takeover_limit)) << server.err();
    const auto sessions = sessions_of(server);
    const auto messages = messages_of(server, sessions[0]);
    EXPECT_EQ(messages[0].at("content"), "Who kills you?");
    EXPECT_EQ(messages[1].at("metadata").at("status"), "cut");
    EXPECT_GE(upstream.request_count(), 2);
    EXPECT_LE(upstream.request_count(), 3);
}

// Turns are begun at random moments before the kill; every one the model was asked for is in its session, once.
TEST_P(TurnRecovery, NoTurnIsLostOrDoubledByKillsAtRandomMoments)
{
    ScriptedUpstream upstream;
    std::mutex guard;
    std::set<std::string> begun;
    upstream.handle([&](const RecordedRequest& request) -> Script {
        const Json messages = Json::parse(request.body).at("messages");
        for (const auto& message : messages)
            if (message.at("role") == "user") {
                const std::lock_guard lock(guard);
                begun.insert(message.at("content").get<std::string>());
            }
        return last_role(request) == "tool" ? text_stream_script("The result is 42.") : tool_call_script();
    });
    ServerProcess server(configured(upstream, GetParam().postgres, GetParam().durability));
    std::mt19937 random(7);
    constexpr int chats = 8;
    for (int kill = 0; kill < 3; ++kill) {
        std::atomic<bool> going = true;
        std::vector<std::thread> clients;
        for (int chat = 0; chat < chats; ++chat)
            clients.emplace_back([&, chat] {
                const auto name = std::to_string(kill) + "-" + std::to_string(chat);
                for (int turn = 0; going && turn < 45; ++turn)   // a page of history holds them
                    try {
                        RawClient client(server.port());
                        client.send(question(server, "chat-" + name, "q-" + name + "-" + std::to_string(turn)));
                        if (client.read_answer().status != 200)
                            return;
                    } catch (const std::exception&) {
                        return;   // it was killed
                    }
            });
        const auto enough = upstream.request_count() + 40 + static_cast<int>(random() % 60);
        EXPECT_TRUE(upstream.wait_until([&] { return upstream.request_count() >= enough; }, 30s));
        server.kill();
        going = false;
        for (auto& client : clients)
            client.join();
        server.start();
    }
    const auto stored = [&] {
        std::multiset<std::string> questions;
        for (const auto& session : sessions_of(server))
            for (const auto& message : messages_of(server, session))
                if (message.at("role") == "user")
                    questions.insert(message.at("content").get<std::string>());
        return questions;
    };
    EXPECT_TRUE(eventually(
        [&] {
            const auto questions = stored();
            return std::all_of(begun.begin(), begun.end(), [&](const auto& one) { return questions.contains(one); });
        },
        takeover_limit))
        << server.err();
    const auto questions = stored();
    EXPECT_EQ(questions.size(), std::set<std::string>(questions.begin(), questions.end()).size()) << "a turn is there twice";
    for (const auto& one : begun)
        EXPECT_EQ(questions.count(one), 1u) << one;
}

INSTANTIATE_TEST_SUITE_P(Places, TurnRecovery,
                         ::testing::Values(Place{"SqliteExit", false, "exit"}, Place{"SqliteSync", false, "sync"},
                                           Place{"SqliteAsync", false, "async"}, Place{"PostgresExit", true, "exit"},
                                           Place{"PostgresSync", true, "sync"}),
                         [](const auto& all) { return all.param.name; });

}  // namespace turn_recovery
}  // namespace dure::test

// on_client_gone = "drain" with the whole server: the answer of a client that left is read to its end, stored whole and charged as
// the provider counts it; and it does not hold up a stop.
#include <gtest/gtest.h>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace drained {

using namespace std::chrono_literals;

class DrainedAnswers : public ::testing::Test {
protected:
    static std::string configuration(const ScriptedUpstream& upstream)
    {
        return "[server]\nshutdown_deadline = \"3s\"\n[[providers]]\nname = \"up\"\nbase_url = \"" + upstream.base() +
               "/v1\"\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\non_client_gone = \"drain\"\n"
               "prices = {output = \"2.00\"}\n";
    }
    void leave_after_first_output()
    {
        const auto body = dump(Json{{"model", "scripted"},
                                    {"stream", true},
                                    {"messages", Json::array({{{"role", "user"}, {"content", "a question"}}})}});
        RawClient client(server.port());
        client.send(raw_request("POST", "/v1/chat/completions", server.key(), body, {{"X-OpenWebUI-Chat-Id", "left"}}));
        client.read_until("first");
        client.leave();
    }
    Json ask(const std::string& path) const
    {
        return fetch(server.port(), raw_request("GET", path, server.key())).json();
    }

    const std::string first_output = sse_head() + chunk(role_chunk()) + chunk(text_chunk("first"));
    ScriptedUpstream upstream;
    ServerProcess server{{.configuration = configuration(upstream)}};
};

TEST_F(DrainedAnswers, AreStoredWholeAndChargedAsTheProviderCounts)
{
    upstream.enqueue({send(first_output), await_word(), pause(500ms),  // that the server sees the client go
                      send(chunk(text_chunk(" and last")) + chunk(finish_chunk("stop")) + chunk(usage_chunk(11, 1000)) +
                           chunk(done_event()) + last_chunk())});
    leave_after_first_output();
    upstream.go_on();
    Json messages;
    EXPECT_TRUE(eventually([&] {
        const auto sessions = ask("/api/chat/sessions").at("sessions");
        if (sessions.empty())
            return false;
        messages = ask("/api/chat/history/" + sessions.at(0).at("session_id").get<std::string>()).at("messages");
        return messages.size() == 2;
    }));
    ASSERT_EQ(messages.size(), 2u) << messages;
    EXPECT_EQ(messages.at(1).at("content"), "first and last");
    EXPECT_NE(messages.at(1).at("metadata").value("status", ""), "cut") << messages;
    EXPECT_TRUE(upstream.peer_closes().empty()) << "it was read to its end";
    Json rows;
    EXPECT_TRUE(eventually([&] {  // written behind the answer
        rows = ask("/api/usage").at("rows");
        return rows.size() == 1;
    }));
    EXPECT_EQ(rows.at(0).at("completion_tokens"), 1000) << rows;
    EXPECT_EQ(rows.at(0).at("prompt_tokens"), 11) << rows;
    EXPECT_DOUBLE_EQ(rows.at(0).at("cost_usd").get<double>(), 0.002) << rows;
    const auto metrics = fetch(server.port(), raw_request("GET", "/metrics", server.key())).body;
    EXPECT_EQ(metrics.find("dure_usage_estimated_total 1"), std::string::npos);
}

TEST_F(DrainedAnswers, DoNotHoldUpAStop)
{
    upstream.enqueue({send(first_output), await_peer_close(30s)});
    leave_after_first_output();
    server.send_signal(SIGTERM);
    EXPECT_EQ(server.wait(), 0) << server.err();
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
    EXPECT_EQ(server.err().find("do not end"), std::string::npos) << server.err();
}

}  // namespace drained
}  // namespace dure::test

// Readers of a history that wait for the session's summary, on the real binary; the model is a scripted server.
#include <gtest/gtest.h>

#include <list>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace summary_wait {

constexpr int readers = 32;   // more than there are places for large answers

ServerProcess::Options summarising(const ScriptedUpstream& upstream)
{
    return {.configuration = "[agent]\nmodel = \"scripted\"\n[sessions]\nmax_turns = 1\n"
                             "[limits.admin]\nrequests_per_minute = 1000000\nchat_per_minute = 1000000\n"
                             "[[providers]]\nname = \"up\"\nbase_url = \"" +
                             upstream.base() +
                             "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n"
                             "[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
            .environment = {{"UPSTREAM_TEST_KEY", "k"}},
            .arguments = {}};
}

TEST(SummaryWait, ReadersThatWaitForASummaryTakeNoPlaceFromOtherLargeAnswers)
{
    ScriptedUpstream upstream;
    auto late_summary = completion_script("in short");
    late_summary.insert(late_summary.begin(), await_word());
    upstream.enqueue(completion_script("fine"));
    upstream.enqueue(std::move(late_summary));
    const ServerProcess server(summarising(upstream));
    const auto ask = [&](std::string_view target, const Json& body) {
        return fetch(server.port(), raw_request("POST", target, server.key(), body.dump()));
    };
    const auto id = ask("/api/chat/session", Json::object()).json().at("session_id").get<std::string>();
    const auto said = ask("/api/chat/message", {{"session_id", id}, {"message", "a question"}, {"model", "scripted"}});
    ASSERT_EQ(said.status, 200) << said.body;
    ASSERT_TRUE(upstream.wait_until([&] { return upstream.request_count() == 2; })) << "the summary is under way";

    const auto history = raw_request("GET", "/api/chat/history/" + id, server.key());
    std::list<RawClient> waiting;
    for (int i = 0; i < readers; ++i)
        waiting.emplace_back(server.port()).send(history);
    for (const auto* target : {"/api/executions", "/api/events/audit"}) {
        const auto other = fetch(server.port(), raw_request("GET", target, server.key()));
        EXPECT_EQ(other.status, 200) << other.body;
    }

    upstream.go_on();
    const auto summarised = [&] {
        const auto read = fetch(server.port(), history);
        return read.status == 200 && read.json().at("summaries").size() == 1;
    };
    EXPECT_TRUE(eventually(summarised));
    Json usage;
    EXPECT_TRUE(eventually([&] {   // rows are written behind
        usage = fetch(server.port(), raw_request("GET", "/api/usage?group_by=model", server.key())).json();
        return usage.at("rows").size() == 1 && usage.at("rows").at(0).at("requests") == 2;
    })) << usage
        << " the summary is a call of its owner's too";
}

TEST(SummaryModel, IsTheOneThatAnsweredAndForTheAgentItsOwn)
{
    ScriptedUpstream upstream;
    auto options = summarising(upstream);
    options.configuration.replace(options.configuration.find("[agent]\nmodel = \"scripted\"\n"), 27, "");
    const ServerProcess server(std::move(options));
    const auto summarised_by = [&](const Json& message) {
        const auto said = fetch(server.port(), raw_request("POST", "/api/chat/message", server.key(), message.dump()));
        EXPECT_EQ(said.status, 200) << said.body;
        const auto history = "/api/chat/history/" + said.json().at("session_id").get<std::string>();
        std::string model;
        EXPECT_TRUE(eventually([&] {
            const auto summaries = fetch(server.port(), raw_request("GET", history, server.key())).json().at("summaries");
            model = summaries.empty() ? "" : summaries.at(0).at("model").get<std::string>();
            return !model.empty();
        }));
        return model;
    };
    upstream.enqueue(completion_script("fine"));
    upstream.enqueue(completion_script("in short"));
    EXPECT_EQ(summarised_by({{"message", "a question"}, {"model", "scripted"}}), "up/scripted");
    EXPECT_EQ(upstream.request_count(), 2u);
    EXPECT_EQ(summarised_by({{"message", "a question"}}), "mock/mock");
}

// The client notices nothing (S3): the messages themselves are there until the summary is.
TEST(SummaryWait, ASummaryThatHangsHoldsNoTurnUpForLong)
{
    ScriptedUpstream upstream;
    auto hanging = completion_script("in short");
    hanging.insert(hanging.begin(), await_word());
    upstream.enqueue(completion_script("fine"));
    upstream.enqueue(std::move(hanging));
    upstream.enqueue(completion_script("fine too"));
    const ServerProcess server(summarising(upstream));
    const auto ask = [&](std::string_view target, const Json& body) {
        return fetch(server.port(), raw_request("POST", target, server.key(), body.dump()));
    };
    const auto id = ask("/api/chat/session", Json::object()).json().at("session_id").get<std::string>();
    const auto say = [&](const char* text) {
        return ask("/api/chat/message", {{"session_id", id}, {"message", text}, {"model", "scripted"}});
    };
    ASSERT_EQ(say("first").status, 200);
    const auto next = say("second");   // the word has not been given
    ASSERT_EQ(next.status, 200) << next.body;
    const auto sent = Json::parse(upstream.requests().at(2).body);
    std::vector<std::string> told;
    for (const auto& message : sent.at("messages"))
        told.push_back(message.at("content").get<std::string>());
    ASSERT_GE(told.size(), 3U) << sent;
    EXPECT_EQ(std::vector<std::string>(told.end() - 3, told.end()),
              (std::vector<std::string>{"first", "fine", "second"}));
    upstream.go_on();
}

}  // namespace summary_wait
}  // namespace dure::test

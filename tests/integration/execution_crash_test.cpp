// A server that is killed while a node waits for the far side, on both databases: what the node's on_crash says comes true in the next
// process, and a repeat has the same idempotency key.
#include "integration/executions_and_far_side.hpp"

namespace dure::test {
namespace execution_crash {

class ExecutionCrash : public ExecutionsAndFarSide {
protected:
    // start → POST to the far side → its answer, or what went wrong
    std::string flow(const Json& policy) const
    {
        const auto node = [](const char* id, const char* type, Json config, Json rules = Json()) {
            Json drawn{{"id", id},
                       {"type", type},
                       {"position", {{"x", 0}, {"y", 0}}},
                       {"data", {{"config", std::move(config)}}}};
            if (!rules.is_null())
                drawn["data"]["policy"] = std::move(rules);
            return drawn;
        };
        const Json document{{"name", "sends"},
                            {"nodes",
                             {node("start", "start", Json::object()),
                              node("send", "http", {{"method", "POST"}, {"url", far_side.base() + "/mail"}}, policy),
                              node("out", "reply", {{"text", "{{nodes.send.body.did}}"}})}},
                            {"edges",
                             {{{"id", "1"}, {"source", "start"}, {"target", "send"}},
                              {{"id", "2"}, {"source", "send"}, {"target", "out"}}}}};
        const auto made = ask("POST", "/api/agent-builder/agentflows", document);
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json().value("id", "");
    }
    // An execution whose server died while the far side was silent; the next process is there.
    std::string killed_in(const Json& policy)
    {
        far_side.enqueue({hang()});
        far_side.handle(
            [](const auto&) { return Script{send(http_answer(200, "application/json", R"({"did":"sent"})"))}; });
        const auto begun = ask("POST", "/api/agent-builder/flows/" + flow(policy) + "/execute", Json::object());
        EXPECT_EQ(begun.status, 202) << begun.body;
        EXPECT_TRUE(far_side.wait_until([&] { return far_side.request_count() == 1; }));
        server.kill();
        server.start();
        return begun.json().value("id", "");
    }
    Json reaches(const std::string& id, const std::string& status) const
    {
        Json shown;
        EXPECT_TRUE(eventually([&] {
            shown = ask("GET", "/api/executions/" + id).json();
            return shown.value("status", "") == status;
        })) << shown;
        return shown;
    }
};

TEST_P(ExecutionCrash, ANodeIsRepeatedWithTheSameKeyUnlessItsPolicySaysOtherwise)
{
    const auto id = killed_in(Json());
    EXPECT_EQ(reaches(id, "succeeded").at("output").at("text"), "sent");
    ASSERT_EQ(far_side.request_count(), 2);
    EXPECT_FALSE(far_side.requests()[0].header("idempotency-key").empty());
    EXPECT_EQ(far_side.requests()[0].header("idempotency-key"), far_side.requests()[1].header("idempotency-key"));
}

TEST_P(ExecutionCrash, WaitAsksAPersonWhoLetsItRunAgain)
{
    const auto id = killed_in({{"on_crash", "wait"}});
    const auto waiting = reaches(id, "waiting").at("waiting");
    ASSERT_EQ(waiting.size(), 1u);
    EXPECT_EQ(waiting[0].at("node_id"), "send");
    EXPECT_EQ(far_side.request_count(), 1);
    EXPECT_EQ(ask("POST", "/api/executions/" + id + "/resume", {{"action", "perhaps"}}).status, 422);
    EXPECT_EQ(ask("POST", "/api/executions/" + id + "/resume", {{"action", "retry"}}).status, 202);
    EXPECT_EQ(reaches(id, "succeeded").at("output").at("text"), "sent");
    ASSERT_EQ(far_side.request_count(), 2);
    EXPECT_EQ(far_side.requests()[0].header("idempotency-key"), far_side.requests()[1].header("idempotency-key"));
}

TEST_P(ExecutionCrash, FailEndsItAndARetryOfTheExecutionRunsItAgain)
{
    const auto id = killed_in({{"on_crash", "fail"}});
    const auto failed = reaches(id, "failed");
    EXPECT_EQ(failed.at("steps").back().at("error").at("code"), "on_crash") << failed;
    EXPECT_EQ(far_side.request_count(), 1);
    EXPECT_EQ(ask("POST", "/api/executions/" + id + "/retry", Json::object()).status, 202);
    EXPECT_EQ(reaches(id, "succeeded").at("output").at("text"), "sent");
    EXPECT_EQ(far_side.request_count(), 2);
}

TEST_P(ExecutionCrash, TheThirdDeathAtOneStepEndsItAndNamesTheNode)
{
    far_side.handle([](const auto&) { return Script{hang()}; });
    const auto begun = ask("POST", "/api/agent-builder/flows/" + flow(Json()) + "/execute", Json::object());
    ASSERT_EQ(begun.status, 202) << begun.body;
    const auto id = begun.json().value("id", "");
    for (int death = 1; death <= 3; ++death) {
        ASSERT_TRUE(far_side.wait_until([&] { return far_side.request_count() == death; }));
        server.kill();
        server.start();
    }
    const auto error = reaches(id, "failed").at("error");
    EXPECT_EQ(error.at("code"), "RECOVERY_LIMIT");
    EXPECT_EQ(error.at("node_id"), "send");
    EXPECT_EQ(error.at("message"),
              "The process ended 3 times while the execution stood at the same step, at work on: send.");
}

INSTANTIATE_TEST_SUITE_P(Databases, ExecutionCrash, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace execution_crash
}  // namespace dure::test

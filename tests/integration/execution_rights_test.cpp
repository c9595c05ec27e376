// What an execution may use is what the key or login it began with may: tools, models of a bound key, over the wire on both databases.
#include <gtest/gtest.h>

#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace execution_rights {

class ExecutionRights : public EventsOnTheWire {
protected:
    RawAnswer send(const std::string& credential, const std::string& path, const Json& body) const
    {
        return fetch(server.port(), raw_request("POST", path, credential, body.dump()));
    }
    std::string key(const Json& permissions, const Json& models = Json()) const
    {
        Json wanted{{"name", "k"}, {"permissions", permissions}};
        if (!models.is_null())
            wanted["models"] = models;
        const auto made = send(admin.token, "/api/keys", wanted);
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json().value("key", "");
    }
    // start → one node → reply
    std::string made(const std::string& name, const std::string& kind, Json config) const
    {
        const auto node = [](const char* id, const std::string& type, Json with) {
            return Json{{"id", id},
                        {"type", type},
                        {"position", {{"x", 0}, {"y", 0}}},
                        {"data", {{"config", std::move(with)}}}};
        };
        const Json document{
            {"name", name},
            {"nodes",
             {node("start", "start", Json::object()), node("n", kind, std::move(config)),
              node("out", "reply", {{"text", "done"}})}},
            {"edges",
             {{{"id", "1"}, {"source", "start"}, {"target", "n"}},
              {{"id", "2"},
               {"source", "n"},
               {"sourceHandle", kind == "human_input" ? "approve" : "out"},
               {"target", "out"}}}}};
        const auto answer = send(admin.token, "/api/agent-builder/agentflows", document);
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json().value("id", "");
    }
    std::string published(const std::string& flow) const
    {
        const auto answer = send(admin.token, "/api/agent-builder/flows/" + flow + "/publish", Json::object());
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json().value("model", "");
    }
    // "succeeded", or the code it failed with.
    std::string outcome(const std::string& credential, const std::string& flow, const Json& body = Json::object()) const
    {
        const auto ended = send(credential, "/api/agent-builder/flows/" + flow + "/execute?wait=true", body);
        if (ended.status != 200)
            return std::to_string(ended.status) + " " + ended.json().value("code", "");
        const auto execution = ended.json();
        if (execution.at("status") != "failed")
            return execution.at("status").get<std::string>();
        for (const auto& step : execution.at("steps"))
            if (step.at("status") == "failed")
                return step.at("error").value("code", "");
        return execution.dump();
    }
};

TEST_P(ExecutionRights, AToolRunsOnlyForWhoMayUseTools)
{
    const auto flow = made("sum", "tool", {{"tool", "calculator"}, {"arguments", {{"expression", "6*7"}}}});
    const Json without{"flows:execute", "flows:read", "flows:manage"},
        with{"flows:execute", "tools:execute", "flows:manage"};
    EXPECT_EQ(outcome(admin.token, flow), "succeeded");
    EXPECT_EQ(outcome(key(with), flow), "succeeded");
    const auto weak = key(without);
    EXPECT_EQ(outcome(weak, flow), "tools_not_permitted");
    const auto failed = send(weak, "/api/agent-builder/flows/" + flow + "/execute?wait=true", Json::object()).json();
    EXPECT_EQ(failed.at("error").at("node_id"), "n") << failed;
    const auto path = "/api/executions/" + failed.at("id").get<std::string>();
    EXPECT_EQ(send(admin.token, path + "/retry", Json::object()).status, 202);
    Json again;
    EXPECT_TRUE(eventually([&] {
        again = ask(admin, path).json();
        return again.at("status") == "failed" || again.at("status") == "succeeded";
    }));
    EXPECT_EQ(again.at("status"), "failed") << "a retry gives it no rights it did not begin with";
}

TEST_P(ExecutionRights, ABoundKeyRunsItsFlowWithTheModelsTheFlowNames)
{
    const auto fixed = made("fixed", "llm", {{"model", "mock"}, {"prompt", "x"}});
    const auto open = made("open", "llm", {{"model", "{{start.inputs.model}}"}, {"prompt", "x"}});
    const auto other = made("other", "llm", {{"model", "mock"}, {"prompt", "x"}});
    published(other);
    const Json permissions{"flows:execute", "flows:read", "flows:manage"};
    const auto bound = key(permissions, {published(fixed), published(open)});
    EXPECT_EQ(outcome(bound, "fixed"), "succeeded");
    EXPECT_EQ(outcome(bound, "open", {{"inputs", {{"model", "mock"}}}}), "model_not_permitted");
    EXPECT_EQ(outcome(key(permissions, {"flow:open", "mock"}), "open", {{"inputs", {{"model", "mock"}}}}), "succeeded");
    EXPECT_EQ(outcome(admin.token, "open", {{"inputs", {{"model", "mock"}}}}), "succeeded");
    EXPECT_EQ(outcome(bound, "other").substr(0, 3), "404");
    const auto newer =
        raw_request("PUT", "/api/agent-builder/flows/" + fixed, admin.token, R"({"description":"newer"})");
    EXPECT_EQ(fetch(server.port(), newer).status, 200);
    EXPECT_EQ(outcome(bound, "fixed"), "succeeded");
    EXPECT_EQ(outcome(bound, fixed, {{"version", "draft"}}), "model_not_permitted")
        << "a draft has only the models that the key names";
}

// What is given away with a key of one flow shows nothing of the others.
TEST_P(ExecutionRights, ABoundKeySeesAndStopsOnlyExecutionsOfTheFlowsItOpens)
{
    const auto opened = made("opened", "human_input", {{"prompt", "{{start.message}}"}});
    const auto closed = made("closed", "human_input", {{"prompt", "{{start.message}}"}});
    const auto model = published(opened);
    const auto started = [&](const std::string& flow) {
        const auto asked =
            send(admin.token, "/api/agent-builder/flows/" + flow + "/execute?wait=true", {{"message", "private"}});
        EXPECT_EQ(asked.json().at("status"), "waiting") << asked.body;
        return asked.json().at("id").get<std::string>();
    };
    const auto mine = started(opened);
    const auto other = started(closed);
    const auto bound = key({"flows:execute", "flows:read"}, {model});
    const auto get = [&](const std::string& path) { return fetch(server.port(), raw_request("GET", path, bound)); };
    const auto missing = get("/api/executions/" + other.substr(0, 35) + "x");
    const auto hidden = get("/api/executions/" + other);
    EXPECT_EQ(hidden.status, 404) << hidden.body;
    EXPECT_EQ(hidden.json().at("detail"), missing.json().at("detail"));
    EXPECT_EQ(get("/api/executions/" + mine).status, 200);
    for (const std::string& path : std::vector<std::string>{
             "/api/executions/" + other + "/stream", "/api/events/aggregate/" + other, "/api/events/replay/" + other,
             "/api/events/aggregate/" + closed, "/api/agent-builder/flows/" + closed + "/executions"})
        EXPECT_EQ(get(path).status, 404) << path;
    EXPECT_EQ(get("/api/events/audit").status, 403);
    EXPECT_EQ(get("/api/events/stream").status, 403);
    EXPECT_EQ(get("/api/events/aggregate/" + mine).status, 200);
    const auto list = get("/api/executions").json();
    EXPECT_EQ(list.at("total"), 1) << list;
    EXPECT_EQ(list.at("executions").at(0).at("id"), mine);
    EXPECT_EQ(get("/api/agent-builder/flows/opened/executions").json().at("total"), 1);
    EXPECT_EQ(send(bound, "/api/executions/" + other + "/cancel", Json::object()).status, 404);
    EXPECT_EQ(ask(admin, "/api/executions/" + other).json().at("status"), "waiting");
    EXPECT_EQ(send(bound, "/api/executions/" + mine + "/cancel", Json::object()).status, 202);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/api/executions", key({"flows:execute"}, {"mock"})))
                  .json()
                  .at("total"),
              0);
}

INSTANTIATE_TEST_SUITE_P(Databases, ExecutionRights, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace execution_rights
}  // namespace dure::test

// Forks of executions with containers, on both databases: a container that a fork begins at runs anew, with the patch, and is shown
// once.
#include <gmock/gmock.h>

#include "integration/executions_and_far_side.hpp"

namespace dure::test {
namespace execution_fork {

using testing::ElementsAre;

Json drawn(const std::string& id, const std::string& kind, Json config = Json::object(), const std::string& parent = {})
{
    Json node{
        {"id", id}, {"type", kind}, {"position", {{"x", 0}, {"y", 0}}}, {"data", {{"config", std::move(config)}}}};
    if (!parent.empty())
        node["parentId"] = parent;
    return node;
}

Json document(Json nodes, const std::vector<std::pair<std::string, std::string>>& edges)
{
    Json made{{"name", "forked"}, {"nodes", std::move(nodes)}, {"edges", Json::array()}};
    for (const auto& [source, target] : edges)
        made["edges"].push_back({{"id", source + "-" + target}, {"source", source}, {"target", target}});
    return made;
}

class ExecutionFork : public ExecutionsAndFarSide {
protected:
    ExecutionFork()
    {
        far_side.handle([](const auto&) { return Script{send(http_answer(200, "application/json", "{}"))}; });
    }
    std::string made(const Json& flow) const
    {
        const auto answer = ask("POST", "/api/agent-builder/agentflows", flow);
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json().value("id", "");
    }
    Json executed(const std::string& flow) const
    {
        const auto begun = ask("POST", "/api/agent-builder/flows/" + flow + "/execute", {{"message", "m"}});
        EXPECT_EQ(begun.status, 202) << begun.body;
        return ended(begun.json().value("id", ""));
    }
    Json ended(const std::string& id) const
    {
        Json shown;
        EXPECT_TRUE(eventually([&] {
            shown = ask("GET", "/api/executions/" + id).json();
            return shown.value("status", "") == "succeeded" || shown.value("status", "") == "failed";
        })) << shown;
        return shown;
    }
    Json forked(const Json& original, const Json& step, const std::string& text = "Z") const
    {
        const auto begun = ask("POST", "/api/executions/" + original.at("id").get<std::string>() + "/fork",
                               {{"step", step}, {"patch", {{"nodes", {{"a", {{"text", text}}}}}}}});
        EXPECT_EQ(begun.status, 202) << begun.body;
        return ended(begun.json().value("id", ""));
    }
    Json http(const std::string& text) const
    {
        return {{"method", "GET"}, {"url", far_side.base() + "/inner?x=" + text}};
    }
    // What the nodes inside have asked since the last time.
    std::vector<std::string> asked()
    {
        std::vector<std::string> targets;
        const auto all = far_side.requests();
        for (; heard < all.size(); ++heard)
            targets.push_back(all[heard].target);
        return targets;
    }
    // start → a ("A") → c, a container whose inner node asks the far side with a's text → out
    static Json around(const Json& container, const std::vector<Json>& inside = {})
    {
        auto nodes = Json::array({drawn("start", "start"), drawn("a", "template", {{"text", "A"}}), container,
                                  drawn("out", "reply", {{"text", "{{nodes.a.text}}"}})});
        for (const auto& node : inside)
            nodes.push_back(node);
        return document(std::move(nodes), {{"start", "a"}, {"a", "c"}, {"c", "out"}});
    }
    Json asking(const std::string& parent = "c") const { return drawn("h", "http", http("{{nodes.a.text}}"), parent); }
    Json of_kind(const std::string& kind) const
    {
        if (kind == "iteration")
            return around(drawn("c", "iteration", {{"items", {0, 1}}}), {asking()});
        if (kind == "loop")
            return around(drawn("c", "loop", {{"max_rounds", 2}}), {asking()});
        const auto inner =
            made(document({drawn("start", "start"), drawn("h", "http", http("{{start.message}}"))}, {{"start", "h"}}));
        return around(drawn("c", "subflow", {{"flow", inner}, {"message", "{{nodes.a.text}}"}}));
    }
    static Json step_of(const Json& shown, const std::string& node)
    {
        for (const auto& step : shown.at("steps"))
            if (step.at("node_id") == node)
                return step.at("step");
        return Json();
    }
    static std::vector<std::string> nodes_of(const Json& shown)
    {
        std::vector<std::string> nodes;
        for (const auto& step : shown.at("steps"))
            nodes.push_back(step.at("node_id").get<std::string>() + " " + step.at("status").get<std::string>());
        return nodes;
    }

    std::size_t heard = 0;
};

TEST_P(ExecutionFork, AContainerRunsAnewWithThePatchAlsoAfterARestart)
{
    for (const auto* kind : {"iteration", "loop", "subflow"}) {
        SCOPED_TRACE(kind);
        const std::size_t rounds = std::string_view(kind) == "subflow" ? 1 : 2;
        const auto original = executed(made(of_kind(kind)));
        EXPECT_EQ(asked(), std::vector<std::string>(rounds, "/inner?x=A")) << original;
        const auto by_name = forked(original, "c");
        EXPECT_EQ(by_name.at("output").at("text"), "Z") << by_name;
        EXPECT_EQ(asked(), std::vector<std::string>(rounds, "/inner?x=Z"));
        EXPECT_EQ(nodes_of(by_name), nodes_of(original));
        server.kill();
        server.start();
        EXPECT_EQ(forked(original, "c", "Y").at("output").at("text"), "Y");
        EXPECT_EQ(asked(), std::vector<std::string>(rounds, "/inner?x=Y"));
        EXPECT_EQ(forked(original, step_of(original, "c"), "X").at("output").at("text"), "X");
        EXPECT_EQ(asked(), std::vector<std::string>(rounds, "/inner?x=X"));
        forked(by_name, "c", "W");
        EXPECT_EQ(asked(), std::vector<std::string>(rounds, "/inner?x=W"));
        EXPECT_EQ(ask("GET", "/api/executions/" + original.at("id").get<std::string>()).json(), original);
    }
}

TEST_P(ExecutionFork, APatchOfTheNodeThatRunsAgainIsRefused)
{
    const auto original = executed(made(of_kind("loop")));
    const auto path = "/api/executions/" + original.at("id").get<std::string>() + "/fork";
    for (const auto* node : {"a", "c"}) {
        const auto refused = ask("POST", path, {{"step", node}, {"patch", {{"nodes", {{node, {{"text", "Z"}}}}}}}});
        EXPECT_EQ(refused.status, 422) << node << refused.body;
        EXPECT_EQ(refused.json().at("errors").at(0).at("loc"), (Json{"body", "patch", "nodes", node})) << refused.body;
    }
}

TEST_P(ExecutionFork, AFlowThatMayNotRunIsNotRunByAFork)
{
    const auto flow = made(of_kind("loop"));
    const auto original = executed(flow);
    const auto path = "/api/executions/" + original.at("id").get<std::string>() + "/fork";
    const auto place = "/api/agent-builder/flows/" + flow;
    ASSERT_EQ(ask("PUT", place, {{"is_active", false}}).status, 200);
    const auto inactive = ask("POST", path, {{"step", "a"}});
    EXPECT_EQ(inactive.status, 409) << inactive.body;
    ASSERT_EQ(ask("DELETE", place).status / 100, 2);
    EXPECT_EQ(ask("POST", path, {{"step", "a"}}).status, 404);
}

TEST_P(ExecutionFork, AContainerUnderWayIsShownOnceWithItsNewEnd)
{
    auto flow = of_kind("loop");
    flow["nodes"].push_back(drawn("p", "template", {{"text", "p"}}));
    flow["nodes"].push_back(drawn("q", "template", {{"text", "q"}}));
    for (const auto& [source, target] : std::vector<std::pair<std::string, std::string>>{{"a", "p"}, {"p", "q"}})
        flow["edges"].push_back({{"id", source + "-" + target}, {"source", source}, {"target", target}});
    const auto original = executed(made(flow));
    asked();
    EXPECT_LT(step_of(original, "c"), step_of(original, "q"));
    auto shown = nodes_of(forked(original, "q"));
    EXPECT_EQ(std::count(shown.begin(), shown.end(), "c succeeded"), 1) << original;
    EXPECT_EQ(asked().size(), 2u);
    // Its last round alone.
    const auto last_round = forked(original, "h");
    shown = nodes_of(last_round);
    EXPECT_EQ(std::count(shown.begin(), shown.end(), "c succeeded"), 1) << original;
    EXPECT_EQ(std::count(shown.begin(), shown.end(), "h succeeded"), 2) << original;
    EXPECT_EQ(asked().size(), 1u);
    EXPECT_EQ(step_of(last_round, "c"), step_of(original, "c"));
    forked(last_round, "c");
    EXPECT_THAT(asked(), ElementsAre("/inner?x=Z", "/inner?x=Z"));
    // Behind its end nothing of it runs.
    EXPECT_EQ(nodes_of(forked(original, "out")), nodes_of(original));
    EXPECT_THAT(asked(), ElementsAre());
}

TEST_P(ExecutionFork, AContainerThatFailedRunsAnewFromItsBeginning)
{
    const Json config{{"max_rounds", 2}, {"on_exhausted", "fail"}, {"until", {{"all", {{{"left", 1}, {"op", "eq"}, {"right", 2}}}}}}};
    const auto original = executed(made(around(drawn("c", "loop", config), {asking()})));
    EXPECT_EQ(original.at("error").at("code"), "loop_exhausted") << original;
    EXPECT_EQ(asked().size(), 2u);
    for (const auto& step : {Json("c"), step_of(original, "c")}) {
        EXPECT_EQ(nodes_of(forked(original, step)), nodes_of(original)) << step;
        EXPECT_THAT(asked(), ElementsAre("/inner?x=Z", "/inner?x=Z")) << step;
    }
}

INSTANTIATE_TEST_SUITE_P(Databases, ExecutionFork, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace execution_fork
}  // namespace dure::test

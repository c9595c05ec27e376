// `dure flow validate` and `dure flow run` as a program: every problem of a file, runs with their events, exit codes.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {

namespace {

class FlowCommand : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) { std::ofstream(folder_.path() / name) << text; }
    Finished flow(std::vector<std::string> arguments)
    {
        arguments.insert(arguments.begin(), "flow");
        return run_command(folder_.path(), arguments, {});
    }

    TemporaryFolder folder_;
};

constexpr auto small_flow = R"({"format":"dure.flow","format_version":1,"flow_type":"agentflow","name":"Small",
 "nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
          {"id":"out","type":"reply","position":{"x":1,"y":0},"data":{"config":{"text":"{{start.message}}"}}}],
 "edges":[{"id":"e1","source":"start","target":"out"}]})";

}  // namespace

TEST_F(FlowCommand, AFlowThatCanBeSavedIsValid)
{
    write("flow.json", small_flow);
    const auto finished = flow({"validate", "flow.json"});
    EXPECT_EQ(finished.code, 0) << finished.err;
    EXPECT_EQ(Json::parse(finished.out), Json::parse(R"({"valid":true,"problems":[]})"));
}

TEST_F(FlowCommand, EveryProblemIsNamedAtOnce)
{
    auto document = Json::parse(small_flow);
    document["nodes"].push_back(
        Json::parse(R"({"id":"out","type":"stone","position":{"x":1,"y":0},"data":{"config":{}}})"));
    document["nodes"].push_back(Json::parse(
        R"({"id":"ask","type":"llm","position":{"x":1,"y":0},"data":{"config":{"temperature":9,"model":"nobody"}}})"));
    write("flow.json", document.dump());
    const auto finished = flow({"validate", "flow.json"});
    EXPECT_EQ(finished.code, 1) << finished.err;
    const auto answer = Json::parse(finished.out);
    EXPECT_EQ(answer["valid"], false);
    std::map<std::string, std::string> levels;
    for (const auto& problem : answer["problems"])
        levels[problem["code"].get<std::string>()] = problem["level"].get<std::string>();
    EXPECT_EQ(levels["kind_unknown"], "error") << answer;
    EXPECT_EQ(levels["id_duplicate"], "error") << answer;
    EXPECT_EQ(levels["field_range"], "error") << answer;
    EXPECT_EQ(levels["model_unknown"], "warn") << answer;
}

TEST_F(FlowCommand, AFileThatCannotBeReadIsAnotherExitCode)
{
    EXPECT_EQ(flow({"validate", "nobody.json"}).code, 2);
    EXPECT_EQ(flow({"validate"}).code, 2);
    write("flow.json", "{not json");
    const auto finished = flow({"validate", "flow.json"});
    EXPECT_EQ(finished.code, 1);
    EXPECT_EQ(Json::parse(finished.out)["problems"][0]["code"], "json_invalid");
}

class FlowRunCommand : public FlowCommand {
protected:
    FlowRunCommand()
    {
        write("dure.toml", "[egress]\nallow = [\"127.0.0.1:" + std::to_string(far_side.port()) +
                               "\"]\n[flows]\nvariables = {city = \"부산\"}\nsecrets_env = {crm = \"CRM_KEY\"}\n");
    }
    void flow_of(const Json& nodes, const Json& edges, const Json& more = Json::object())
    {
        auto document =
            Json{{"format", "dure.flow"}, {"format_version", 1}, {"flow_type", "agentflow"}, {"name", "Run"}};
        document.update(more);
        document["nodes"] = Json::array();
        for (const auto& [id, node] : nodes.items())
            document["nodes"].push_back({{"id", id},
                                         {"type", node.at(0)},
                                         {"position", {{"x", 0}, {"y", 0}}},
                                         {"data", {{"config", node.at(1)}}}});
        document["edges"] = Json::array();
        for (const auto& edge : edges)
            document["edges"].push_back({{"source", edge.at(0)},
                                         {"target", edge.at(1)},
                                         {"sourceHandle", edge.size() > 2 ? edge.at(2) : Json("out")}});
        write("flow.json", document.dump());
    }
    Finished run(std::vector<std::string> arguments)
    {
        arguments.insert(arguments.begin(), {"flow", "run", "--config", "dure.toml", "flow.json"});
        return run_command(folder_.path(), arguments, {{"CRM_KEY", "s3cret-of-crm"}});
    }
    static std::vector<Json> lines(const Finished& finished)
    {
        std::vector<Json> all;
        std::istringstream text(finished.out);
        for (std::string line; std::getline(text, line);)
            all.push_back(Json::parse(line));
        return all;
    }

    ScriptedUpstream far_side;
};

TEST_F(FlowRunCommand, AModelAnswersAndItsStepsAreTold)
{
    flow_of({{"start", {"start", Json::object()}},
             {"ask", {"llm", {{"prompt", "{{start.message}} ({{start.inputs.tone}}, {{vars.city}})"}}}},
             {"out", {"reply", {{"text", "{{nodes.ask.text}}"}}}}},
            Json::parse(R"([["start","ask"],["ask","out"]])"),
            Json::parse(R"({"inputs":[{"name":"tone","type":"text","default":"kind"}]})"));
    const auto finished = run({"--message", "안녕"});
    ASSERT_EQ(finished.code, 0) << finished.err << finished.out;
    const auto told = lines(finished);
    std::vector<std::string> steps;
    std::string words;
    for (const auto& line : told) {
        if (line.value("event", "") == "step") {
            steps.push_back(line["data"]["node_id"].get<std::string>() + " " +
                            line["data"]["status"].get<std::string>());
            EXPECT_TRUE(line["data"]["started_at"].is_string() &&
                        parse_rfc3339(line["data"]["started_at"].get<std::string>()))
                << line;
        }
        if (line.value("event", "") == "message" && line["node_id"] == "ask")
            words += line["data"]["content"].get<std::string>();
    }
    EXPECT_EQ(steps, (std::vector<std::string>{"start succeeded", "ask succeeded", "out succeeded"})) << finished.out;
    EXPECT_EQ(told.back()["status"], "succeeded");
    EXPECT_FALSE(words.empty());
    EXPECT_EQ(told.back()["result"]["text"], words);
}

TEST_F(FlowRunCommand, ASecretGoesToTheFarSideOnly)
{
    far_side.enqueue({send(http_answer(200, "application/json", R"({"ok":true})"))});
    flow_of({{"start", {"start", Json::object()}},
             {"call", {"http", {{"url", far_side.base() + "/x"}, {"headers", {{"X-Key", "{{secrets.crm}}"}}}}}},
             {"end", {"end", {{"outputs", {{"body", "{{nodes.call.body}}"}}}}}}},
            Json::parse(R"([["start","call"],["call","end"]])"));
    const auto finished = run({});
    ASSERT_EQ(finished.code, 0) << finished.err << finished.out;
    EXPECT_EQ(far_side.requests().at(0).header("x-key"), "s3cret-of-crm");
    EXPECT_EQ(finished.out.find("s3cret"), std::string::npos) << finished.out;
    EXPECT_EQ(lines(finished).back()["result"]["outputs"]["body"], Json::parse(R"({"ok":true})"));
}

TEST_F(FlowRunCommand, AQuestionIsAnsweredByTheCommandLine)
{
    flow_of({{"start", {"start", Json::object()}},
             {"ask", {"human_input", {{"prompt", "Shall I?"}}}},
             {"yes", {"reply", {{"text", "done"}}}},
             {"no", {"reply", {{"text", "left"}}}}},
            Json::parse(R"([["start","ask"],["ask","yes","approve"],["ask","no","reject"]])"));
    const auto waiting = run({});
    EXPECT_EQ(waiting.code, 0) << waiting.err;
    EXPECT_EQ(lines(waiting).back(), Json::parse(R"({"status":"waiting"})"));
    const auto answered = run({"--answer", R"({"action":"approve"})"});
    ASSERT_EQ(answered.code, 0) << answered.err;
    EXPECT_EQ(lines(answered).back()["result"]["text"], "done");
    EXPECT_EQ(run({"--answer", R"({"action":"fly"})"}).code, 2);
}

TEST_F(FlowRunCommand, AFlowThatFailsSaysWhere)
{
    flow_of({{"start", {"start", Json::object()}},
             {"use", {"tool", {{"tool", "calculator"}, {"arguments", {{"nothing", 1}}}}}}},
            Json::parse(R"([["start","use"]])"));
    const auto finished = run({});
    EXPECT_EQ(finished.code, 1);
    const auto outcome = lines(finished).back();
    EXPECT_EQ(outcome["status"], "failed");
    EXPECT_EQ(outcome["error"]["node_id"], "use") << outcome;
    EXPECT_TRUE(outcome["error"]["message"].get<std::string>().starts_with("Node 'use' failed")) << outcome;
}

TEST_F(FlowRunCommand, BranchesThatSetTheSameValueAreNamedAsTheyWereDrawn)
{
    const Json set{{"ops", Json::array({Json{{"target", "state.x"}, {"op", "set"}, {"value", 1}}})}};
    flow_of({{"start", {"start", Json::object()}}, {"a", {"set", set}}, {"b", {"set", set}}},
            Json::parse(R"([["start","a"],["start","b"]])"), {{"state", Json::array({Json{{"name", "x"}}})}});
    const auto error = lines(run({})).back().at("error");
    EXPECT_EQ(error.at("code"), "INVALID_CONCURRENT_GRAPH_UPDATE");
    EXPECT_EQ(error.at("message"), "State 'x' was set by several nodes at the same time: a, b.");
    EXPECT_EQ(error.at("node_id"), "a");
}

TEST_F(FlowRunCommand, SubFlowsAreFilesOfTheFolder)
{
    std::filesystem::create_directories(folder_.path() / "flows");
    write("flows/inner.json", small_flow);
    flow_of({{"start", {"start", Json::object()}},
             {"inner", {"subflow", {{"flow", "inner"}, {"message", "through {{start.message}}"}}}},
             {"out", {"reply", {{"text", "{{nodes.inner.text}}!"}}}}},
            Json::parse(R"([["start","inner"],["inner","out"]])"));
    const auto finished = run({"--message", "it"});
    ASSERT_EQ(finished.code, 0) << finished.err << finished.out;
    EXPECT_EQ(lines(finished).back()["result"]["text"], "through it!");
}

TEST_F(FlowRunCommand, WhatCannotRunIsRefusedWithItsProblems)
{
    flow_of({{"start", {"start", Json::object()}}, {"ask", {"llm", {{"model", "nobody"}}}}},
            Json::parse(R"([["start","ask"]])"));
    const auto finished = run({});
    EXPECT_EQ(finished.code, 1);
    EXPECT_NE(finished.err.find("model_unknown"), std::string::npos) << finished.err;
    EXPECT_EQ(run({"--inputs", "[]"}).code, 1);
    flow_of({{"start", {"start", Json::object()}}}, Json::array());
    EXPECT_EQ(run({"--inputs", "[]"}).code, 2);
    EXPECT_EQ(run({"--answer", "{"}).code, 2);
    flow_of({{"start", {"start", Json::object()}}}, Json::array(),
            Json::parse(R"({"inputs":[{"name":"tone","type":"text","required":true}]})"));
    const auto unfit = run({"--inputs", R"({"more":1})"});
    EXPECT_EQ(unfit.code, 2);
    for (const auto* field : {"dure: inputs.tone: ", "dure: inputs.more: "})
        EXPECT_NE(unfit.err.find(field), std::string::npos) << field << unfit.err;
}

}  // namespace dure::test

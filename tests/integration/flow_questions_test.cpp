// Questions that are open at the same time: of items of an iteration, answered by the id each has, in any order; of nodes side by side,
// answered one right after the other. Answers that fit no question are refused.
#include <gtest/gtest.h>

#include <map>

#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace flow_questions {

const char* const letters = R"({"name":"letters","nodes":[
{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
{"id":"each","type":"iteration","position":{"x":1,"y":0},"data":{"config":{"items":"{{start.inputs.letters}}","parallel":3,
  "output":"{{item}}: {{nodes.ask.action}} {{nodes.ask.feedback | default('-')}}"}}},
{"id":"ask","type":"human_input","parentId":"each","position":{"x":0,"y":0},"data":{"config":{"prompt":"Send {{item}}?","feedback":true}}},
{"id":"done","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{nodes.each.items | join('; ')}}"}}}],
"edges":[{"source":"start","target":"each"},{"source":"each","target":"done"}]})";

const char* const beside = R"({"name":"beside","nodes":[
{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
{"id":"a","type":"human_input","position":{"x":1,"y":0},"data":{"config":{"prompt":"a?"}}},
{"id":"b","type":"human_input","position":{"x":1,"y":1},"data":{"config":{"prompt":"b?"}}},
{"id":"c","type":"human_input","position":{"x":1,"y":2},"data":{"config":{"prompt":"c?"}}},
{"id":"done","type":"reply","position":{"x":2,"y":0},"data":{"config":{"text":"{{nodes.a.action}} {{nodes.b.action}} {{nodes.c.action}}"}}}],
"edges":[{"source":"start","target":"a"},{"source":"start","target":"b"},{"source":"start","target":"c"},
{"source":"a","sourceHandle":"approve","target":"done"},{"source":"a","sourceHandle":"reject","target":"done"},
{"source":"b","sourceHandle":"approve","target":"done"},{"source":"b","sourceHandle":"reject","target":"done"},
{"source":"c","sourceHandle":"approve","target":"done"},{"source":"c","sourceHandle":"reject","target":"done"}]})";

// An item whose model does not answer by the schema is skipped, then a person is asked, then a model once more.
const char* const skips = R"({"name":"skips","nodes":[
{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
{"id":"each","type":"iteration","position":{"x":1,"y":0},"data":{"config":{"items":[1],"on_item_error":"skip"}}},
{"id":"asks","type":"llm","parentId":"each","position":{"x":0,"y":0},"data":{"config":{"model":"mock","prompt":"hi","output_schema":{"type":"object","required":["a"],"properties":{"a":{"pattern":"^never$"}}}}}},
{"id":"ask","type":"human_input","position":{"x":2,"y":0},"data":{"config":{"prompt":"go on?"}}},
{"id":"more","type":"llm","position":{"x":3,"y":0},"data":{"config":{"model":"mock","prompt":"hi"}}},
{"id":"done","type":"reply","position":{"x":4,"y":0},"data":{"config":{"text":"{{nodes.more.text}}"}}}],
"edges":[{"source":"start","target":"each"},{"source":"each","target":"ask"},
{"source":"ask","sourceHandle":"approve","target":"more"},{"source":"more","target":"done"}]})";

class FlowQuestions : public EventsOnTheWire {
protected:
    RawAnswer send(const std::string& method, const std::string& path, const Json& body = Json()) const
    {
        return fetch(server.port(), raw_request(method, path, admin.token, body.is_null() ? "" : body.dump()));
    }
    std::string execution_of(const char* flow, const Json& body = Json::object()) const
    {
        const auto made = send("POST", "/api/agent-builder/agentflows", Json::parse(flow));
        EXPECT_EQ(made.status, 201) << made.body;
        const auto started = send(
            "POST", "/api/agent-builder/flows/" + made.json().at("id").get<std::string>() + "/execute?wait=true", body);
        EXPECT_EQ(started.status, 200) << started.body;
        return started.json().at("id").get<std::string>();
    }
    // Once it has so many open questions, or has ended.
    Json with_questions(const std::string& id, std::size_t open) const
    {
        Json last;
        EXPECT_TRUE(eventually([&] {
            last = send("GET", "/api/executions/" + id).json();
            return last.at("status") == (open == 0 ? "succeeded" : "waiting") && last.at("waiting").size() == open;
        })) << last;
        return last;
    }
};

TEST_P(FlowQuestions, OfItemsAtOnceAreAnsweredByTheirIds)
{
    const auto id = execution_of(letters, {{"inputs", {{"letters", {"A", "B", "C"}}}}});
    std::map<std::string, std::string> ids;
    const auto waiting = with_questions(id, 3);
    for (const auto& question : waiting.at("waiting")) {
        EXPECT_EQ(question.at("node_id"), "ask");
        ids[question.at("value").at("prompt").get<std::string>()] = question.at("id").get<std::string>();
    }
    ASSERT_EQ(ids.size(), 3U);
    const auto resume = "/api/executions/" + id + "/resume";
    for (const auto& unclear : {Json{{"action", "approve"}}, Json{{"action", "approve"}, {"node_id", "ask"}}}) {
        const auto refused = send("POST", resume, unclear);
        EXPECT_EQ(refused.status, 422) << refused.body;
        EXPECT_NE(refused.body.find("node_id"), std::string::npos);
        for (const auto& [prompt, question] : ids)
            EXPECT_NE(refused.body.find("ask (id " + question + ")"), std::string::npos) << prompt << refused.body;
    }
    const auto answer = [&](const char* prompt, const Json& body) {
        auto whole = body;
        whole["node_id"] = ids.at(prompt);
        return send("POST", resume, whole).status;
    };
    EXPECT_EQ(answer("Send C?", {{"action", "reject"}, {"answer", "too late"}}), 202);
    with_questions(id, 2);
    EXPECT_EQ(answer("Send C?", {{"action", "approve"}}), 409) << "answered already";
    EXPECT_EQ(answer("Send A?", {{"action", "approve"}}), 202);
    with_questions(id, 1);
    EXPECT_EQ(send("POST", resume, {{"action", "approve"}, {"node_id", "ask"}}).status, 202) << "one is left";
    EXPECT_EQ(with_questions(id, 0).at("output").at("text"), "A: approve -; B: approve -; C: reject too late");
}

TEST_P(FlowQuestions, OfNodesSideBySideAreAnsweredOneRightAfterTheOther)
{
    const auto id = execution_of(beside);
    with_questions(id, 3);
    const auto resume = "/api/executions/" + id + "/resume";
    for (const auto* node : {"c", "a", "b"}) {
        const auto answered = send("POST", resume, {{"node_id", node}, {"action", "approve"}});
        EXPECT_EQ(answered.status, 202) << "while the answer before it is at work: " << node << answered.body;
    }
    EXPECT_EQ(with_questions(id, 0).at("output").at("text"), "approve approve approve");
    EXPECT_EQ(send("POST", resume, {{"node_id", "a"}, {"action", "approve"}}).status, 409);
}

// It never runs again: what it used is not counted a second time.
TEST_P(FlowQuestions, WhatASkippedItemUsedBeforeOneIsInTheBudgetBehindIt)
{
    auto flow = Json::parse(skips);
    const auto answered = [&] {
        const auto id = execution_of(flow.dump().c_str());
        auto waiting = with_questions(id, 1);
        EXPECT_EQ(send("POST", "/api/executions/" + id + "/resume", {{"action", "approve"}}).status, 202);
        EXPECT_TRUE(eventually([&] { return !send("GET", "/api/executions/" + id).json().at("ended_at").is_null(); }));
        return std::pair(std::move(waiting), send("GET", "/api/executions/" + id).json());
    };
    const auto [waiting, fine] = answered();
    EXPECT_EQ(fine.at("status"), "succeeded") << fine;
    std::int64_t used = 0;
    for (const auto& step : waiting.at("steps"))
        used += step.at("tokens").get<std::int64_t>();
    ASSERT_GT(used, 0) << waiting;
    flow["limits"] = Json{{"max_tokens", used}};
    const auto [still, past] = answered();
    EXPECT_EQ(past.at("status"), "failed") << past;
    EXPECT_EQ(past.at("error").at("code"), "LIMIT_EXCEEDED") << past;
}

TEST_P(FlowQuestions, AreNotAnsweredByWhatFitsNone)
{
    const auto id = execution_of(beside);
    const auto resume = "/api/executions/" + id + "/resume";
    for (const auto& answer : {Json{{"timeout", "x"}}, Json{{"timeout", 1}}, Json{{"timeout", true}},
                               Json{{"action", 5}}, Json::array(), Json(), Json("approved"), Json(7)}) {
        const auto refused = send("POST", resume, {{"node_id", "a"}, {"answer", answer}});
        EXPECT_EQ(refused.status, 422) << answer << refused.body;
    }
    for (const auto& other : {Json(false), Json("reject"), Json{{"action", "reject"}}, Json{{"action", 5}}}) {
        const auto refused = send("POST", resume, {{"node_id", "a"}, {"action", "approve"}, {"answer", other}});
        EXPECT_EQ(refused.status, 422) << "one of the two is not meant: " << other << refused.body;
    }
    EXPECT_EQ(send("POST", resume, {{"node_id", "z"}, {"action", "approve"}}).status, 409);
    with_questions(id, 3);
}

TEST_P(FlowQuestions, AreAnsweredByTheActionAlone)
{
    const auto id = execution_of(beside);
    const auto resume = "/api/executions/" + id + "/resume";
    std::size_t open = 3;
    for (const auto& [node, answer] :
         {std::pair("a", Json("approve")), {"b", Json(false)}, {"c", Json{{"action", "reject"}}}}) {
        const auto taken = send("POST", resume, {{"node_id", node}, {"answer", answer}});
        EXPECT_EQ(taken.status, 202) << taken.body;
        with_questions(id, --open);
    }
    EXPECT_EQ(with_questions(id, 0).at("output").at("text"), "approve reject reject");
}

INSTANTIATE_TEST_SUITE_P(Databases, FlowQuestions, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace flow_questions
}  // namespace dure::test

// Executions over HTTP and WebSocket on both databases: start, wait, stream, answer, cancel, retry, fork, replay; whose they are;
// a published flow as a chat model; and a killed server.
#include <gtest/gtest.h>

#include <set>

#include "dure/base/text.hpp"
#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace execution_routes {

Json node(const std::string& id, const std::string& kind, Json config = Json::object())
{
    return Json{
        {"id", id}, {"type", kind}, {"position", {{"x", 0}, {"y", 0}}}, {"data", {{"config", std::move(config)}}}};
}

Json edge(const std::string& source, const std::string& target, const std::string& handle = "out")
{
    return Json{
        {"id", source + "-" + handle + "-" + target}, {"source", source}, {"sourceHandle", handle}, {"target", target}};
}

Json document(const std::string& name, Json nodes, Json edges)
{
    return Json{{"name", name}, {"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
}

Json greeting()
{
    return document("인사",
                    {node("start", "start"), node("hello", "template", {{"text", "안녕 {{start.message}}"}}),
                     node("out", "reply", {{"text", "{{nodes.hello.text}}!"}})},
                    {edge("start", "hello"), edge("hello", "out")});
}

Json approval()
{
    return document("승인",
                    {node("start", "start"), node("ask", "human_input", {{"prompt", "보낼까요?"}}),
                     node("yes", "reply", {{"text", "sent"}}), node("no", "reply", {{"text", "kept"}})},
                    {edge("start", "ask"), edge("ask", "yes", "approve"), edge("ask", "no", "reject")});
}

Json with_model()
{
    return document("model",
                    {node("start", "start"), node("ask", "llm", {{"model", "mock"}, {"prompt", "{{start.message}}"}}),
                     node("out", "reply", {{"text", "{{nodes.ask.text}}"}})},
                    {edge("start", "ask"), edge("ask", "out")});
}

struct Frame {
    std::string event, id;
    Json data;
};

std::vector<Frame> frames_of(const std::string& text)
{
    std::vector<Frame> frames;
    Frame frame;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, end - at);
        at = end + 1;
        if (line.starts_with("event: "))
            frame.event = line.substr(7);
        else if (line.starts_with("id: "))
            frame.id = line.substr(4);
        else if (line.starts_with("data: "))
            frame.data = Json::parse(line.substr(6));
        else if (line.empty() && !frame.event.empty())
            frames.push_back(std::exchange(frame, {}));
    }
    return frames;
}

class ExecutionRoutes : public EventsOnTheWire {
protected:
    RawAnswer send(const Person& person, const std::string& method, const std::string& path, const Json& body = Json(),
                   const RawFields& fields = {}) const
    {
        return fetch(server.port(), raw_request(method, path, person.token, body.is_null() ? "" : body.dump(), fields));
    }
    std::string made(const Json& flow) const
    {
        const auto answer = send(admin, "POST", "/api/agent-builder/agentflows", flow);
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json().value("id", "");
    }
    RawAnswer execute(const std::string& flow, const Json& body, const std::string& query = "",
                      const RawFields& fields = {}) const
    {
        return send(admin, "POST", "/api/agent-builder/flows/" + flow + "/execute" + query, body, fields);
    }
    Json execution(const std::string& id) const
    {
        const auto answer = send(admin, "GET", "/api/executions/" + id);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json();
    }
    Json ended(const std::string& id) const
    {
        Json last;
        EXPECT_TRUE(eventually([&] {
            last = execution(id);
            const auto status = last.value("status", "");
            return status != "queued" && status != "running";
        })) << last;
        return last;
    }
    std::vector<Frame> stream(const std::string& id, const std::string& query = "", const std::string& last = "") const
    {
        RawFields fields;
        if (!last.empty())
            fields.emplace_back("Last-Event-ID", last);
        const auto answer = send(admin, "GET", "/api/executions/" + id + "/stream" + query, Json(), fields);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return frames_of(answer.body);
    }
    Json replayed(const std::string& id) const
    {
        return send(admin, "GET", "/api/events/replay/" + id + "?aggregate_type=Execution").json().at("state");
    }
};

TEST_P(ExecutionRoutes, AFlowIsExecutedAndShownWithItsStepsAndItsReplayIsTheSame)
{
    const auto flow = made(greeting());
    const auto queued = execute(flow, {{"message", "두레"}, {"user_id", "user-456"}});
    ASSERT_EQ(queued.status, 202) << queued.body;
    const auto id = queued.json().at("id").get<std::string>();
    EXPECT_EQ(queued.header("Location"), "/api/executions/" + id);
    EXPECT_EQ(queued.json().at("flow_version"), 1);
    const auto done = ended(id);
    EXPECT_EQ(done.at("status"), "succeeded") << done;
    EXPECT_EQ(done.at("output").at("text"), "안녕 두레!");
    EXPECT_EQ(done.at("user_id"), "user-456");
    std::set<std::string> nodes;
    for (const auto& step : done.at("steps")) {
        nodes.insert(step.at("node_id").get<std::string>());
        EXPECT_EQ(step.at("status"), "succeeded");
    }
    EXPECT_EQ(nodes, (std::set<std::string>{"start", "hello", "out"}));
    EXPECT_EQ(replayed(id), done);
    const auto waited = execute(flow, {{"message", "x"}}, "?wait=true&timeout=20");
    EXPECT_EQ(waited.status, 200) << waited.body;
    EXPECT_EQ(waited.json().at("status"), "succeeded");
    EXPECT_EQ(waited.json().at("steps").size(), 3u);
    const auto list = send(admin, "GET", "/api/agent-builder/flows/" + flow + "/executions?status=succeeded").json();
    EXPECT_EQ(list.at("total"), 2);
    EXPECT_FALSE(list.at("executions").at(0).contains("steps"));
    EXPECT_EQ(send(admin, "GET", "/api/executions?page_size=1&page=2").json().at("executions").at(0).at("id"), id);
}

TEST_P(ExecutionRoutes, AConditionOfALoopThatCannotBeAskedIsTheLoopsFailure)
{
    auto round = node("round", "template", {{"text", "x"}});
    round["parentId"] = "again";
    const Json until{{"all", {{{"left", "{{start.inputs.nowhere}}"}, {"op", "eq"}, {"right", "x"}}}}};
    const auto flow = made(document("asks", {node("start", "start"), node("again", "loop", {{"until", until}}), round},
                                    Json::array({edge("start", "again")})));
    const auto failed = execute(flow, {{"message", "x"}}, "?wait=true&timeout=20").json();
    ASSERT_EQ(failed.at("status"), "failed") << failed;
    EXPECT_EQ(failed.at("error").at("code"), "expression_unresolved") << failed.at("error");
    EXPECT_EQ(failed.at("error").at("node_id"), "again") << failed.at("error");
    EXPECT_EQ(failed.at("error").at("message").get<std::string>().find("done"), std::string::npos);
    const auto& last = failed.at("steps").back();
    EXPECT_EQ(last.at("node_id"), "again");
    EXPECT_EQ(last.at("status"), "failed");
    EXPECT_EQ(last.at("error").at("code"), "expression_unresolved");
}

TEST_P(ExecutionRoutes, AForkSeesTheMessageAndTheInputsOfItsRun)
{
    auto flow = document("order",
                         {node("start", "start"), node("before", "template", {{"text", "{{start.inputs.price}}"}}),
                          node("after", "template", {{"text", "{{start.message}} {{start.inputs.price}} {{start.inputs.count}}"}}),
                          node("out", "reply", {{"text", "{{nodes.before.text}}: {{nodes.after.text}}"}})},
                         {edge("start", "before"), edge("before", "after"), edge("after", "out")});
    flow["inputs"] = {{{"name", "price"}, {"type", "integer"}, {"required", true}},
                      {{"name", "count"}, {"type", "integer"}, {"default", 3}}};
    const auto original =
        execute(made(flow), {{"message", "보리차"}, {"inputs", {{"price", 1500}}}}, "?wait=true&timeout=20").json();
    ASSERT_EQ(original.at("output").at("text"), "1500: 보리차 1500 3") << original;
    for (const auto* step : {"before", "after", "out"}) {
        const auto begun = send(admin, "POST", "/api/executions/" + original.at("id").get<std::string>() + "/fork",
                                {{"step", step}});
        ASSERT_EQ(begun.status, 202) << begun.body;
        const auto forked = ended(begun.json().at("id").get<std::string>());
        EXPECT_EQ(forked.at("output").at("text"), "1500: 보리차 1500 3") << step << forked;
        EXPECT_EQ(forked.at("input"), original.at("input")) << step;
    }
}

TEST_P(ExecutionRoutes, WrongRequestsAreRefusedByName)
{
    const auto flow = made(greeting());
    const std::string missing = "01890000-0000-7000-8000-000000000000";
    EXPECT_EQ(execute(missing, Json::object()).status, 404);
    EXPECT_EQ(execute(flow, {{"messages", "x"}}).status, 422);
    EXPECT_EQ(execute(flow, {{"message", 1}}).status, 422);
    EXPECT_EQ(execute(flow, {{"inputs", 1}}).status, 422);
    EXPECT_EQ(execute(flow, {{"session_id", missing}}).status, 404);
    EXPECT_EQ(execute(flow, Json::object(), "?wait=maybe").status, 422);
    EXPECT_EQ(execute(flow, Json::object(), "", {{"Idempotency-Key", "has space"}}).status, 422);
    for (const auto* path : {"", "/stream", "/cancel", "/retry"})
        EXPECT_EQ(send(admin,
                       std::string_view(path).ends_with("l") || std::string_view(path).ends_with("y") ? "POST" : "GET",
                       "/api/executions/" + missing + path)
                      .status,
                  404)
            << path;
    EXPECT_EQ(send(admin, "GET", "/api/executions?status=done").status, 422);
    EXPECT_EQ(send(admin, "GET", "/api/executions?surprise=1").status, 422);
    const auto id = execute(flow, Json::object(), "?wait=true").json().at("id").get<std::string>();
    EXPECT_EQ(send(admin, "GET", "/api/executions/" + id + "/stream?modes=values").status, 422);
    EXPECT_EQ(send(admin, "POST", "/api/executions/" + id + "/retry").status, 409);
    EXPECT_EQ(send(admin, "POST", "/api/executions/" + id + "/cancel").status, 409);
    EXPECT_EQ(send(admin, "POST", "/api/executions/" + id + "/resume", {{"action", "approve"}}).status, 409);
    EXPECT_EQ(send(admin, "POST", "/api/executions/" + id + "/fork", {{"step", "nowhere"}}).status, 422);
    for (const auto* path : {"", "/stream"})
        EXPECT_EQ(send(kim, "GET", "/api/executions/" + id + path).status, 404) << path;
    EXPECT_EQ(send(kim, "POST", "/api/executions/" + id + "/fork", {{"step", "hello"}}).status, 404);
    EXPECT_EQ(send(kim, "GET", "/api/executions").json().at("total"), 0);
}

// Also those that a route judges behind its table of fields.
TEST_P(ExecutionRoutes, EveryWrongFieldIsNamedAtOnce)
{
    const auto flow = made(greeting());
    const auto id = execute(flow, Json::object(), "?wait=true").json().at("id").get<std::string>();
    const auto named = [](const auto& answer) {
        EXPECT_EQ(answer.status, 422) << answer.body;
        std::set<std::string> fields;
        const auto said = answer.json();
        for (const auto& one : said.at("errors"))
            fields.insert(one.at("loc").back().template get<std::string>());
        return fields;
    };
    using Names = std::set<std::string>;
    EXPECT_EQ(named(execute(flow, {{"message", 1}, {"inputs", Json::array()}, {"version", 0.5}}, "",
                            {{"Idempotency-Key", "has space"}})),
              (Names{"message", "inputs", "version", "Idempotency-Key"}));
    const auto path = "/api/executions/" + id;
    EXPECT_EQ(named(send(admin, "POST", path + "/fork", {{"step", Json::array()}, {"patch", 1}, {"more", 1}})),
              (Names{"step", "patch", "more"}));
    EXPECT_EQ(named(send(admin, "POST", path + "/fork", {{"patch", 1}})), (Names{"step", "patch"}));
    EXPECT_EQ(named(send(admin, "GET", path + "/stream?modes=none&after=x")), (Names{"modes", "after"}));
    EXPECT_EQ(named(send(admin, "GET", "/ws/executions/" + id + "?modes=none&after=x")), (Names{"modes", "after"}));
    EXPECT_EQ(named(send(admin, "GET", "/api/events/stream?after=x", Json(), {{"Last-Event-ID", "y"}})),
              (Names{"after", "Last-Event-ID"}));
    EXPECT_EQ(named(send(admin, "GET", "/api/events/replay/" + id + "?at=now&to_version=x")),
              (Names{"at", "to_version"}));
    EXPECT_EQ(named(send(admin, "GET", "/api/events/audit?from_date=a&to_date=b&limit=0")),
              (Names{"from_date", "to_date", "limit"}));
    EXPECT_EQ(named(send(admin, "GET", "/api/usage?group_by=hour&from=a&to=b&more=1")),
              (Names{"group_by", "from", "to", "more"}));
}

// flow-format §9: the same entries as of a save.
TEST_P(ExecutionRoutes, WhatKeepsAFlowFromRunningIsToldAsASaveTellsIt)
{
    auto flow = with_model();
    flow["nodes"][1]["data"]["config"]["model"] = "no-such-model";
    const auto unknown = execute(made(flow), {{"message", "x"}});
    EXPECT_EQ(unknown.status, 422) << unknown.body;
    const auto first = unknown.json().at("errors").at(0);
    EXPECT_EQ(first.value("code", ""), "model_unknown") << first;
    EXPECT_EQ(first.value("type", ""), "model_unknown") << first;
    EXPECT_EQ(first.value("level", ""), "error") << first;
    EXPECT_EQ(first.value("node_id", ""), "ask") << first;
    EXPECT_FALSE(first.contains("edge_id")) << first;
    const auto empty = execute(made(document("nothing", Json::array(), Json::array())), Json::object());
    EXPECT_EQ(empty.status, 422) << empty.body;
    const auto nothing = empty.json().at("errors").at(0);
    EXPECT_EQ(nothing.value("code", ""), "start_missing") << nothing;
    EXPECT_EQ(nothing.value("level", ""), "error") << nothing;
}

TEST_P(ExecutionRoutes, AnIdempotencyKeyStartsOnce)
{
    const auto flow = made(greeting());
    const RawFields key{{"Idempotency-Key", "order-1"}};
    const auto first = execute(flow, {{"message", "a"}}, "", key);
    const auto again = execute(flow, {{"message", "a"}}, "", key);
    EXPECT_EQ(first.json().at("id"), again.json().at("id"));
    EXPECT_EQ(again.header("Idempotent-Replayed"), "true");
    EXPECT_EQ(execute(flow, {{"message", "b"}}, "", key).status, 409);
    EXPECT_EQ(send(admin, "GET", "/api/executions").json().at("total"), 1);
}

TEST_P(ExecutionRoutes, APersonAnswersOnceAndOnlyWhatIsOffered)
{
    const auto flow = made(approval());
    const auto waiting = execute(flow, {{"message", "hi"}}, "?wait=true");
    EXPECT_EQ(waiting.status, 200);
    ASSERT_EQ(waiting.json().at("status"), "waiting") << waiting.body;
    EXPECT_EQ(waiting.json().at("waiting").at(0).at("node_id"), "ask");
    const auto id = waiting.json().at("id").get<std::string>();
    const auto seen = stream(id);
    EXPECT_EQ(seen.back().event, "end");
    EXPECT_EQ(seen.back().data.at("status"), "waiting");
    const auto resume = "/api/executions/" + id + "/resume";
    EXPECT_EQ(send(admin, "POST", resume, {{"action", "burn"}}).status, 422);
    EXPECT_EQ(send(admin, "POST", resume, {{"node_id", "start"}, {"action", "approve"}}).status, 409);
    EXPECT_EQ(send(admin, "POST", resume, {{"node_id", "ask"}, {"action", "approve"}, {"answer", "네"}}).status, 202);
    EXPECT_EQ(send(admin, "POST", resume, {{"node_id", "ask"}, {"action", "reject"}}).status, 409);
    const auto done = ended(id);
    EXPECT_EQ(done.at("status"), "succeeded") << done;
    EXPECT_EQ(done.at("output").at("text"), "sent");
    EXPECT_EQ(replayed(id), done);
    const auto rest = stream(id, "", seen[seen.size() - 2].id);
    EXPECT_EQ(rest.front().id, std::to_string(std::stoi(seen[seen.size() - 2].id) + 1))
        << "goes on with the next number";
    EXPECT_EQ(rest.back().data.at("status"), "succeeded");
}

TEST_P(ExecutionRoutes, AReaderWhoComesBackSeesEachEventOnceInOrder)
{
    const auto flow = made(with_model());
    const auto answer = execute(flow, {{"message", "hello"}}, "", {{"Accept", "text/event-stream"}});
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto live = frames_of(answer.body);
    ASSERT_GT(live.size(), 4u);
    EXPECT_EQ(live.front().event, "execution");
    EXPECT_EQ(live.back().event, "end");
    EXPECT_EQ(live.back().data.at("status"), "succeeded") << live.back().data;
    const auto id = live.front().data.at("id").get<std::string>();
    std::string said;
    for (std::size_t i = 1; i + 1 < live.size(); ++i) {
        EXPECT_EQ(live[i].id, std::to_string(i));
        if (live[i].event == "messages" && live[i].data.at(1).at("node_id") == "ask")
            said += live[i].data.at(0).at("content").get<std::string>();
    }
    EXPECT_EQ(Json(said), live.back().data.at("output").at("text"));
    for (std::size_t i = 1; i + 1 < live.size(); ++i) {
        const auto rest = stream(id, "", live[i].id);
        ASSERT_EQ(rest.size(), live.size() - i - 1);
        for (std::size_t k = 0; k < rest.size(); ++k)
            EXPECT_EQ(rest[k].data, live[i + 1 + k].data);
    }
    for (const auto& frame : stream(id, "?modes=updates"))
        EXPECT_TRUE(frame.event == "updates" || frame.event == "end") << frame.event;
}

TEST_P(ExecutionRoutes, AForkRunsAgainFromAStepWithAPatch)
{
    const auto flow = made(greeting());
    const auto original = execute(flow, {{"message", "a"}}, "?wait=true").json();
    const auto id = original.at("id").get<std::string>();
    const auto forked = send(admin, "POST", "/api/executions/" + id + "/fork",
                             {{"step", "out"}, {"patch", {{"nodes", {{"hello", {{"text", "다른"}}}}}}}});
    ASSERT_EQ(forked.status, 202) << forked.body;
    const auto done = ended(forked.json().at("id").get<std::string>());
    EXPECT_EQ(done.at("status"), "succeeded") << done;
    EXPECT_EQ(done.at("output").at("text"), "다른!");
    EXPECT_EQ(done.at("forked_from"), id);
    EXPECT_EQ(done.at("steps").size(), 3u);
    EXPECT_EQ(done.at("steps").at(1).at("output"), (Json{{"text", "다른"}})) << done;
    EXPECT_EQ(replayed(done.at("id").get<std::string>()), done);
    EXPECT_EQ(execution(id).at("output").at("text"), "안녕 a!");
}

TEST_P(ExecutionRoutes, APublishedFlowIsAChatModel)
{
    const auto flow = made(with_model());
    const auto published = send(admin, "POST", "/api/agent-builder/flows/" + flow + "/publish");
    ASSERT_EQ(published.status, 200) << published.body;
    const auto model = published.json().at("model").get<std::string>();
    std::set<std::string> models;
    const auto listed = send(admin, "GET", "/v1/models").json();
    for (const auto& entry : listed.at("data"))
        models.insert(entry.at("id").get<std::string>());
    EXPECT_TRUE(models.contains(model));
    EXPECT_EQ(send(admin, "GET", "/v1/models/" + model).json().at("id"), model);
    Json body{{"model", model}, {"messages", {{{"role", "user"}, {"content", "hello"}}}}};
    const auto whole = send(admin, "POST", "/v1/chat/completions", body);
    ASSERT_EQ(whole.status, 200) << whole.body;
    const auto text = whole.json().at("choices").at(0).at("message").at("content").get<std::string>();
    EXPECT_FALSE(text.empty());
    body["stream"] = true;
    const auto streamed = send(admin, "POST", "/v1/chat/completions", body);
    EXPECT_EQ(streamed.status, 200);
    std::string said;
    for (std::size_t at = 0; (at = streamed.body.find("data: {", at)) != std::string::npos; ++at) {
        const auto chunk = Json::parse(streamed.body.substr(at + 6, streamed.body.find('\n', at) - at - 6));
        if (!chunk.at("choices").empty())
            said += chunk.at("choices").at(0).at("delta").value("content", "");
    }
    EXPECT_EQ(said, text);
    EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n"));
    body["model"] = "flow:nowhere";
    body["stream"] = false;
    EXPECT_EQ(send(admin, "POST", "/v1/chat/completions", body).status, 404);
}

TEST_P(ExecutionRoutes, AFlowAnswersInItsSession)
{
    const auto flow = made(greeting());
    const auto begun = send(admin, "POST", "/api/chat/session", {{"title", "인사"}, {"flow_id", flow}});
    ASSERT_EQ(begun.status, 201) << begun.body;
    const auto session = begun.json().at("session_id").get<std::string>();
    EXPECT_EQ(send(admin, "GET", "/api/chat/sessions/" + session).json().at("flow_id"), flow);
    const auto first = send(admin, "POST", "/api/chat/message", {{"session_id", session}, {"message", "둘레"}});
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.json().at("response"), "안녕 둘레!");
    EXPECT_EQ(first.json().at("session_id"), session);
    EXPECT_EQ(first.json().at("turn"), 1);
    const auto second = send(admin, "POST", "/api/chat/message/stream", {{"session_id", session}, {"message", "또"}});
    EXPECT_NE(second.body.find("안녕 또!"), std::string::npos) << second.body;
    EXPECT_NE(second.body.find("event: done"), std::string::npos) << second.body;
    const auto history = send(admin, "GET", "/api/chat/history/" + session).json();
    ASSERT_EQ(history.at("messages").size(), 4u) << history;
    EXPECT_EQ(history.at("messages").at(3).at("content"), "안녕 또!");
    EXPECT_EQ(history.at("messages").at(3).at("turn"), 2);
}

TEST_P(ExecutionRoutes, ASessionOfAFlowIsForThoseWhoMayRunIt)
{
    const auto flow = made(greeting());
    const auto refused = send(kim, "POST", "/api/chat/session", {{"flow_id", flow}});
    EXPECT_EQ(refused.status, 404) << refused.body;
    EXPECT_EQ(send(admin, "POST", "/api/chat/session", {{"flow_id", flow}, {"model", "mock"}}).status, 422);
    const auto published = send(admin, "POST", "/api/agent-builder/flows/" + flow + "/publish").json();
    const auto model = published.at("model").get<std::string>();
    const auto said = send(admin, "POST", "/api/chat/message", {{"model", model}, {"message", "한마디"}});
    ASSERT_EQ(said.status, 200) << said.body;
    EXPECT_EQ(said.json().at("response"), "안녕 한마디!");
    EXPECT_EQ(said.json().at("model"), model);
    EXPECT_EQ(send(admin, "POST", "/api/chat/message", {{"model", "flow:nowhere"}, {"message", "x"}}).status, 404);
}

TEST_P(ExecutionRoutes, AWebSocketShowsTheSameLogAndTakesAnswers)
{
    const auto flow = made(approval());
    const auto id = execute(flow, {{"message", "hi"}}, "?wait=true").json().at("id").get<std::string>();
    const auto ticket = send(admin, "POST", "/ws/ticket").json();
    EXPECT_EQ(ticket.at("expires_in"), 30);
    const auto upgrade = [&](const std::string& query, const std::string& protocol) {
        return "GET /ws/executions/" + id + query +
               " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
               (protocol.empty() ? "" : "Sec-WebSocket-Protocol: " + protocol + "\r\n") + "\r\n";
    };
    const auto by_ticket = "?ticket=" + ticket.at("ticket").get<std::string>();
    RawClient socket(server.port());
    socket.send(upgrade(by_ticket, ""));
    socket.read_until("101 Switching");
    socket.read_until(R"("status":"waiting")");
    const std::string answer = R"({"type":"resume","node_id":"ask","action":"reject"})";
    std::string frame{static_cast<char>(0x81), static_cast<char>(0x80 | answer.size())};
    socket.send(frame + std::string(4, '\0') + answer);
    const auto seen = socket.read_until(R"("event":"end"},"seq")");
    EXPECT_NE(seen.find(R"({"data":{"data":{"status":"running"},"event":"status"},"seq":1,"type":"execution_update"})"),
              std::string::npos)
        << seen;
    EXPECT_EQ(ended(id).at("output").at("text"), "kept");

    EXPECT_EQ(fetch(server.port(), upgrade(by_ticket, "")).status, 401) << "a ticket is good once";
    EXPECT_EQ(fetch(server.port(), upgrade("", "")).status, 401);
    EXPECT_EQ(fetch(server.port(), upgrade("?ticket=x", "bearer, " + admin.token)).status, 400) << "two credentials";
    EXPECT_EQ(fetch(server.port(), upgrade("", "bearer, " + kim.token)).status, 404);
    RawClient by_protocol(server.port());
    by_protocol.send(upgrade("?after=1", "bearer, " + admin.token));
    const auto head = by_protocol.read_until(R"("event":"end"},"seq")");
    EXPECT_NE(head.find("Sec-WebSocket-Protocol: bearer"), std::string::npos) << head;
    EXPECT_EQ(head.find(R"("seq":1,)"), std::string::npos);
}

TEST_P(ExecutionRoutes, AKilledServerGoesOnWithWhatItHadAcknowledged)
{
    const auto flow = made(greeting());
    const auto asks = made(approval());
    const auto waiting = execute(asks, Json::object(), "?wait=true").json().at("id").get<std::string>();
    std::vector<std::string> ids;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 20; ++i)
            ids.push_back(execute(flow, {{"message", std::to_string(i)}}).json().at("id").get<std::string>());
        server.kill();
        server.start();
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto done = ended(ids[i]);
        EXPECT_EQ(done.at("status"), "succeeded") << done;
        EXPECT_EQ(done.at("output").at("text"), "안녕 " + std::to_string(i % 20) + "!");
        EXPECT_EQ(done.at("steps").size(), 3u);
        EXPECT_EQ(replayed(ids[i]), done);
    }
    EXPECT_EQ(send(admin, "POST", "/api/executions/" + waiting + "/resume", {{"action", "approve"}}).status, 202);
    EXPECT_EQ(ended(waiting).at("output").at("text"), "sent");
}

INSTANTIATE_TEST_SUITE_P(Databases, ExecutionRoutes, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace execution_routes
}  // namespace dure::test

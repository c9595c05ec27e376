// A published flow as a chat client uses it: what is at work is shown, its background requests run nothing, what a flow cannot do is refused, and a turn
// whose client leaves is stored as cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace flow_chat {

ServerProcess::Options configuration(const ScriptedUpstream& upstream)
{
    return {.configuration =
                "[log]\nlevel = \"warn\"\n[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" +
                upstream.base() +
                "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n"
                "[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
            .environment = {{"UPSTREAM_TEST_KEY", "upstream-key"}}};
}

class FlowChat : public testing::Test {
protected:
    FlowChat()
    {
        const auto flow = Json::parse(R"({"name":"묻기","nodes":[{"id":"start","type":"start"},
            {"id":"ask","type":"llm","data":{"config":{"model":"scripted","prompt":"{{start.message}}"}}},
            {"id":"out","type":"reply","data":{"config":{"text":"{{nodes.ask.text}}"}}}],
            "edges":[{"source":"start","target":"ask"},{"source":"ask","target":"out"}]})");
        const auto made = send("POST", "/api/agent-builder/chatflows", flow);
        EXPECT_EQ(made.status, 201) << made.body;
        const auto published = send("POST", "/api/agent-builder/flows/" + made.json().value("id", "") + "/publish");
        EXPECT_EQ(published.status, 200) << published.body;
        model = published.json().value("model", "");
        flow_id = made.json().value("id", "");
    }
    RawAnswer send(const std::string& method, const std::string& path, const Json& body = Json(),
                   const RawFields& fields = {}) const
    {
        return fetch(server.port(), raw_request(method, path, server.key(), body.is_null() ? "" : body.dump(), fields));
    }
    Json chat(const std::string& text) const
    {
        return Json{{"model", model}, {"messages", Json::array({Json{{"role", "user"}, {"content", text}}})}};
    }
    Json sessions() const { return send("GET", "/api/chat/sessions").json().at("sessions"); }
    // The newest event of the only session.
    Json last_event() const
    {
        const auto id = sessions().at(0).at("session_id").get<std::string>();
        return send("GET", "/api/events/aggregate/" + id).json().at("events").back();
    }

    ScriptedUpstream upstream;
    ServerProcess server{configuration(upstream)};
    std::string model, flow_id;
};

// What a chat shows, in its order: "묻기…" of a line in motion, "묻기." of one at rest, "묻기-" of a hidden one, "“봄비”" of words.
std::vector<std::string> shown_of(const RawAnswer& answer)
{
    std::vector<std::string> shown;
    for (std::size_t at = 0; (at = answer.body.find("data: {", at)) != std::string::npos; ++at) {
        const auto chunk = Json::parse(answer.body.substr(at + 6, answer.body.find('\n', at) - at - 6));
        if (const auto event = chunk.find("event"); event != chunk.end()) {
            EXPECT_EQ(event->at("type"), "status");
            EXPECT_TRUE(chunk.at("choices").empty());
            const auto& data = event->at("data");
            const auto* mark = data.value("hidden", false) ? "-" : data.at("done").get<bool>() ? "." : "…";
            shown.push_back(data.at("description").get<std::string>() + mark);
        } else if (chunk.contains("error")) {
            shown.push_back("error");
        } else if (!chunk.at("choices").empty()) {
            const auto text = chunk.at("choices").at(0).at("delta").value("content", "");
            if (!text.empty())
                shown.push_back("“" + text + "”");
        }
    }
    return shown;
}

using Shown = std::vector<std::string>;

// openai-clients §10: a line per node for Open WebUI, at rest before the words; nothing that other clients do not know.
TEST_F(FlowChat, OpenWebUiIsShownWhichNodeIsAtWork)
{
    const auto shown = [&](const char* question, const RawFields& fields) {
        upstream.enqueue(text_stream_script("봄비"));
        auto asked = chat(question);
        asked["stream"] = true;
        const auto answer = send("POST", "/v1/chat/completions", asked, fields);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return shown_of(answer);
    };
    EXPECT_EQ(shown("날씨?", {{"X-OpenWebUI-Chat-Id", "c1"}}),
              (Shown{"start…", "ask…", "start, ask 실행.", "“봄비”", "out…", "start, ask, out 실행."}));
    EXPECT_EQ(shown("Rain?", {{"X-OpenWebUI-Chat-Id", "c1"}}),
              (Shown{"start…", "ask…", "Ran start, ask.", "“봄비”", "out…", "Ran start, ask, out."}));
    EXPECT_EQ(shown("날씨?", {}), Shown{"“봄비”"});
}

TEST_F(FlowChat, EveryMessageAtOnceIsToldItsOwnTurn)
{
    const auto session =
        send("POST", "/api/chat/session", {{"flow_id", flow_id}}).json().at("session_id").get<std::string>();
    std::vector<std::future<RawAnswer>> asked;
    for (int i = 0; i < 4; ++i)
        upstream.enqueue(text_stream_script("봄비"));
    for (int i = 0; i < 4; ++i)
        asked.push_back(std::async(std::launch::async, [&, i] {
            return send("POST", "/api/chat/message", {{"session_id", session}, {"message", std::to_string(i)}});
        }));
    std::map<int, std::string> told;   // the question of each turn
    for (int i = 0; i < 4; ++i) {
        const auto answer = asked[static_cast<std::size_t>(i)].get();
        ASSERT_EQ(answer.status, 200) << answer.body;
        told[answer.json().at("turn").get<int>()] = std::to_string(i);
    }
    std::map<int, std::string> stored;
    const auto history = send("GET", "/api/chat/history/" + session).json();
    for (const auto& message : history.at("messages"))
        if (message.at("role") == "user")
            stored[message.at("turn").get<int>()] = message.at("content").get<std::string>();
    EXPECT_EQ(stored.size(), 4U);
    EXPECT_EQ(told, stored);
}

TEST_F(FlowChat, NothingStaysInMotionOverAnError)
{
    upstream.enqueue({dure::test::send(http_answer(400, "application/json", R"({"error":{"message":"no"}})"))});
    auto asked = chat("Rain?");
    asked["stream"] = true;
    const auto answer = send("POST", "/v1/chat/completions", asked, {{"X-OpenWebUI-Chat-Id", "c5"}});
    EXPECT_EQ(shown_of(answer), (Shown{"start…", "ask…", "Ran start, ask.", "error"})) << answer.body;
}

TEST_F(FlowChat, ABackgroundRequestRunsNoFlowAndIsNoTurn)
{
    const std::string prompt =
        "### Task:\nGenerate a concise, 3-5 word title\n<chat_history>\nUSER: 서울 날씨\n</chat_history>";
    for (const RawFields& fields : {RawFields{{"X-OpenWebUI-Chat-Id", "c1"}, {"X-OpenWebUI-Task", "title_generation"}},
                                    RawFields{{"X-OpenWebUI-Chat-Id", "c1"}, {"X-OpenWebUI-Task", ""}}}) {
        const auto answer = send("POST", "/v1/chat/completions", chat(prompt), fields);
        ASSERT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.json().at("model"), model);
        const auto content = answer.json().at("choices").at(0).at("message").at("content").get<std::string>();
        EXPECT_TRUE(Json::parse(content).at("title").is_string()) << content;
    }
    EXPECT_EQ(send("GET", "/api/executions").json().at("total"), 0);
    EXPECT_TRUE(sessions().empty());
    auto unknown = chat(prompt);
    unknown["model"] = "flow:nowhere";
    EXPECT_EQ(send("POST", "/v1/chat/completions", unknown, {{"X-OpenWebUI-Task", "title_generation"}}).status, 404);
}

TEST_F(FlowChat, AKeyBoundToAFlowOpensNoModelByABackgroundRequest)
{
    const auto login = fetch(server.port(),
                             raw_request("POST", "/auth/jwt/login", {},
                                         "username=admin%40localhost&password=" + server.value_of("admin password:"),
                                         {{"Content-Type", "application/x-www-form-urlencoded"}}));
    const auto made = fetch(server.port(), raw_request("POST", "/api/keys", login.json().at("access_token").get<std::string>(),
                                                       Json{{"name", "bound"}, {"models", {model}}}.dump()));
    ASSERT_EQ(made.status, 201) << made.body;
    const auto bound = made.json().at("key").get<std::string>();
    for (const auto* task : {"title_generation", "anything"}) {
        const auto answer = fetch(server.port(), raw_request("POST", "/v1/chat/completions", bound, chat("무엇이든").dump(),
                                                             {{"X-OpenWebUI-Task", task}}));
        EXPECT_EQ(answer.status, 404) << answer.body;
        EXPECT_EQ(answer.json().at("error").at("code"), "model_not_found");
    }
    EXPECT_EQ(upstream.request_count(), 0);
    upstream.enqueue(completion_script("흐름의 답"));
    EXPECT_EQ(fetch(server.port(), raw_request("POST", "/v1/chat/completions", bound, chat("안녕").dump())).status, 200);
}

TEST_F(FlowChat, ItsNameIsPercentEncodedInTheHeader)
{
    upstream.enqueue(completion_script("답"));
    const auto answer = send("POST", "/v1/chat/completions", chat("x"));
    EXPECT_EQ(answer.header("x-dure-model"), "flow/%EB%AC%BB%EA%B8%B0@1") << answer.body;
    EXPECT_EQ(answer.json().at("model"), "flow:묻기");
}

TEST_F(FlowChat, WhatAFlowCannotDoIsRefused)
{
    for (const auto& [field, value] :
         {std::pair("n", Json(2)), std::pair("response_format", Json{{"type", "json_object"}})}) {
        auto body = chat("x");
        body[field] = value;
        const auto answer = send("POST", "/v1/chat/completions", body);
        EXPECT_EQ(answer.status, 400) << answer.body;
        EXPECT_EQ(answer.json().at("error").at("param"), field);
    }
    EXPECT_EQ(upstream.request_count(), 0);
}

TEST_F(FlowChat, ARegeneratedAnswerBelongsToTheTurnOfItsQuestion)
{
    const struct {
        const char* message;
        const char* id;  // of the client's; empty: the texts so far tell
        const char* answer;
    } said[] = {{"하나", "m1", "first"}, {"하나", "m1", "second"}, {"하나", "", "third"}, {"하나", "", "fourth"}};
    for (const auto& one : said) {
        upstream.enqueue(completion_script(one.answer));
        RawFields fields{{"X-OpenWebUI-Chat-Id", "c3"}};
        if (*one.id != 0)
            fields.emplace_back("X-OpenWebUI-User-Message-Id", one.id);
        const auto answer = send("POST", "/v1/chat/completions", chat(one.message), fields);
        ASSERT_EQ(answer.status, 200) << answer.body;
        EXPECT_EQ(answer.json().at("choices").at(0).at("message").at("content"), one.answer);
    }
    const auto id = sessions().at(0).at("session_id").get<std::string>();
    const auto messages = send("GET", "/api/chat/history/" + id).json().at("messages");
    std::vector<std::string> told;
    for (const auto& message : messages)
        told.push_back(std::to_string(message.at("turn").get<int>()) + " " + message.at("content").get<std::string>());
    EXPECT_EQ(told, (std::vector<std::string>{"1 하나", "1 first", "1 second", "2 하나", "2 third", "2 fourth"}));
}

TEST_F(FlowChat, ARegeneratedAnswerCountsTheTurnsBeforeItsOwn)
{
    const auto flow = Json::parse(R"({"name":"세기","nodes":[{"id":"start","type":"start"},
        {"id":"out","type":"reply","data":{"config":{"text":"{{session.turn}}"}}}],"edges":[{"source":"start","target":"out"}]})");
    const auto made = send("POST", "/api/agent-builder/chatflows", flow);
    ASSERT_EQ(made.status, 201) << made.body;
    model = send("POST", "/api/agent-builder/flows/" + made.json().value("id", "") + "/publish").json().value("model", "");
    std::vector<std::string> told;
    for (const auto* id : {"m1", "m1", "m1", "m2", "m2"}) {
        const auto answer = send("POST", "/v1/chat/completions", chat(id),
                                 {{"X-OpenWebUI-Chat-Id", "c4"}, {"X-OpenWebUI-User-Message-Id", id}});
        ASSERT_EQ(answer.status, 200) << answer.body;
        told.push_back(answer.json().at("choices").at(0).at("message").at("content").get<std::string>());
    }
    EXPECT_EQ(told, (std::vector<std::string>{"0", "0", "0", "1", "1"}));
}

// A summary of the session takes none of the messages that the flow's memory asks for.
TEST_F(FlowChat, ItsMemoryGoesOnBehindASummaryOfTheSession)
{
    const auto flow = Json::parse(R"({"name":"기억","nodes":[{"id":"start","type":"start"},
        {"id":"ask","type":"llm","data":{"config":{"model":"scripted","prompt":"{{start.message}}",
          "memory":{"type":"buffer","max_messages":4}}}},
        {"id":"out","type":"reply","data":{"config":{"text":"{{nodes.ask.text}}"}}}],
        "edges":[{"source":"start","target":"ask"},{"source":"ask","target":"out"}]})");
    const auto made = send("POST", "/api/agent-builder/chatflows", flow);
    ASSERT_EQ(made.status, 201) << made.body;
    const auto session = send("POST", "/api/chat/session", {{"flow_id", made.json().at("id")}});
    const auto id = session.json().at("session_id").get<std::string>();
    upstream.handle([](const RecordedRequest&) { return completion_script("fine"); });
    for (int turn = 1; turn <= 5; ++turn) {  // three are what a summary is made of, with the fourth
        const auto said =
            send("POST", "/api/chat/message", {{"session_id", id}, {"message", "m" + std::to_string(turn)}});
        ASSERT_EQ(said.status, 200) << said.body;
    }
    EXPECT_TRUE(eventually([&] { return send("GET", "/api/chat/history/" + id).json().at("summaries").size() == 1; }));
    std::vector<std::string> told;
    const auto last = Json::parse(upstream.requests().back().body);
    for (const auto& message : last.at("messages"))
        told.push_back(message.at("content").get<std::string>());
    EXPECT_EQ(told, (std::vector<std::string>{"m3", "fine", "m4", "fine", "m5"}));
}

TEST_F(FlowChat, AWholeAnswerIsTheFlowsWhateverWasSaidOnTheWay)
{
    const auto flow = Json::parse(R"({"name":"Rescued","nodes":[{"id":"start","type":"start"},
        {"id":"ask","type":"llm","data":{"config":{"model":"scripted","prompt":"{{start.message}}"},
          "policy":{"on_error":"default","default":{"text":"sorry"}}}},
        {"id":"out","type":"reply","data":{"config":{"text":"{{nodes.ask.text}}"}}}],
        "edges":[{"source":"start","target":"ask"},{"source":"ask","target":"out"}]})");
    const auto made = send("POST", "/api/agent-builder/chatflows", flow);
    ASSERT_EQ(made.status, 201) << made.body;
    const auto id = made.json().at("id").get<std::string>();
    const auto published = send("POST", "/api/agent-builder/flows/" + id + "/publish");
    ASSERT_EQ(published.status, 200) << published.body;
    upstream.handle([](const RecordedRequest&) {
        auto broken = stream_script({role_chunk(), text_chunk("half an answ")});
        broken.back() = close_connection();
        return broken;
    });
    auto question = chat("x");
    question["model"] = published.json().at("model");
    const auto answer = send("POST", "/v1/chat/completions", question);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json().at("choices").at(0).at("message").at("content"), "sorry");
}

TEST_F(FlowChat, TheEventOfATurnSaysWhoseRequestItWas)
{
    upstream.enqueue(completion_script("first"));
    const auto answer = send("POST", "/v1/chat/completions", chat("하나"), {{"X-OpenWebUI-Chat-Id", "c5"}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto event = last_event();
    EXPECT_EQ(event.at("event_type"), "TurnRecorded");
    const auto& metadata = event.at("metadata");
    EXPECT_EQ(metadata.value("request_id", ""), answer.header("x-request-id")) << event;
    EXPECT_FALSE(metadata.value("user_id", "").empty()) << event;
    EXPECT_EQ(metadata.value("address", ""), "127.0.0.1") << event;
    EXPECT_FALSE(metadata.value("key_id", "").empty()) << event;
}

TEST_F(FlowChat, ATurnWhoseClientLeavesIsStoredAsCut)
{
    upstream.enqueue({dure::test::send(sse_head()), dure::test::send(chunk(role_chunk())),
                      dure::test::send(chunk(text_chunk("반쪽"))), await_peer_close(std::chrono::seconds(10))});
    RawClient client(server.port());
    auto body = chat("질문");
    body["stream"] = true;
    client.send(
        raw_request("POST", "/v1/chat/completions", server.key(), body.dump(), {{"X-OpenWebUI-Chat-Id", "c2"}}));
    client.read_until("반쪽");
    client.leave();
    Json messages;
    EXPECT_TRUE(eventually(
        [&] {
            const auto known = sessions();
            if (known.empty())
                return false;
            messages = send("GET", "/api/chat/history/" + known.at(0).at("session_id").get<std::string>())
                           .json()
                           .at("messages");
            return messages.size() == 2;
        },
        std::chrono::seconds(10)));
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(messages.at(0).at("content"), "질문");
    EXPECT_EQ(messages.at(1).at("content"), "반쪽");
    EXPECT_EQ(messages.at(1).at("metadata").at("status"), "cut");
    EXPECT_FALSE(last_event().at("metadata").value("request_id", "").empty());
}

}  // namespace flow_chat
}  // namespace dure::test

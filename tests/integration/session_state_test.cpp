// State of scope session: a flow that counts its runs of a session, on the real binary.
#include <gtest/gtest.h>

#include <thread>

#include "dure/sql/sqlite.hpp"
#include "support/raw_http.hpp"
#include "support/redis_process.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace session_state {

const char* const counting = R"({"name":"counter","state":[{"name":"runs","reducer":"add","default":0,"scope":"session"}],
"nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
{"id":"count","type":"set","position":{"x":0,"y":0},"data":{"config":{"ops":[{"target":"session.runs","op":"add","value":1}]}}},
{"id":"say","type":"reply","position":{"x":0,"y":0},"data":{"config":{"text":"{{session.runs}}"}}}],
"edges":[{"source":"start","target":"count"},{"source":"count","target":"say"}]})";

// What it says is of another type than it declares: nobody forbids it, so it is remembered all the same.
const char* const telling = R"({"name":"teller","state":[{"name":"last","type":"text","default":"none","scope":"session"}],
"nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},
{"id":"say","type":"reply","position":{"x":0,"y":0},"data":{"config":{"text":"{{session.last}}"}}},
{"id":"keep","type":"set","position":{"x":0,"y":0},"data":{"config":{"ops":[{"target":"session.last","op":"set","value":5}]}}}],
"edges":[{"source":"start","target":"say"},{"source":"say","target":"keep"}]})";

void expect_counted_by_session(ServerProcess::Options options)
{
    const ServerProcess server(std::move(options));
    const auto ask = [&](std::string_view target, const Json& body) {
        return fetch(server.port(), raw_request("POST", target, server.key(), body.dump()));
    };
    const auto made = fetch(server.port(), raw_request("POST", "/api/agent-builder/agentflows", server.key(), counting));
    ASSERT_EQ(made.status, 201) << made.body;
    const auto execute = "/api/agent-builder/flows/" + made.json().at("id").get<std::string>() + "/execute?wait=true";
    const auto run_in = [&](const std::string& session) {
        const auto ran = ask(execute, session.empty() ? Json::object() : Json{{"session_id", session}});
        EXPECT_EQ(ran.status, 200) << ran.body;
        return ran.json().at("output").at("text").get<std::string>();
    };
    const auto session = [&] { return ask("/api/chat/session", Json::object()).json().at("session_id").get<std::string>(); };
    const auto one = session();
    const auto two = session();
    EXPECT_EQ(run_in(one), "1");
    EXPECT_EQ(run_in(one), "2");
    EXPECT_EQ(run_in(two), "1");
    EXPECT_EQ(run_in(one), "3");
    EXPECT_EQ(run_in(""), "1");
    // What a version with another type left is nothing that this one can go on from: it begins anew.
    const auto flow = "/api/agent-builder/flows/" + made.json().at("id").get<std::string>();
    auto drawn = Json::parse(counting);
    drawn["state"] = {{{"name", "runs"}, {"type", "list<text>"}, {"reducer", "append"}, {"default", Json::array()}, {"scope", "session"}}};
    drawn["nodes"][1]["data"]["config"]["ops"] = {{{"target", "session.runs"}, {"op", "append"}, {"value", "x"}}};
    const auto changed = fetch(server.port(), raw_request("PUT", flow, server.key(), drawn.dump()));
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(run_in(one), R"(["x"])");
    EXPECT_EQ(run_in(one), R"(["x","x"])");
}

TEST(SessionState, IsWhatTheFlowItselfLeftAlsoBesideItsType)
{
    const ServerProcess server{ServerProcess::Options{}};
    const auto ask = [&](std::string_view target, const Json& body) {
        return fetch(server.port(), raw_request("POST", target, server.key(), body.dump())).json();
    };
    const auto made = ask("/api/agent-builder/agentflows", Json::parse(telling));
    const auto execute = "/api/agent-builder/flows/" + made.at("id").get<std::string>() + "/execute?wait=true";
    const Json in_session{{"session_id", ask("/api/chat/session", Json::object()).at("session_id")}};
    EXPECT_EQ(ask(execute, in_session).at("output").at("text"), "none");
    EXPECT_EQ(ask(execute, in_session).at("output").at("text"), "5");
}

// Changes what it began with once its question is answered: the state by every reducer, and one variable of its own for each answer.
Json asking()
{
    const auto node = [](const char* id, const char* type, Json config) {
        return Json{{"id", id}, {"type", type}, {"position", {{"x", 0}, {"y", 0}}}, {"data", {{"config", std::move(config)}}}};
    };
    const auto set = [](const char* name, const char* op, Json value) {
        return Json{{"target", std::string("session.") + name}, {"op", op}, {"value", std::move(value)}};
    };
    const auto variable = [](const char* name, const char* reducer, Json initial) {
        return Json{{"name", name}, {"reducer", reducer}, {"default", std::move(initial)}, {"scope", "session"}};
    };
    const auto edge = [](const char* from, const char* handle, const char* to) {
        return Json{{"source", from}, {"sourceHandle", handle}, {"target", to}};
    };
    return Json{{"name", "asker"},
                {"state", {variable("count", "add", 0), variable("log", "append", Json::array()),
                           variable("by", "merge", Json::object()), variable("yes", "last", ""), variable("no", "last", "")}},
                {"nodes", {node("start", "start", Json::object()), node("ask", "human_input", {{"prompt", "?"}}),
                           node("all", "set", {{"ops", {set("count", "add", 2), set("count", "subtract", 1),
                                                        set("log", "append", "{{start.message}}"),
                                                        set("by", "extend", "{{start.inputs}}")}}}),
                           node("yes", "set", {{"ops", {set("yes", "set", "{{start.message}}")}}}),
                           node("no", "set", {{"ops", {set("no", "set", "{{start.message}}")}}}),
                           node("say", "reply", {{"text", "{{session.count}}"}})}},
                {"edges", {edge("start", "out", "all"), edge("all", "out", "ask"), edge("ask", "approve", "yes"),
                           edge("ask", "reject", "no"), edge("yes", "out", "say"), edge("no", "out", "say")}}};
}

// All begin before one ends, so none has seen what another changed. Their ends meet in the database, from each of the servers.
void expect_nothing_lost(const std::vector<const ServerProcess*>& servers)
{
    const auto key = servers.front()->key();
    const auto ask = [&](const ServerProcess& server, std::string_view method, std::string_view target, const Json& body = Json()) {
        return fetch(server.port(), raw_request(method, target, key, body.is_null() ? "" : body.dump())).json();
    };
    const auto& first = *servers.front();
    const auto flow = ask(first, "POST", "/api/agent-builder/agentflows", asking());
    ASSERT_TRUE(flow.contains("id")) << flow;
    const auto execute = "/api/agent-builder/flows/" + flow.at("id").get<std::string>() + "/execute";
    const auto session = ask(first, "POST", "/api/chat/session", Json::object()).at("session_id");
    const auto begin = [&](const std::string& name) {
        const auto begun = ask(first, "POST", execute + "?wait=true",
                               Json{{"message", name}, {"inputs", {{name, true}}}, {"session_id", session}});
        EXPECT_EQ(begun.value("status", ""), "waiting") << begun;
        return begun.value("id", "");
    };
    const auto end = [&](const ServerProcess& server, const std::string& id, const char* action) {
        ask(server, "POST", "/api/executions/" + id + "/resume", Json{{"action", action}});
        auto ended = Json::object();
        EXPECT_TRUE(eventually([&] {
            ended = ask(server, "GET", "/api/executions/" + id);
            return ended.value("status", "") == "succeeded";
        })) << ended;
        return ended.value("output", Json()).value("session_state", Json::object());
    };
    std::vector<std::string> ids;
    for (int i = 0; i < 8; ++i)
        ids.push_back(begin("m" + std::to_string(i)));
    std::vector<std::thread> answers;
    for (std::size_t i = 0; i < ids.size(); ++i)
        answers.emplace_back([&, i] { end(*servers[i % servers.size()], ids[i], i % 4 < 2 ? "approve" : "reject"); });
    for (auto& one : answers)
        one.join();
    const auto left = end(first, begin("z"), "approve");
    EXPECT_EQ(left.value("count", 0), 9) << left;
    EXPECT_EQ(left.value("log", Json::array()).size(), 9u) << left;
    EXPECT_EQ(left.value("by", Json::object()).size(), 9u) << left;
    EXPECT_EQ(left.value("yes", ""), "z") << left;
    EXPECT_NE(left.value("no", ""), "") << left;
}

TEST(SessionState, ExecutionsAtOnceLoseNothingOnSqlite)
{
    const ServerProcess server{ServerProcess::Options{}};
    expect_nothing_lost({&server});
}
TEST(SessionState, ExecutionsAtOnceLoseNothingOnTwoServersOnPostgres)
{
    const RedisProcess redis;
    const auto options = on_postgres(fresh_schema(), "[redis]\nurl = \"" + redis.url() + "\"\n");
    const ServerProcess a(options), b(options);
    expect_nothing_lost({&a, &b});
}

// A fork runs what is behind its step; what its original changed before that is counted once, and a patch takes the place of both.
TEST(SessionState, AForkAddsOnlyWhatItRuns)
{
    const ServerProcess server{ServerProcess::Options{}};
    const auto ask = [&](std::string_view method, const std::string& target, const Json& body = Json()) {
        return fetch(server.port(), raw_request(method, target, server.key(), body.is_null() ? "" : body.dump())).json();
    };
    const auto made = ask("POST", "/api/agent-builder/agentflows", Json::parse(counting));
    const auto execute = "/api/agent-builder/flows/" + made.at("id").get<std::string>() + "/execute?wait=true";
    const Json in_session{{"session_id", ask("POST", "/api/chat/session", Json::object()).at("session_id")}};
    const auto original = ask("POST", execute, in_session);
    EXPECT_EQ(ask("POST", execute, in_session).at("output").at("text"), "2");
    const auto left_by_fork = [&](const Json& asked) {
        const auto fork = ask("POST", "/api/executions/" + original.at("id").get<std::string>() + "/fork", asked);
        auto shown = Json::object();
        EXPECT_TRUE(eventually([&] {
            shown = ask("GET", "/api/executions/" + fork.value("id", ""));
            return shown.value("status", "") == "succeeded";
        })) << fork << shown;
        return shown.at("output").at("session_state").at("runs");
    };
    EXPECT_EQ(left_by_fork(Json{{"step", "say"}}), 2);
    EXPECT_EQ(left_by_fork(Json{{"step", "count"}}), 3);
    EXPECT_EQ(left_by_fork(Json{{"step", "count"}, {"patch", {{"state", {{"runs", 40}}}}}}), 41);
    EXPECT_EQ(ask("POST", execute, in_session).at("output").at("text"), "42");
}

// Its row is as a binary left it that noted no turns and told no changes.
TEST(SessionState, AForkOfWhatSucceededBeforeTurnsWereNotedAddsOnlyWhatItRuns)
{
    ServerProcess server{ServerProcess::Options{}};
    const auto ask = [&](std::string_view method, const std::string& target, const Json& body = Json()) {
        return fetch(server.port(), raw_request(method, target, server.key(), body.is_null() ? "" : body.dump())).json();
    };
    const auto made = ask("POST", "/api/agent-builder/agentflows", Json::parse(counting));
    const auto execute = "/api/agent-builder/flows/" + made.at("id").get<std::string>() + "/execute?wait=true";
    const Json in_session{{"session_id", ask("POST", "/api/chat/session", Json::object()).at("session_id")}};
    const auto original = ask("POST", execute, in_session).at("id").get<std::string>();
    EXPECT_EQ(ask("POST", execute, in_session).at("output").at("text"), "2");
    ASSERT_EQ(server.terminate(), 0);
    sql::SqliteOptions file;
    file.path = (server.folder() / "data" / "dure.db").string();
    const auto database = sql::open_sqlite(std::move(file)).value();
    const auto aged = database->run_now(
        [](sql::Connection& c) { return c.execute("UPDATE executions SET facts = '{}', session_turn = 0"); });
    ASSERT_TRUE(aged) << aged.error().detail();
    server.start();
    const auto fork = ask("POST", "/api/executions/" + original + "/fork", Json{{"step", "count"}});
    auto shown = Json::object();
    EXPECT_TRUE(eventually([&] {
        shown = ask("GET", "/api/executions/" + fork.value("id", ""));
        return shown.value("status", "") == "succeeded";
    })) << fork << shown;
    EXPECT_EQ(shown.at("output").at("session_state").at("runs"), 3);
}

// A flow is changed while an execution of it waits: neither version takes away what only the other one knows.
void expect_versions_keep_each_others(ServerProcess::Options options)
{
    const ServerProcess server(std::move(options));
    const auto ask = [&](std::string_view method, const std::string& target, const Json& body = Json()) {
        return fetch(server.port(), raw_request(method, target, server.key(), body.is_null() ? "" : body.dump())).json();
    };
    auto drawn = Json::parse(counting);
    drawn["state"].push_back({{"name", "kind"}, {"type", "text"}, {"default", "none"}, {"scope", "session"}});
    drawn["nodes"].push_back({{"id", "ask"}, {"type", "human_input"}, {"position", {{"x", 0}, {"y", 0}}}, {"data", {{"config", {{"prompt", "?"}}}}}});
    drawn["edges"] = {{{"source", "start"}, {"target", "count"}}, {{"source", "count"}, {"target", "ask"}},
                      {{"source", "ask"}, {"sourceHandle", "approve"}, {"target", "say"}}};
    const auto made = ask("POST", "/api/agent-builder/agentflows", drawn);
    ASSERT_TRUE(made.contains("id")) << made;
    const auto flow = "/api/agent-builder/flows/" + made.at("id").get<std::string>();
    const Json in_session{{"session_id", ask("POST", "/api/chat/session", Json::object()).at("session_id")}};
    const auto begin = [&] { return ask("POST", flow + "/execute?wait=true", in_session); };
    const auto left_by = [&](const Json& begun) {
        const auto execution = "/api/executions/" + begun.value("id", "");
        ask("POST", execution + "/resume", Json{{"action", "approve"}});
        auto shown = Json::object();
        EXPECT_TRUE(eventually([&] {
            shown = ask("GET", execution);
            return shown.value("status", "") == "succeeded";
        })) << begun << shown;
        return shown.at("output").at("session_state");
    };
    EXPECT_EQ(left_by(begin()), (Json{{"runs", 1}, {"kind", "none"}}));
    const auto older = begin();
    drawn = Json::parse(counting);
    drawn["state"] = {{{"name", "kind"}, {"type", "number"}, {"default", 0}, {"scope", "session"}},
                      {{"name", "more"}, {"type", "text"}, {"default", ""}, {"scope", "session"}}};
    drawn["nodes"][1]["data"]["config"]["ops"] = {{{"target", "session.kind"}, {"op", "set"}, {"value", 7}},
                                                  {{"target", "session.more"}, {"op", "set"}, {"value", "kept"}}};
    drawn["nodes"][2]["data"]["config"]["text"] = "{{session.more}}";
    const auto changed = ask("PUT", flow, drawn);
    ASSERT_TRUE(changed.contains("id")) << changed;
    EXPECT_EQ(begin().at("output").at("session_state"), (Json{{"runs", 1}, {"kind", 7}, {"more", "kept"}}));
    EXPECT_EQ(left_by(older), (Json{{"runs", 2}, {"kind", 7}, {"more", "kept"}}));
}

TEST(SessionState, VersionsKeepWhatOnlyTheOtherKnowsOnSqlite)
{
    expect_versions_keep_each_others({});
}
TEST(SessionState, VersionsKeepWhatOnlyTheOtherKnowsOnPostgres)
{
    expect_versions_keep_each_others(on_postgres(fresh_schema()));
}

TEST(SessionState, LastsOverTheRunsOfASessionOnSqlite)
{
    expect_counted_by_session({});
}
TEST(SessionState, LastsOverTheRunsOfASessionOnPostgres)
{
    expect_counted_by_session(on_postgres(fresh_schema()));
}

}  // namespace session_state
}  // namespace dure::test

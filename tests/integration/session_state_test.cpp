// State of scope session: a flow that counts its runs of a session, on the real binary.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
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

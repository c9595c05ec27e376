// The tools over HTTP: what is listed, what a call answers and leaves on record, what a reload brings and lists.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace tool_routes {

class ToolRoutes : public testing::Test {
protected:
    static std::string address(const ScriptedUpstream& upstream)
    {
        return "127.0.0.1:" + std::to_string(upstream.port());
    }

    RawAnswer ask(std::string_view method, std::string_view target, std::string_view body = {},
                  const RawFields& fields = {}) const
    {
        return fetch(server.port(), raw_request(method, target, server.key(), body, fields));
    }
    Json call(const std::string& name, const Json& arguments, const RawFields& fields = {}) const
    {
        const auto answer =
            ask("POST", "/api/tools/" + name + "/execute", Json{{"arguments", arguments}}.dump(), fields);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json();
    }
    void write(const std::string& name, const std::string& text) const
    {
        std::filesystem::create_directory(server.folder() / "tools");
        std::ofstream(server.folder() / "tools" / name) << text;
    }
    Json reload() const
    {
        const auto answer = ask("POST", "/api/tools/reload");
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.json();
    }
    std::set<std::string> names() const
    {
        std::set<std::string> all;
        const auto list = ask("GET", "/api/tools").json();
        for (const auto& tool : list.at("tools"))
            all.insert(tool.at("name").get<std::string>());
        return all;
    }
    std::string http_tool(const std::string& name, const std::string& more = {}) const
    {
        return "[[tool]]\nname = \"" + name + "\"\ndescription = \"d\"\nurl = \"" + upstream.base() + "/" + name +
               "/{id}\"\n" + more +
               "\nparameters = { type = \"object\", required = [\"id\"], properties = { id = { type = \"string\" } } "
               "}\n";
    }

    ScriptedUpstream upstream;
    ServerProcess server{
        {.configuration = "[tools]\ndirectory = \"tools\"\n[egress]\nallow = [\"" + address(upstream) + "\"]\n",
         .environment = {{"TOOL_KEY", "tool-secret"}}}};
};

TEST_F(ToolRoutes, ListsToolsWithWhyTheyAreNotAvailable)
{
    const auto list = ask("GET", "/api/tools").json();
    EXPECT_EQ(list.at("total"), 3);
    const auto calculator = ask("GET", "/api/tools/calculator").json();
    EXPECT_EQ(calculator.at("source"), "built-in");
    EXPECT_EQ(calculator.at("available"), true);
    EXPECT_EQ(calculator.at("schema").at("type"), "object");
    const auto weather = ask("GET", "/api/tools/weather").json();
    EXPECT_EQ(weather.at("available"), false);
    EXPECT_NE(weather.at("unavailable_reason").get<std::string>().find("weather_url"), std::string::npos);
    EXPECT_EQ(ask("GET", "/api/tools?page_size=1&page=2").json().at("tools").size(), 1u);
    EXPECT_EQ(ask("GET", "/api/tools?page_size=101").status, 422);
    EXPECT_EQ(ask("GET", "/api/tools?colour=red").status, 422);
    EXPECT_EQ(ask("GET", "/api/tools/none").status, 404);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/api/tools")).status, 401);
}

TEST_F(ToolRoutes, ACallAnswersRemembersAndIsOnRecord)
{
    const auto first = call("calculator", {{"expression", "6 * 7"}});
    EXPECT_EQ(first.at("success"), true);
    EXPECT_EQ(first.at("result").at("result"), 42);
    EXPECT_EQ(first.at("cached"), false);
    EXPECT_TRUE(first.at("duration_ms").is_number_integer());
    EXPECT_EQ(call("calculator", {{"expression", "6 * 7"}}).at("cached"), true);
    const auto failed = call("calculator", {{"expression", "1/0"}});
    EXPECT_EQ(failed.at("success"), false);
    EXPECT_FALSE(failed.contains("result"));
    EXPECT_FALSE(failed.at("error").get<std::string>().empty());
    EXPECT_EQ(call("calculator", Json::object()).at("success"), false);
    const auto events = ask("GET", "/api/events/audit?event_type=ToolExecuted").json().at("events");
    ASSERT_EQ(events.size(), 4u);
    EXPECT_EQ(events[0].at("data").at("name"), "calculator");
    EXPECT_EQ(events[0].dump().find("expression"), std::string::npos);
}

TEST_F(ToolRoutes, WrongCallsAreRefused)
{
    EXPECT_EQ(ask("POST", "/api/tools/none/execute", "{}").status, 404);
    for (const auto* body : {R"({"arguments":[]})", R"({"arguments":"x"})", R"({"argument":{}})", "[]"})
        EXPECT_EQ(ask("POST", "/api/tools/calculator/execute", body).status, 422) << body;
    EXPECT_EQ(ask("POST", "/api/tools/calculator/execute", "{").status, 400);
    EXPECT_EQ(ask("POST", "/api/tools/calculator/execute", "{}", {{"Idempotency-Key", std::string(256, 'k')}}).status,
              422);
}

TEST_F(ToolRoutes, EveryWrongFieldOfACallIsNamed)
{
    const auto answer = ask("POST", "/api/tools/calculator/execute", R"({"a": 1, "arguments": "x", "b": 2})");
    EXPECT_EQ(answer.status, 422);
    std::vector<std::string> named;
    const auto said = answer.json();
    for (const auto& one : said.at("errors"))
        named.push_back(one.at("loc").back().get<std::string>());
    EXPECT_EQ(named, (std::vector<std::string>{"a", "arguments", "b"}));
}

TEST_F(ToolRoutes, OfVeryManyWrongFieldsTheFirstAreNamed)
{
    Json body = Json::object();
    for (int i = 0; i < 2000; ++i)
        body[std::string(200, 'x') + std::to_string(i)] = 1;
    const auto answer = ask("POST", "/api/tools/calculator/execute", body.dump());
    EXPECT_EQ(answer.status, 422);
    const auto errors = answer.json().at("errors");
    EXPECT_EQ(errors.size(), 100u);
    EXPECT_EQ(errors.at(0).at("loc").at(1).get<std::string>().size(), 100u);
}

TEST_F(ToolRoutes, AReloadBringsToolsOfFilesAndListsWhatFailed)
{
    upstream.handle([](const RecordedRequest& request) {
        return Script{send(http_answer(200, "application/json", Json{{"target", request.target}}.dump()))};
    });
    write("mine.toml", http_tool("lookup", "bearer_env = \"TOOL_KEY\"") + http_tool("bad name"));
    write("broken.toml", "[[tool]\n");
    write("pets.json",
          R"({"openapi":"3.1.0","servers":[{"url":")" + upstream.base() + R"("}],"paths":{"/pets/{id}":{"get":{
        "operationId":"getPet","parameters":[{"name":"id","in":"path","schema":{"type":"integer"}}]}}}})");
    EXPECT_EQ(call("calculator", {{"expression", "1"}}).at("success"), true);
    const auto report = reload();
    EXPECT_EQ(report.at("tools"), 5);
    ASSERT_EQ(report.at("failed").size(), 2u) << report;
    std::set<std::string> failed;
    for (const auto& one : report.at("failed"))
        failed.insert(one.at("source").get<std::string>());
    EXPECT_EQ(failed, (std::set<std::string>{"file:broken.toml", "file:mine.toml"}));

    EXPECT_EQ(call("lookup", {{"id", "a/b"}}, {{"Idempotency-Key", "once"}}).at("result").at("target"),
              "/lookup/a%2Fb");
    const auto seen = upstream.requests().at(0);
    EXPECT_EQ(seen.header("authorization"), "Bearer tool-secret");
    EXPECT_EQ(seen.header("idempotency-key"), "once");
    EXPECT_EQ(call("getPet", {{"id", 7}}).at("result").at("target"), "/pets/7");

    std::filesystem::remove(server.folder() / "tools" / "pets.json");
    reload();
    EXPECT_TRUE(names().contains("lookup"));
    EXPECT_FALSE(names().contains("getPet"));
    EXPECT_EQ(ask("GET", "/api/events/audit?event_type=ConfigurationReloaded").json().at("events").size(), 2u);
    EXPECT_EQ(server.err().find("tool-secret"), std::string::npos);
}

TEST_F(ToolRoutes, AnOpenApiDocumentInYamlBecomesToolsAndABrokenOneIsListedWithItsLine)
{
    upstream.handle([](const RecordedRequest& request) {
        return Script{send(http_answer(200, "application/json", Json{{"target", request.target}}.dump()))};
    });
    write("pets.yaml", "openapi: 3.0.0\n"
                       "info: {title: 동물, version: '1'}\n"
                       "servers: [{url: \"" + upstream.base() + "\"}]\n"
                       "paths:\n"
                       "  /pets/{id}:\n"
                       "    get:\n"
                       "      operationId: getPet\n"
                       "      description: >-\n"
                       "        반려동물 하나를\n"
                       "        읽습니다\n"
                       "      parameters:\n"
                       "        - {name: id, in: path, required: true, schema: {type: integer}}\n"
                       "      responses:\n"
                       "        200: {description: ok}\n");
    write("shop.yml", "openapi: 3.1.0\npaths: &all {}\n");
    write("notes.txt", "not a tool file");
    const auto report = reload();
    ASSERT_EQ(report.at("failed").size(), 1u) << report;
    EXPECT_EQ(report["failed"][0].at("source"), "file:shop.yml");
    EXPECT_NE(report["failed"][0].at("error").get<std::string>().find("line 2: anchors"), std::string::npos) << report;
    EXPECT_EQ(call("getPet", {{"id", 7}}).at("result").at("target"), "/pets/7");
}

TEST_F(ToolRoutes, PrivateAddressesAreRefusedUnlessTheyAreExceptions)
{
    ScriptedUpstream other;
    write("other.toml", "[[tool]]\nname = \"other\"\ndescription = \"d\"\nurl = \"" + other.base() + "/\"\n");
    reload();
    EXPECT_EQ(call("other", Json::object()).at("success"), false);
    EXPECT_EQ(other.accepted(), 0);
}

}  // namespace tool_routes
}  // namespace dure::test

// Flows over HTTP on both databases: create, read, list, save, compare, restore, publish, delete; whose they are; what is wrong.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "integration/events_on_the_wire.hpp"

namespace dure::test {
namespace flow_routes {

const std::string builder = "/api/agent-builder";

std::string drawn(const std::string& text)
{
    return R"("nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"data":{"config":{}}},)"
           R"({"id":"out","type":"reply","position":{"x":9,"y":0},"data":{"config":{"text":")" +
           text + R"("}}}],"edges":[{"id":"e1","source":"start","target":"out"}])";
}

std::string document(const std::string& name, const std::string& text = "{{start.message}}")
{
    return R"({"name":")" + name + R"(",)" + drawn(text) + "}";
}

class FlowRoutes : public EventsOnTheWire {
protected:
    FlowRoutes() : author(admin) {}

    RawAnswer send(const Person& person, const std::string& method, const std::string& path,
                   const std::string& body = "", const RawFields& fields = {}) const
    {
        return fetch(server.port(),
                     raw_request(method, path == "/flows/save" ? path : builder + path, person.token, body, fields));
    }
    Json made(const std::string& body, const std::string& list = "/agentflows") const
    {
        const auto answer = send(author, "POST", list, body);
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.json();
    }
    // Another one who may manage flows.
    Person other_author() const
    {
        const auto promoted =
            fetch(server.port(), raw_request("PATCH", "/users/" + lee.id, admin.token, R"({"role":"developer"})"));
        EXPECT_EQ(promoted.status, 200) << promoted.body;
        return log_in("lee%40example.kr", "correct horse battery");
    }
    std::string made_id(const std::string& body) const { return made(body).at("id").get<std::string>(); }

    const Person& author;
};

std::set<std::string> codes_of(const Json& problem)
{
    std::set<std::string> codes;
    for (const auto& one : problem.at("errors"))
        codes.insert(one.at("code").get<std::string>());
    return codes;
}

TEST_P(FlowRoutes, AFlowIsMadeOfItsSettingsAloneOrOfAWholeDocument)
{
    const auto answer = send(author, "POST", "/agentflows", document("고객 상담", "안녕"));
    ASSERT_EQ(answer.status, 201) << answer.body;
    const auto flow = answer.json();
    const auto id = flow.at("id").get<std::string>();
    EXPECT_EQ(answer.header("Location"), builder + "/agentflows/" + id);
    EXPECT_EQ(flow.at("etag"), answer.header("ETag"));
    EXPECT_EQ(flow.at("slug"), "고객-상담");
    EXPECT_EQ(flow.at("version"), 1);
    EXPECT_EQ(flow.at("owner"), author.id);
    EXPECT_EQ(flow.at("published_version"), nullptr);
    EXPECT_EQ(flow.at("warnings"), Json::array());
    EXPECT_EQ(flow.at("nodes").at(1).at("data").at("config").at("text"), "안녕");
    const auto read = send(author, "GET", "/flows/" + id);
    EXPECT_EQ(read.header("ETag"), answer.header("ETag"));
    const auto sent_back = send(author, "POST", "/agentflows", read.body);
    EXPECT_EQ(sent_back.status, 201) << sent_back.body;
    EXPECT_FALSE(sent_back.json().contains("extra")) << "what the server says is no part of the document";
    auto same = read.json();
    same["warnings"] = Json::array();
    EXPECT_EQ(same, flow);

    const auto settings = made(R"({"name":"talk","chat_config":{"llm_model":"mock","temperature":0.5}})", "/chatflows");
    EXPECT_EQ(settings.at("flow_type"), "chatflow");
    EXPECT_EQ(settings.at("nodes"), Json::array());
}

TEST_P(FlowRoutes, EveryProblemOfADocumentIsNamedWithItsNode)
{
    const std::string wrong =
        R"({"name":"x","nodes":[{"id":"start","type":"start"},{"id":"a","type":"llm","data":{"config":{"promt":"x","temperature":9}}},)"
        R"({"id":"b","type":"nothing"}],"edges":[{"id":"e","source":"start","target":"gone"}]})";
    for (const auto* path : {"/agentflows", "/chatflows"}) {
        const auto answer = send(author, "POST", path, wrong);
        EXPECT_EQ(answer.status, 422);
        EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
        const auto problem = answer.json();
        EXPECT_TRUE(problem.at("detail").is_string());
        EXPECT_EQ(codes_of(problem),
                  (std::set<std::string>{"field_unknown", "field_range", "kind_unknown", "edge_dangling"}));
        for (const auto& one : problem.at("errors")) {
            EXPECT_EQ(one.at("type"), one.at("code"));
            EXPECT_EQ(one.at("level"), "error");
            EXPECT_TRUE(one.contains(one.at("code") == "edge_dangling" ? "edge_id" : "node_id")) << one.dump();
        }
    }
    const auto validated = send(author, "POST", "/flows/validate",
                                R"({"flow_type":"agentflow","name":"x","nodes":[{"id":"b","type":"nothing"}]})");
    ASSERT_EQ(validated.status, 200) << validated.body;
    EXPECT_EQ(validated.json().at("valid"), false);
    EXPECT_EQ(validated.json().at("problems").at(0).at("code"), "kind_unknown");
    const auto fine = send(author, "POST", "/flows/validate", R"({"flow_type":"agentflow",)" + document("x").substr(1));
    EXPECT_EQ(fine.json(), Json::parse(R"({"valid":true,"problems":[]})"));
}

TEST_P(FlowRoutes, BodiesThatAreNoDocumentsAre422)
{
    const auto id = made_id(document("a"));
    struct Case {
        std::string body, code;
    };
    const std::vector<Case> cases{{"{", "json_invalid"},
                                  {R"({"name":"a","name":"b"})", "duplicate_key"},
                                  {"{\"a\":" + std::string(80, '[') + std::string(80, ']') + "}", "too_deep"},
                                  {"[1]", "field_type"}};
    for (const auto& [body, code] : cases)
        for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{
                 {"POST", "/agentflows"}, {"POST", "/chatflows"}, {"PUT", "/flows/" + id}, {"POST", "/flows/save"}}) {
            const auto answer = send(author, method, path, body);
            EXPECT_EQ(answer.status, 422) << path << body;
            EXPECT_EQ(codes_of(answer.json()), std::set<std::string>{code}) << path << body;
            EXPECT_EQ(answer.json().at("code"), code);
        }
    EXPECT_EQ(send(author, "POST", "/agentflows", "{}", {{"Content-Type", "text/plain"}}).status, 415);
    const auto big = R"({"name":"a","description":")" + std::string(5u << 20, 'x') + "\"}";
    EXPECT_EQ(send(author, "POST", "/agentflows", big).status, 413);
}

TEST_P(FlowRoutes, AnEditOfAnOldVersionIsRefusedWithTheCurrentETag)
{
    const auto id = made_id(document("a"));
    const auto path = "/flows/" + id;
    const auto first = send(author, "GET", path).header("ETag");
    const auto saved = send(author, "PUT", path, R"({"name":"b"})", {{"If-Match", first}});
    ASSERT_EQ(saved.status, 200) << saved.body;
    const auto current = saved.header("ETag");
    EXPECT_NE(current, first);
    for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
             {"PUT", path}, {"DELETE", path}, {"POST", path + "/publish"}, {"POST", path + "/versions/1/restore"}}) {
        const auto refused =
            send(author, method, target, method == "PUT" ? R"({"name":"c"})" : "", {{"If-Match", first}});
        EXPECT_EQ(refused.status, 412) << target;
        EXPECT_EQ(refused.header("ETag"), current) << target;
        EXPECT_EQ(refused.json().at("code"), "etag_mismatch");
    }
    EXPECT_EQ(send(author, "PUT", path, R"({"name":"c"})", {{"If-Match", ""}}).status, 412)
        << "of a client without one";
    EXPECT_EQ(send(author, "GET", path).json().at("name"), "b");
    const auto on_top = send(author, "PUT", path, R"({"name":"d"})");
    EXPECT_EQ(on_top.json().at("version"), 3) << "without If-Match the save goes on top";
    EXPECT_EQ(send(author, "GET", path + "/versions/2").json().at("name"), "b");
}

TEST_P(FlowRoutes, VersionsAreListedComparedAndRestored)
{
    const auto id = made_id(document("a", "one"));
    const auto path = "/flows/" + id;
    ASSERT_EQ(send(author, "PUT", path, "{" + drawn("two") + "}").status, 200);
    const auto list = send(author, "GET", path + "/versions?page_size=1").json();
    EXPECT_EQ(list.at("total"), 2);
    EXPECT_EQ(list.at("versions").size(), 1u);
    EXPECT_EQ(list.at("versions").at(0).at("version"), 2);
    EXPECT_EQ(list.at("versions").at(0).at("saved_by"), author.id);
    const auto diff = send(author, "GET", path + "/versions/1/diff/2").json();
    EXPECT_EQ(diff.at("nodes").at("changed"), Json::parse(R"([{"id":"out","paths":["/data/config/text"]}])"));
    EXPECT_EQ(diff.at("layout_only"), false);
    EXPECT_EQ(diff.at("patch"), Json::parse(R"([{"op":"replace","path":"/nodes/1/data/config/text","value":"two"}])"));
    const auto restored = send(author, "POST", path + "/versions/1/restore");
    ASSERT_EQ(restored.status, 200) << restored.body;
    EXPECT_EQ(restored.json().at("version"), 3);
    EXPECT_EQ(restored.json().at("nodes"), send(author, "GET", path + "/versions/1").json().at("nodes"));
    EXPECT_EQ(send(author, "GET", path + "/versions/9").status, 404);
    EXPECT_EQ(send(author, "GET", path + "/versions/x").status, 422);
    EXPECT_EQ(send(author, "GET", path + "/versions/0/diff/1").status, 422);
    EXPECT_EQ(send(author, "GET", path + "/versions/1/diff/9").status, 404);
    EXPECT_EQ(send(author, "GET", path + "/versions?limit=1").status, 422) << "there is no such parameter";
}

TEST_P(FlowRoutes, PublishingGivesTheModelOfTheFlow)
{
    const auto id = made_id(document("triage"));
    ASSERT_EQ(send(author, "PUT", "/flows/" + id, R"({"description":"newer"})").status, 200);
    const auto first = send(author, "POST", "/flows/" + id + "/publish", R"({"version":1})");
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.json().at("version"), 1);
    EXPECT_EQ(first.json().at("model"), "flow:triage");
    EXPECT_EQ(first.json().at("slug"), "triage");
    EXPECT_EQ(send(author, "POST", "/flows/" + id + "/publish").json().at("version"), 2);
    EXPECT_EQ(send(author, "GET", "/flows/" + id).json().at("published_version"), 2);
    EXPECT_EQ(send(author, "POST", "/flows/" + id + "/publish", R"({"version":7})").status, 404);
    EXPECT_EQ(send(author, "POST", "/flows/" + id + "/publish", R"({"latest":true})").status, 422);
    EXPECT_EQ(send(author, "POST", "/flows/" + id + "/unpublish").json().at("version"), nullptr);
    const auto blocked = made_id(
        R"({"name":"x","nodes":[{"id":"start","type":"start"},{"id":"t","type":"tool","data":{"config":{"tool":"no-such-tool"}}},
        {"id":"out","type":"reply","data":{"config":{"text":"x"}}}],"edges":[{"source":"start","target":"t"},{"source":"t","target":"out"}]})");
    const auto refused = send(author, "POST", "/flows/" + blocked + "/publish");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(codes_of(refused.json()), std::set<std::string>{"tool_unknown"});
}

TEST_P(FlowRoutes, TheListFiltersSortsAndPages)
{
    made(R"({"name":"여행 계획","category":"travel","tags":["ko","trip"]})");
    made(R"({"name":"Bravo","category":"support","tags":["ko"],"is_active":false})");
    made(R"({"name":"alpha talk","description":"여행 상담"})", "/chatflows");
    const auto names = [&](const std::string& query, const std::string& list = "/flows") {
        std::vector<std::string> out;
        const auto answer = send(author, "GET", list + query);
        EXPECT_EQ(answer.status, 200) << answer.body;
        const auto body = answer.json();
        for (const auto& flow : body.at("flows")) {
            out.push_back(flow.at("name").get<std::string>());
            EXPECT_FALSE(flow.contains("nodes")) << "a list entry has no document";
        }
        return out;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names(""), (Names{"alpha talk", "Bravo", "여행 계획"})) << "the one changed last first";
    EXPECT_EQ(names("?sort_by=name"), (Names{"Bravo", "alpha talk", "여행 계획"}));
    EXPECT_EQ(names("?sort_by=created_at&sort_order=asc&page=2&page_size=2"), Names{"alpha talk"});
    EXPECT_EQ(names("?flow_type=chatflow"), Names{"alpha talk"});
    EXPECT_EQ(names("?search=%EC%97%AC%ED%96%89"), (Names{"alpha talk", "여행 계획"}));
    EXPECT_EQ(names("?category=support"), Names{"Bravo"});
    EXPECT_EQ(names("?tags=ko"), (Names{"Bravo", "여행 계획"}));
    EXPECT_EQ(names("?tags=ko&tags=trip"), Names{"여행 계획"});
    EXPECT_EQ(names("?tags=ko,trip"), Names{"여행 계획"});
    EXPECT_EQ(names("?is_active=false"), Names{"Bravo"});
    EXPECT_EQ(names("", "/chatflows"), Names{"alpha talk"});
    EXPECT_EQ(names("", "/agentflows"), (Names{"Bravo", "여행 계획"}));
    const auto page = send(author, "GET", "/flows?page_size=1").json();
    EXPECT_EQ(page.at("total"), 3);
    EXPECT_EQ(page.at("page"), 1);
    EXPECT_EQ(page.at("page_size"), 1);
    for (const auto* wrong : {"?sort_by=id", "?sort_order=up", "?page=0", "?page_size=101", "?is_active=maybe",
                              "?flow_type=x", "?limit=1", "?page=1&page=2"})
        EXPECT_EQ(send(author, "GET", std::string("/flows") + wrong).status, 422) << wrong;
    EXPECT_EQ(send(author, "GET", "/chatflows?flow_type=agentflow").status, 422);
}

TEST_P(FlowRoutes, TheSameNameSavesANewVersionUnderBothAddresses)
{
    const auto body = [](const std::string& text) {
        return R"({"name":"../저장","description":"d","flow_data":{)" + drawn(text) + "}}";
    };
    const auto first = send(author, "POST", "/flows/save", body("one"));
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.json().at("status"), "success");
    EXPECT_EQ(first.json().at("version"), 1);
    const auto id = first.json().at("flow_id").get<std::string>();
    const auto second = fetch(server.port(), raw_request("POST", builder + "/flows/save", author.token, body("two")));
    EXPECT_EQ(second.json().at("version"), 2);
    EXPECT_EQ(second.json().at("flow_id"), id);
    const auto file = server.folder() / "flows" / "저장.json";
    ASSERT_TRUE(std::filesystem::exists(file));
    std::ifstream in(file);
    const auto text = std::string(std::istreambuf_iterator<char>(in), {});
    EXPECT_NE(text.find("\"two\""), std::string::npos);
    EXPECT_EQ(send(author, "POST", "/flows/save", R"({"name":"x"})").status, 422);
    EXPECT_EQ(fetch(server.port(), raw_request("DELETE", builder + "/flows/" + id, author.token)).status, 204);
    EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_P(FlowRoutes, AFlowOfAnotherIsAnsweredLikeAMissingOne)
{
    const auto id = made_id(document("private"));
    ASSERT_EQ(send(author, "POST", "/flows/" + id + "/publish").status, 200);
    const std::string missing = "0190a000-0000-7000-8000-000000000000";
    const auto other = other_author();
    for (const auto& [method, rest, body] :
         std::vector<std::tuple<std::string, std::string, std::string>>{{"GET", "", ""},
                                                                        {"PUT", "", R"({"name":"x"})"},
                                                                        {"DELETE", "", ""},
                                                                        {"GET", "/versions", ""},
                                                                        {"GET", "/versions/1", ""},
                                                                        {"GET", "/versions/1/diff/1", ""},
                                                                        {"POST", "/versions/1/restore", ""},
                                                                        {"POST", "/publish", ""},
                                                                        {"POST", "/unpublish", ""}}) {
        auto foreign = send(other, method, "/flows/" + id + rest, body);
        auto none = send(other, method, "/flows/" + missing + rest, body);
        EXPECT_EQ(foreign.status, 404) << method << rest;
        EXPECT_EQ(none.status, 404);
        auto a = foreign.json(), b = none.json();
        a.erase("request_id");
        b.erase("request_id");
        EXPECT_EQ(a, b) << method << rest;
    }
    EXPECT_EQ(send(other, "GET", "/flows").json().at("total"), 0);
    EXPECT_EQ(send(author, "GET", "/flows/" + id).json().at("name"), "private");
}

TEST_P(FlowRoutes, WhoMayOnlyReadChangesNothing)
{
    EXPECT_EQ(send(kim, "GET", "/flows").status, 200);
    EXPECT_EQ(send(kim, "POST", "/flows/validate", document("x")).status, 200);
    for (const auto* path : {"/agentflows", "/chatflows", "/flows/save"})
        EXPECT_EQ(send(kim, "POST", path, document("x")).status, 403) << path;
}

TEST_P(FlowRoutes, TheRoutesOfATypeKnowOnlyThatType)
{
    const auto id = made_id(document("a"));
    EXPECT_EQ(send(author, "GET", "/agentflows/" + id).status, 200);
    EXPECT_EQ(send(author, "GET", "/chatflows/" + id).status, 404);
    EXPECT_EQ(send(author, "PUT", "/chatflows/" + id, "{}").status, 404);
    EXPECT_EQ(send(author, "DELETE", "/chatflows/" + id).status, 404);
    EXPECT_EQ(send(author, "POST", "/chatflows", R"({"name":"x","flow_type":"agentflow"})").status, 422);
    EXPECT_EQ(send(author, "DELETE", "/agentflows/" + id).status, 204);
    EXPECT_EQ(send(author, "GET", "/flows/" + id).status, 404);
    EXPECT_EQ(send(author, "GET", "/flows").json().at("total"), 0);
}

TEST_P(FlowRoutes, TheEventsOfAFlowReplayToItsDocument)
{
    const auto id = made_id(document("past", "one"));
    ASSERT_EQ(send(author, "PUT", "/flows/" + id, "{" + drawn("two") + "}").status, 200);
    ASSERT_EQ(send(author, "DELETE", "/flows/" + id).status, 204);
    const auto state = [&](int version) {
        return ask(author,
                   "/api/events/replay/" + id + "?aggregate_type=Workflow&to_version=" + std::to_string(version))
            .json()
            .at("state");
    };
    EXPECT_EQ(state(1).at("document").at("nodes").at(1).at("data").at("config").at("text"), "one");
    EXPECT_EQ(state(2).at("document").at("nodes").at(1).at("data").at("config").at("text"), "two");
    EXPECT_EQ(state(2).at("deleted_at"), nullptr);
    EXPECT_NE(state(3).at("deleted_at"), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Databases, FlowRoutes, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return info.param; });

}  // namespace flow_routes
}  // namespace dure::test

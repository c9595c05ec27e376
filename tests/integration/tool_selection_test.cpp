// POST /api/tools/select over the wire: questions in Korean and English find the tools of files, a reload is seen at once, only
// what the caller may use is named, and an embedding model of the configuration compares when there is one.
#include <gtest/gtest.h>

#include <fstream>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace tool_selection {

// Tool files are read at start and by reload().
constexpr auto tool_files = R"([[tool]]
name = "get_forecast"
description = "Weather forecast for a city: temperature, rain and wind."
url = "https://api.example.com/forecast"
[[tool]]
name = "exchange_rate"
description = "환율 조회. 통화 사이의 환율을 알려 줍니다."
url = "https://api.example.com/rates"
[[tool]]
name = "send_mail"
description = "Send an e-mail to a recipient."
method = "POST"
url = "https://api.example.com/mail"
approval = true
[[tool]]
name = "track_parcel"
description = "택배 배송 조회"
url = "https://api.example.com/parcels"
headers_env = { X-Key = "NO_SUCH_VARIABLE" }
)";

class ToolSelection : public testing::Test {
protected:
    static RawAnswer ask(const ServerProcess& server, std::string_view target, const Json& body)
    {
        return fetch(server.port(), raw_request("POST", target, server.key(), body.dump()));
    }
    static void write_tools(const ServerProcess& server)
    {
        std::filesystem::create_directory(server.folder() / "tools");
        std::ofstream(server.folder() / "tools" / "mine.toml") << tool_files;
        EXPECT_EQ(ask(server, "/api/tools/reload", Json::object()).status, 200);
    }
    static std::vector<std::string> names(const ServerProcess& server, const Json& body)
    {
        const auto answer = ask(server, "/api/tools/select", body);
        EXPECT_EQ(answer.status, 200) << answer.body;
        const auto list = answer.json().at("tools");
        std::vector<std::string> all;
        for (const auto& tool : list)
            all.push_back(tool.at("name").get<std::string>());
        return all;
    }
};

TEST_F(ToolSelection, RanksTheToolsOfFilesForQuestionsInBothLanguages)
{
    const ServerProcess server{{.configuration = "[tools]\ndirectory = \"tools\"\n"}};
    EXPECT_EQ(names(server, {{"query", "내일 비 와?"}}), std::vector<std::string>{"calculator"});
    write_tools(server);
    const std::pair<const char*, const char*> cases[] = {
        {"내일 비 와?", "get_forecast"},           {"will it rain in Busan", "get_forecast"},
        {"달러가 지금 얼마예요", "exchange_rate"}, {"how many euros is that", "exchange_rate"},
        {"메일 하나 보내줘", "send_mail"},         {"12 곱하기 8", "calculator"}};
    for (const auto& [question, tool] : cases)
        EXPECT_EQ(names(server, {{"query", question}, {"max_tools", 1}}), std::vector<std::string>{tool}) << question;

    const auto all = ask(server, "/api/tools/select", {{"query", "내일 비 와?"}}).json();
    EXPECT_EQ(all.at("model"), "local");
    ASSERT_EQ(all.at("tools").size(), 4u) << all;  // without track_parcel, weather and search, which are not available
    for (std::size_t i = 1; i < 4; ++i)
        EXPECT_GE(all["tools"][i - 1].at("score").get<double>(), all["tools"][i].at("score").get<double>());
    EXPECT_GT(all["tools"][0].at("score").get<double>(), 0.0);
    EXPECT_LE(all["tools"][0].at("score").get<double>(), 1.0);
}

TEST_F(ToolSelection, WrongRequestsAreRefused)
{
    const ServerProcess server{{}};
    const std::pair<Json, const char*> cases[] = {{Json::object(), "query"},
                                                  {{{"query", ""}}, "query"},
                                                  {{{"query", 7}}, "query"},
                                                  {{{"query", std::string(32769, 'x')}}, "query"},
                                                  {{{"query", "x"}, {"max_tools", 0}}, "max_tools"},
                                                  {{{"query", "x"}, {"max_tools", 101}}, "max_tools"},
                                                  {{{"query", "x"}, {"max_tools", "5"}}, "max_tools"},
                                                  {{{"query", "x"}, {"top_k", 5}}, "top_k"}};
    for (const auto& [body, field] : cases) {
        const auto answer = ask(server, "/api/tools/select", body);
        EXPECT_EQ(answer.status, 422) << body.dump().substr(0, 100);
        EXPECT_EQ(answer.json().at("errors").at(0).at("loc"), (Json{"body", field})) << answer.body;
    }
    EXPECT_EQ(fetch(server.port(), raw_request("POST", "/api/tools/select", server.key(), "{")).status, 400);
    EXPECT_EQ(fetch(server.port(), raw_request("POST", "/api/tools/select", {}, R"({"query":"x"})")).status, 401);
}

TEST_F(ToolSelection, AnEmbeddingModelOfTheConfigurationCompares)
{
    ScriptedUpstream upstream;
    upstream.handle([](const RecordedRequest& request) {
        const auto input = Json::parse(request.body).at("input");
        auto data = Json::array();
        for (const auto& text : input) {
            const bool money = text.get_ref<const std::string&>().find("환율") != std::string::npos || text == "abc";
            data.push_back({{"object", "embedding"}, {"index", data.size()}, {"embedding", {money ? 1.0 : 0.0, 0.5}}});
        }
        const Json answer{{"object", "list"}, {"model", "vectors"}, {"data", data}, {"usage", usage_json(3, 0)}};
        return Script{send(http_answer(200, "application/json", answer.dump()))};
    });
    const ServerProcess server{{.configuration = "[tools]\ndirectory = \"tools\"\n[models]\nembeddings = \"vectors\"\n"
                                                 "[[providers]]\nname = \"up\"\nbase_url = \"" +
                                                 upstream.base() +
                                                 "/v1\"\n[[model]]\nid = \"vectors\"\ntargets = [\"up/vectors\"]\n"}};
    write_tools(server);
    const auto answer = ask(server, "/api/tools/select", {{"query", "abc"}, {"max_tools", 1}}).json();
    EXPECT_EQ(answer.at("model"), "vectors");
    EXPECT_EQ(answer.at("tools").at(0).at("name"), "exchange_rate");
    EXPECT_EQ(answer.at("tools").at(0).at("score"), 1.0);
    EXPECT_EQ(upstream.requests().size(), 2u);  // the descriptions, the question
    EXPECT_EQ(names(server, {{"query", "abc"}, {"max_tools", 1}}), std::vector<std::string>{"exchange_rate"});
    EXPECT_EQ(upstream.requests().size(), 2u);
}

}  // namespace tool_selection
}  // namespace dure::test

// The Grafana dashboard asks for metrics that are there: every name in deploy/grafana/dure.json is one that a server shows
// which has answered, fallen back, broken off and served from its cache.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace dashboard {

std::set<std::string> names_of(const Json& board)
{
    std::set<std::string> names;
    const std::regex name("[a-z][a-z0-9_]*_[a-z0-9_]+");
    const std::regex labels(R"((by|without) *\([^)]*\)|\{[^}]*\}|\[[^\]]*\])");
    for (const auto& panel : board.at("panels"))
        for (const auto& target : panel.at("targets")) {
            const auto asked = std::regex_replace(target.at("expr").get<std::string>(), labels, " ");
            for (std::sregex_iterator found(asked.begin(), asked.end(), name), end; found != end; ++found)
                if (found->str() != "histogram_quantile")
                    names.insert(found->str());
        }
    return names;
}

TEST(Dashboard, AsksOnlyForMetricsThatAServerShows)
{
    ScriptedUpstream first;
    ScriptedUpstream second;
    const auto provider = [](const std::string& name, const ScriptedUpstream& upstream) {
        return "[[providers]]\nname = \"" + name + "\"\nbase_url = \"" + upstream.base() +
               "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n";
    };
    ServerProcess server(
        {.configuration = provider("one", first) + provider("two", second) +
                          "[[model]]\nid = \"scripted\"\ntargets = [\"one/a\", \"two/b\"]\ncache = \"exact\"\n",
         .environment = {{"UPSTREAM_TEST_KEY", "k"}}});
    const auto ask = [&](const std::string& question, bool stream) {
        return fetch(server.port(),
                     raw_request("POST", "/v1/chat/completions", server.key(),
                                 dump(Json{{"model", "scripted"},
                                           {"stream", stream},
                                           {"messages", Json::array({{{"role", "user"}, {"content", question}}})}})));
    };
    first.enqueue(error_script(500, "boom", "server_error", nullptr, {{"x-should-retry", "false"}}));
    second.enqueue(text_stream_script("an answer in pieces"));
    EXPECT_EQ(ask("falls back", true).status, 200);
    EXPECT_EQ(ask("falls back", true).header("x-dure-cache"), "hit");
    first.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part"))), reset()});
    EXPECT_NE(ask("breaks off", true).body.find("stream_interrupted"), std::string::npos);

    std::ifstream file(std::string(DURE_SOURCE_DIR) + "/deploy/grafana/dure.json");
    const auto names = names_of(Json::parse(file));
    EXPECT_GT(names.size(), 20u);
    const auto shown = fetch(server.port(), raw_request("GET", "/metrics", server.key())).body;
    for (const auto& name : names)
        EXPECT_NE(shown.find("\n" + name), std::string::npos) << name;
}

}  // namespace dashboard
}  // namespace dure::test

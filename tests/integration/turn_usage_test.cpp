// The usage row of a turn is there with the turn: at once, once, and after the process was killed behind the answer.
#include <gtest/gtest.h>

#include "support/raw_http.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace turn_usage {

RawAnswer ask(const ServerProcess& server, std::string_view target, const Json& body, const RawFields& fields = {})
{
    return fetch(server.port(), raw_request("POST", target, server.key(), body.dump(), fields));
}

Json requests_by_model(const ServerProcess& server)
{
    const auto report = fetch(server.port(), raw_request("GET", "/api/usage?group_by=model", server.key()));
    EXPECT_EQ(report.status, 200) << report.body;
    const auto body = report.json();
    auto counts = Json::object();
    for (const auto& row : body.at("rows"))
        counts[row.at("model").get<std::string>()] = row.at("requests");
    return counts;
}

void expect_usage_with_the_turn(ServerProcess::Options options)
{
    ServerProcess server(std::move(options));
    EXPECT_EQ(ask(server, "/api/chat/message", {{"message", "안녕"}}).status, 200);
    EXPECT_EQ(ask(server, "/api/chat/message/stream", {{"message", "12 * 3?"}}).status, 200);
    const Json relayed{{"model", "mock"}, {"messages", {{{"role", "user"}, {"content", "안녕"}}}}};
    EXPECT_EQ(ask(server, "/v1/chat/completions", relayed, {{"X-OpenWebUI-Chat-Id", "one"}}).status, 200);
    const Json expected{{"coe-agent-v1", 2}, {"mock", 1}};
    EXPECT_EQ(requests_by_model(server), expected);
    server.kill();
    server.start();
    EXPECT_EQ(requests_by_model(server), expected);
}

TEST(TurnUsage, IsThereWithTheTurnOnSqlite)
{
    expect_usage_with_the_turn({});
}
TEST(TurnUsage, IsThereWithTheTurnOnPostgres)
{
    expect_usage_with_the_turn(on_postgres(fresh_schema()));
}

}  // namespace turn_usage
}  // namespace dure::test

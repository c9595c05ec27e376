// Rows of attempts over the wire: what a server was asked just before its stop is in the database behind it, on both databases.
#include <gtest/gtest.h>

#include "dure/base/secret.hpp"
#include "dure/sql/postgres.hpp"
#include "dure/sql/sqlite.hpp"
#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {
namespace attempts_over_the_wire {

std::unique_ptr<sql::Database> database_behind(const ServerProcess& server, const std::string& postgres_url)
{
    if (!postgres_url.empty()) {
        sql::PostgresOptions options;
        options.url = SecretString(postgres_url);
        return sql::open_postgres(std::move(options)).value();
    }
    sql::SqliteOptions options;
    options.path = (server.folder() / "data" / "dure.db").string();
    return sql::open_sqlite(std::move(options)).value();
}

class AttemptRows : public ::testing::TestWithParam<bool> {};

TEST_P(AttemptRows, AreFlushedByAStop)
{
    const bool postgres = GetParam();
    ScriptedUpstream upstream;
    const auto configuration = "[[providers]]\nname = \"up\"\nbase_url = \"" + upstream.base() +
                               "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\n"
                               "targets = [\"up/scripted\"]\nprices = {input = \"1.00\", output = \"2.00\"}\n";
    const auto url = postgres ? fresh_schema() : std::string();
    auto options = postgres ? on_postgres(url, configuration) : ServerProcess::Options{configuration, {}, {}};
    options.environment.emplace_back("UPSTREAM_TEST_KEY", "k");
    ServerProcess server(std::move(options));
    upstream.enqueue(error_script(500, "boom", "server_error"));
    upstream.enqueue(completion_script("fine", {{"x-request-id", "from-upstream"}}));
    const auto body = R"({"model":"scripted","messages":[{"role":"user","content":"x"}]})";
    const auto answer = fetch(server.port(), raw_request("POST", "/v1/chat/completions", server.key(), body));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(server.terminate(), 0) << server.err();

    const auto database = database_behind(server, url);
    const auto rows =
        database->run_now([](sql::Connection& c) { return c.query("SELECT * FROM attempts ORDER BY id"); }).value();
    ASSERT_EQ(rows.size(), 2u);
    std::vector<std::string> classes;
    for (const auto row : rows) {
        classes.push_back(row.text("class"));
        EXPECT_EQ(row.text("target"), "up/scripted");
        EXPECT_EQ(row.text("request_id"), answer.header("x-request-id"));
        EXPECT_EQ(row.integer("number"), static_cast<std::int64_t>(classes.size()));
        const bool success = classes.size() == 2;
        EXPECT_EQ(row.integer("status"), success ? 200 : 500);
        EXPECT_EQ(row.integer("cost_nano"),
                  success ? row.integer("prompt_tokens") * 1000 + row.integer("completion_tokens") * 2000 : 0);
        EXPECT_EQ(row.text("upstream_request_id"), success ? "from-upstream" : "");
    }
    EXPECT_EQ(classes, (std::vector<std::string>{"server", "success"}));
}

INSTANTIATE_TEST_SUITE_P(Databases, AttemptRows, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Postgres" : "Sqlite"; });

}  // namespace attempts_over_the_wire
}  // namespace dure::test

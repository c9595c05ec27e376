// The life of the process: first start, restart, stop, refusals at start, the administrative commands beside a running server.
#include <gtest/gtest.h>

#include "support/openai_script.hpp"
#include "support/raw_http.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_process.hpp"

namespace dure::test {
namespace lifecycle {

using namespace std::chrono_literals;

RawAnswer ask(const ServerProcess& server, std::string_view method, std::string_view target, std::string_view body = {})
{
    return fetch(server.port(), raw_request(method, target, server.key(), body));
}

TEST(FirstStart, PrintsTheAdministratorTheKeyAndACurlLineThatWorks)
{
    ServerProcess server;
    EXPECT_EQ(server.value_of("admin e-mail:"), "admin@localhost");
    EXPECT_GE(server.value_of("admin password:").size(), 16u);
    EXPECT_TRUE(server.key().starts_with("dk_"));
    const auto out = server.out();
    const auto at = out.find("curl ");
    ASSERT_NE(at, std::string::npos) << out;
    const auto script = server.folder() / "pasted.sh";
    std::ofstream(script) << out.substr(at);
    ASSERT_EQ(std::system(("sh '" + script.string() + "' >'" + script.string() + ".out' 2>&1").c_str()), 0)
        << read_file(script.string() + ".out");
    EXPECT_NE(read_file(script.string() + ".out").find("data: [DONE]"), std::string::npos);
    EXPECT_EQ(server.err().find(server.key()), std::string::npos) << "the key is in the log";
    EXPECT_EQ(server.err().find(server.value_of("admin password:")), std::string::npos);
}

// A port that is taken is an everyday slip: the administrator must not be made and never shown.
TEST(FirstStart, IsTheFirstThatComesUp)
{
    const ServerProcess taken;
    const TemporaryFolder folder;
    const auto database = "sqlite:" + (folder.path() / "dure.db").string();
    const auto refused = taken.run({"serve", "--port", std::to_string(taken.port()), "--database", database});
    EXPECT_EQ(refused.code, 1);
    EXPECT_EQ(refused.out, "");
    const ServerProcess next({.arguments = {"--database", database}});
    EXPECT_GE(next.value_of("admin password:").size(), 16u);
    EXPECT_EQ(ask(next, "GET", "/v1/models").status, 200);
}

TEST(Restart, KeepsKeysAndSessionsAndPrintsNoSecretsAgain)
{
    for (const bool graceful : {true, false}) {
        SCOPED_TRACE(graceful ? "SIGTERM" : "SIGKILL");
        ServerProcess server;
        const auto made = ask(server, "POST", "/api/chat/session", R"({"title":"오래 남는 대화"})");
        ASSERT_EQ(made.status, 201) << made.body;
        const auto id = made.json().at("session_id").get<std::string>();
        const auto said =
            ask(server, "POST", "/api/chat/message", Json{{"session_id", id}, {"message", "기억해 줘"}}.dump());
        ASSERT_EQ(said.status, 200) << said.body;
        if (graceful)
            EXPECT_EQ(server.terminate(), 0) << server.err();
        else
            server.kill();
        server.start();
        EXPECT_EQ(server.out(), "");
        const auto history = ask(server, "GET", "/api/chat/history/" + id);
        ASSERT_EQ(history.status, 200) << history.body;
        EXPECT_EQ(history.json().at("messages").size(), 2u);
        EXPECT_EQ(history.json().at("messages").at(0).at("content"), "기억해 줘");
        const auto next =
            ask(server, "POST", "/api/chat/message", Json{{"session_id", id}, {"message", "계속"}}.dump());
        EXPECT_EQ(next.json().at("turn"), 2) << next.body;
    }
}

class StopDeadline : public ::testing::TestWithParam<const char*> {};

TEST_P(StopDeadline, LetsAStreamUnderWayFinishBeforeTheProcessEnds)
{
    ScriptedUpstream upstream;
    ServerProcess server(
        {.configuration =
             std::string("[server]\nshutdown_deadline = \"") + GetParam() +
             "\"\n[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" + upstream.base() +
             "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
         .environment = {{"UPSTREAM_TEST_KEY", "k"}}});
    upstream.enqueue(text_stream_script("one two three four", 50ms));
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(),
                            R"({"model":"scripted","stream":true,"messages":[{"role":"user","content":"x"}]})"));
    client.read_until("two");
    server.send_signal(SIGTERM);
    EXPECT_TRUE(client.read_answer().body.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(server.wait(), 0) << server.err();
}

INSTANTIATE_TEST_SUITE_P(Short, StopDeadline, ::testing::Values("20s", "1s"));

TEST(Stop, AStreamThatOutlivesTheDeadlineIsToldAndTheProcessEnds)
{
    ScriptedUpstream upstream;
    ServerProcess server(
        {.configuration =
             "[server]\nshutdown_deadline = \"2s\"\n[[providers]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"" +
             upstream.base() +
             "/v1\"\nkeys_env = [\"UPSTREAM_TEST_KEY\"]\n[[model]]\nid = \"scripted\"\ntargets = [\"up/scripted\"]\n",
         .environment = {{"UPSTREAM_TEST_KEY", "k"}}});
    upstream.enqueue(
        {send(sse_head()), send(chunk(role_chunk())), send(chunk(text_chunk("first"))), await_peer_close(20s)});
    RawClient client(server.port());
    client.send(raw_request("POST", "/v1/chat/completions", server.key(),
                            R"({"model":"scripted","stream":true,"messages":[{"role":"user","content":"x"}]})"));
    client.read_until("first");
    const auto begin = std::chrono::steady_clock::now();
    server.send_signal(SIGTERM);
    const auto answer = client.read_answer();
    EXPECT_NE(answer.body.find("server_shutdown"), std::string::npos) << answer.body;
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
    EXPECT_EQ(server.wait(), 0) << server.err();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 6s);
}

TEST(Stop, TheAgentAndTheMockModelTellToo)
{
    struct Case {
        const char* target;
        const char* body;
        int status;
    };
    // The ones without a stream first: they are well under way when the streams have shown their first words.
    const std::vector<Case> cases{
        {"/api/chat/message", R"({"message":"hello there"})", 503},
        {"/v1/chat/completions", R"({"model":"mock","stream":true,"messages":[{"role":"user","content":"hello there"}]})", 200},
        {"/v1/chat/completions", R"({"model":"coe-agent-v1","stream":true,"messages":[{"role":"user","content":"hi"}]})", 200},
        {"/api/chat/message/stream", R"({"message":"hello there"})", 200}};
    ServerProcess server({.configuration = "[server]\nshutdown_deadline = \"1s\"\n[models]\nmock_delay = \"1s\"\n"});
    std::vector<std::unique_ptr<RawClient>> clients;
    for (const auto& one : cases) {
        clients.push_back(std::make_unique<RawClient>(server.port()));
        clients.back()->send(raw_request("POST", one.target, server.key(), one.body));
        if (one.status == 200)
            clients.back()->read_until("content");
    }
    server.send_signal(SIGTERM);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        SCOPED_TRACE(std::string(cases[i].target) + " " + cases[i].body);
        const auto answer = clients[i]->read_answer();
        EXPECT_EQ(answer.status, cases[i].status);
        EXPECT_NE(answer.body.find("server_shutdown"), std::string::npos) << answer.body;
        if (cases[i].status == 503)
            EXPECT_FALSE(answer.header("retry-after").empty());
    }
    EXPECT_EQ(server.wait(), 0) << server.err();
}

TEST(TimeLimits, AnAnswerWithoutAStreamIsDoneInTimeOrA504)
{
    const ServerProcess server(
        {.configuration = "[server.limits]\nchat_request = \"1s\"\n[models]\nmock_delay = \"400ms\"\n"});
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& [target, body] : std::vector<std::pair<const char*, const char*>>{
             {"/api/chat/message", R"({"message":"a few words to answer"})"},
             {"/v1/chat/completions", R"({"model":"coe-agent-v1","messages":[{"role":"user","content":"a few words"}]})"}})
        EXPECT_EQ(fetch(server.port(), raw_request("POST", target, server.key(), body)).status, 504) << target;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(Streams, SilenceIsFilledAsOftenAsConfigured)
{
    const ServerProcess server(
        {.configuration = "[server.limits]\nsse_heartbeat = \"1s\"\n[models]\nmock_delay = \"2500ms\"\n"});
    for (const auto* model : {"coe-agent-v1", "mock"}) {
        SCOPED_TRACE(model);
        RawClient client(server.port());
        client.send(raw_request("POST", "/v1/chat/completions", server.key(),
                                Json{{"model", model},
                                     {"stream", true},
                                     {"messages", {{{"role", "user"}, {"content", "hi"}}}}}
                                    .dump()));
        EXPECT_NO_THROW(client.read_until(": keep-alive\n"));
    }
}

TEST(Start, ASecondServerOnTheSameDatabaseIsRefused)
{
    ServerProcess server;
    const auto second = server.run({"serve", "--port", "0", "--config", "dure.toml"});
    EXPECT_EQ(second.code, 1);
    EXPECT_NE(second.err.find("dure.db"), std::string::npos) << second.err;
    EXPECT_EQ(second.err.find("listening"), std::string::npos);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/healthz")).status, 200);
}

TEST(Start, ATakenPortIsRefused)
{
    ServerProcess server;
    const auto second = server.run({"serve", "--port", std::to_string(server.port()), "--database", "sqlite:other.db"});
    EXPECT_EQ(second.code, 1);
    EXPECT_NE(second.err.find(std::to_string(server.port())), std::string::npos) << second.err;
}

// An operator must see when a server is open to others; what is printed can be connected to on this machine too.
TEST(FirstStart, BeyondLoopbackSaysHowToMakeAnAdministrator)
{
    const TemporaryFolder folder;
    const auto told = [&] {
        const auto pid = spawn(folder.path(), folder.path(), {"serve", "--port", "0", "--host", "0.0.0.0"}, {});
        const auto said = [&] { return read_file(folder.path() / "err.txt"); };
        EXPECT_TRUE(eventually([&] { return said().find("listening on") != std::string::npos; })) << said();
        ::kill(pid, SIGTERM);
        EXPECT_EQ(wait_for_exit(pid), 0);
        return said().find("dure admin create --email") != std::string::npos;
    };
    EXPECT_TRUE(told());
    ASSERT_EQ(run_command(folder.path(), {"admin", "create", "--email", "a@example.com"}).code, 0);
    EXPECT_FALSE(told());
}

TEST(Start, TheAddressThatIsPrintedIsTheOneItListensOn)
{
    for (const auto* host : {"127.0.0.1", "0.0.0.0"}) {
        const ServerProcess server(
            {.environment = {{"ADMIN_EMAIL", "a@example.com"}, {"ADMIN_PASSWORD", "Long-enough-1!"}},
             .arguments = {"--host", host}});
        const auto printed = "listening on http://" + std::string(host) + ":" + std::to_string(server.port()) + " ";
        EXPECT_NE(server.err().find(printed), std::string::npos) << server.err();
    }
}

TEST(Start, EveryProblemOfTheConfigurationIsNamedAtOnce)
{
    const TemporaryFolder folder;
    std::ofstream(folder.path() / "wrong.toml") << "[server]\nprot = 1\nport = \"many\"\n[nowhere]\nx = 1\n";
    for (const auto& command :
         {std::vector<std::string>{"serve", "--config", "wrong.toml"}, {"config", "check", "--config", "wrong.toml"}}) {
        const auto refused = run_command(folder.path(), command);
        EXPECT_EQ(refused.code, 1);
        for (const auto* part : {"wrong.toml", "prot", "port", "nowhere", "2", "3"})
            EXPECT_NE(refused.err.find(part), std::string::npos) << part << " in " << refused.err;
    }
}

TEST(Start, AnEmptyOptionIsNoWishForTheDefault)
{
    const TemporaryFolder folder;
    using Words = std::vector<std::string>;
    const std::pair<Words, Words> cases[] = {
        {{"serve", "--port", "0"}, {"--host", "--database", "--config"}},
        {{"graph", "run", "--graph", "g.json", "--thread", "t"},
         {"--from", "--webhook", "--resume", "--input", "--modes", "--database"}},
        {{"graph", "run"}, {"--graph", "--thread"}},
        {{"key", "create", "--email", "a@example.com", "--name", "n"}, {"--expires", "--permissions"}},
        {{"admin", "create"}, {"--email"}},
        {{"flow", "run", "f.json"}, {"--config", "--inputs", "--answer"}}};
    for (const auto& [command, options] : cases)
        for (const auto& option : options) {
            auto arguments = command;
            arguments.insert(arguments.end(), {option, ""});
            const auto refused = run_command(folder.path(), arguments);
            EXPECT_EQ(refused.code, 2) << option;
            EXPECT_NE(refused.err.find(option + ": must not be empty"), std::string::npos) << refused.err;
        }
}

TEST(Start, ADatabaseFileThatIsNoneIsNamedWithWhatToDo)
{
    const TemporaryFolder folder;
    std::ofstream(folder.path() / "notes.db") << std::string(5000, 'x');
    std::ofstream(folder.path() / "g.json")
        << R"({"nodes": {"p": {"function": "write", "config": {"values": {}}}}, "edges": [["START", "p"]]})";
    for (const auto& command : {std::vector<std::string>{"serve", "--port", "0"},
                                {"migrate"},
                                {"graph", "run", "--graph", "g.json", "--thread", "t"}}) {
        auto arguments = command;
        arguments.insert(arguments.end(), {"--database", "sqlite:notes.db"});
        const auto refused = run_command(folder.path(), arguments);
        EXPECT_EQ(refused.code, 1) << command[0];
        for (const auto* part :
             {"notes.db is no SQLite database, or is damaged", "restore it from a backup", "database.url"})
            EXPECT_NE(refused.err.find(part), std::string::npos) << part << " in " << refused.err;
    }
    EXPECT_EQ(read_file(folder.path() / "notes.db"), std::string(5000, 'x'));
}

TEST(Start, WhatAPartRefusesOfItsSettingsIsNamedByTheCheckToo)
{
    const TemporaryFolder folder;
    const std::pair<Environment, const char*> cases[] = {
        {{{"DATABASE_URL", "postgresql://me@db/dure?password=hunter22"}, {"REDIS_URL", "redis://:hunter22@h:x"}},
         "REDIS_URL: the Redis URL has no port"},
        {{{"DATABASE_URL", "postgresql://me:hunter22@db:x/dure"}},
         "DATABASE_URL: database.url: the port is not a number"},
        {{{"DB_HOST", "db"}, {"DB_PORT", "x"}}, "DB_PORT: must be the number of a port"},
        {{{"DURE_MAIL__SENDER", "smtp"}, {"DURE_MAIL__SMTP_URL_ENV", "POST"}, {"POST", "mail://me:hunter22@h"}},
         "DURE_MAIL__SMTP_URL_ENV: "},
        {{{"DURE_MAIL__SENDER", "smtp"}, {"DURE_MAIL__SMTP_URL_ENV", "POST"}, {"POST", "smtp://me:hunter22@h"}},
         "mail.from"},
        {{{"DATABASE_URL", "postgresql://me:hunter22@127.0.0.1:1/dure"}}, "SECRET_KEY must be set"},
        {{{"DURE_SERVER__TLS_CERT", "no.pem"}, {"DURE_SERVER__TLS_KEY", "."}},
         "DURE_SERVER__TLS_CERT: server.tls_cert \"no.pem\" cannot be read\ndure: DURE_SERVER__TLS_KEY: "},
        {{{"DURE_SERVER__TLS_CERT", "/etc/passwd"}, {"DURE_SERVER__TLS_KEY", "/etc/passwd"}},
         "DURE_SERVER__TLS_CERT: The TLS certificate file cannot be used. /etc/passwd: "},
        {{{"REDIS_URL", "rediss://:hunter22@h"}, {"DURE_REDIS__CA_FILE", "no.pem"}}, "DURE_REDIS__CA_FILE: "},
        {{{"DURE_SERVER__TRUSTED_PROXIES", "10.0.0.1"}, {"DURE_SERVER__PROXY_HEADER", "X Forwarded For"}},
         "DURE_SERVER__PROXY_HEADER: "},
        {{{"ADMIN_EMAIL", "a@example.com"}, {"ADMIN_PASSWORD", "hunter2"}},
         "ADMIN_PASSWORD: A password must have 8 to 128"},
        {{{"ADMIN_EMAIL", "a@example.com"}, {"ADMIN_PASSWORD", "Password123"}},
         "ADMIN_PASSWORD: This password is among"},
        {{{"ADMIN_EMAIL", "wellington@example.com"}, {"ADMIN_PASSWORD", "Wellington hunter22"}},
         "ADMIN_PASSWORD: A password must not hold the name"},
    };
    for (const auto& [environment, problem] : cases)
        for (const auto& command : {std::vector<std::string>{"serve", "--port", "0"}, {"config", "check"}}) {
            const auto refused = run_command(folder.path(), command, environment);
            EXPECT_EQ(refused.code, 1) << problem;
            EXPECT_NE(refused.err.find(problem), std::string::npos) << refused.err;
            EXPECT_EQ((refused.out + refused.err).find("hunter22"), std::string::npos) << refused.out << refused.err;
        }
}

TEST(Start, MetricsOnTheirOwnAddressNeedNoKey)
{
    ServerProcess server({.configuration = "[metrics]\nlisten = \"127.0.0.1:0\"\n"});
    const auto log = server.err();
    const auto told = log.find("\"port\":\"", log.find("metrics have an address of their own"));
    ASSERT_NE(told, std::string::npos) << log;
    const auto port = static_cast<std::uint16_t>(std::strtoul(log.c_str() + told + 8, nullptr, 10));
    const auto page = fetch(port, raw_request("GET", "/metrics"));
    EXPECT_EQ(page.status, 200);
    EXPECT_NE(page.body.find("process_resident_memory_bytes"), std::string::npos);
    EXPECT_EQ(fetch(port, raw_request("GET", "/v1/models", server.key())).status, 404);
    EXPECT_EQ(fetch(port, raw_request("POST", "/metrics", {}, "{}")).status, 405);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/metrics")).status, 401);
    EXPECT_EQ(server.terminate(), 0);
}

TEST(Start, AnAddressThatIsTakenIsNamed)
{
    const ServerProcess taken;
    const auto port = std::to_string(taken.port());
    for (const auto& [text, arguments] :
         {std::pair("[metrics]\nlisten = \"127.0.0.1:" + port + "\"\n", std::vector<std::string>{"--port", "0"}),
          std::pair(std::string(), std::vector<std::string>{"--port", port})}) {
        const TemporaryFolder folder;
        std::ofstream(folder.path() / "dure.toml") << text;
        std::vector<std::string> command{"serve", "--config", "dure.toml"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        const auto refused = run_command(folder.path(), command);
        EXPECT_EQ(refused.code, 1);
        EXPECT_NE(refused.err.find("Cannot listen on 127.0.0.1 port " + port), std::string::npos) << refused.err;
    }
}

TEST(Start, ADatabaseInMemoryLeavesNoFiles)
{
    ServerProcess server({.arguments = {"--database", "sqlite::memory:"}});
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", server.key())).status, 200);
    EXPECT_EQ(server.terminate(), 0);
    for (const auto& entry : std::filesystem::directory_iterator(server.folder()))
        EXPECT_EQ(entry.path().filename().string().find("memory"), std::string::npos) << entry.path();
}

TEST(CommandLine, WrongUsageIsCodeTwoAndHelpIsCodeZero)
{
    const TemporaryFolder folder;
    EXPECT_EQ(run_command(folder.path(), {"serve", "--prot", "1"}).code, 2);
    EXPECT_EQ(run_command(folder.path(), {"dance"}).code, 2);
    EXPECT_EQ(run_command(folder.path(), {"--help"}).code, 0);
    const auto version = run_command(folder.path(), {"version"});
    EXPECT_EQ(version.code, 0);
    EXPECT_TRUE(version.out.starts_with("dure ")) << version.out;
}

TEST(CommandLine, ConfigCheckPrintsNoSecrets)
{
    const TemporaryFolder folder;
    const auto checked =
        run_command(folder.path(), {"config", "check"},
                    {{"OPENAI_API_KEY", "sk-very-secret"}, {"SECRET_KEY", "0123456789abcdef0123456789abcdef"}});
    EXPECT_EQ(checked.code, 0) << checked.err;
    EXPECT_EQ((checked.out + checked.err).find("sk-very-secret"), std::string::npos);
    EXPECT_EQ((checked.out + checked.err).find("0123456789abcdef"), std::string::npos);
    EXPECT_NE(checked.out.find("openai"), std::string::npos);
}

TEST(CommandLine, MigrateStatusTellsWhatAStartWouldDoAndDoesNothing)
{
    const TemporaryFolder folder;
    const auto run = [&](std::vector<std::string> arguments) { return run_command(folder.path(), std::move(arguments)); };
    const auto sql = [&](const std::string& text) {
        const auto command = "sqlite3 '" + (folder.path() / "data" / "dure.db").string() + "' \"" + text + "\"";
        EXPECT_EQ(std::system(command.c_str()), 0);
    };
    const auto none = run({"migrate", "--status"});
    EXPECT_EQ(none.code, 0) << none.err;
    EXPECT_NE(none.out.find("pending 0001_accounts\n"), std::string::npos) << none.out;
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "data" / "dure.db"));
    ASSERT_EQ(run({"migrate"}).code, 0);
    const auto all = run({"migrate", "--status"});
    EXPECT_EQ(all.code, 0) << all.err;
    EXPECT_NE(all.out.find("applied 0001_accounts\n"), std::string::npos) << all.out;
    EXPECT_EQ(all.out.find("pending"), std::string::npos) << all.out;
    sql("DELETE FROM schema_migrations WHERE version = 94");
    for (int i = 0; i < 2; ++i) {
        const auto older = run({"migrate", "--status"});
        EXPECT_EQ(older.code, 0) << older.err;
        EXPECT_NE(older.out.find("pending 0094_session_turns\n"), std::string::npos) << older.out;
    }
    sql("INSERT INTO schema_migrations VALUES (9999, 'from_tomorrow', 'x', 1)");
    const auto newer = run({"migrate", "--status"});
    EXPECT_EQ(newer.code, 1);
    EXPECT_NE(newer.out.find("applied 9999_from_tomorrow\n"), std::string::npos) << newer.out;
    EXPECT_NE(newer.err.find("newer"), std::string::npos) << newer.err;
    sql("DELETE FROM schema_migrations WHERE version = 9999; UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
    const auto changed = run({"migrate", "--status"});
    EXPECT_EQ(changed.code, 1);
    EXPECT_NE(changed.err.find("0001_accounts"), std::string::npos) << changed.err;
}

// A key that was made and printed to nowhere is nobody's: scripts have to hear of it.
TEST(CommandLine, OutputThatCannotBeWrittenIsAFailure)
{
    for (const auto* command : {"version", "openapi"})
        EXPECT_EQ(WEXITSTATUS(std::system(("'" + binary() + "' " + command + " > /dev/full 2> /dev/null").c_str())), 1)
            << command;
}

TEST(KeyCreate, PrintsTheKeyAloneAndItWorksAtOnce)
{
    ServerProcess server;
    const auto made =
        server.run({"key", "create", "--config", "dure.toml", "--email", "admin@localhost", "--name", "second"});
    ASSERT_EQ(made.code, 0) << made.err;
    ASSERT_TRUE(made.out.starts_with("dk_") && made.out.ends_with('\n')) << made.out;
    const auto key = made.out.substr(0, made.out.size() - 1);
    EXPECT_EQ(key.find_first_not_of("dk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
              std::string::npos);
    EXPECT_NE(key, server.key());
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", key)).status, 200);
}

TEST(KeyCreate, AKeyWithoutAPermissionIsRefusedWhereItIsNeeded)
{
    ServerProcess server;
    const auto made = server.run({"key", "create", "--config", "dure.toml", "--email", "admin@localhost", "--name",
                                  "chat only", "--permissions", "chat:create"});
    ASSERT_EQ(made.code, 0) << made.err;
    const auto key = made.out.substr(0, made.out.find('\n'));
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/v1/models", key)).status, 200);
    EXPECT_EQ(fetch(server.port(), raw_request("GET", "/metrics", key)).status, 403);
    const auto unknown =
        server.run({"key", "create", "--config", "dure.toml", "--email", "nobody@localhost", "--name", "x"});
    EXPECT_EQ(unknown.code, 1);
    EXPECT_EQ(unknown.out, "");
}

TEST(KeyCreate, AKeyEndsAtATimeOrAfterADuration)
{
    ServerProcess server;
    const auto create = [&](const std::string& expires) {
        return server.run({"key", "create", "--config", "dure.toml", "--email", "admin@localhost", "--name", "short", "--expires",
                           expires});
    };
    for (const auto* good : {"90d", "12h", "30m", "2999-01-31T00:00:00Z"})
        EXPECT_EQ(create(good).code, 0) << good;
    for (const auto* wrong : {"0s", "5x", "30", "-1d", "2001-01-31T00:00:00Z"})
        EXPECT_NE(create(wrong).code, 0) << wrong;
    const auto made = create("1s");
    ASSERT_EQ(made.code, 0) << made.err;
    const auto key = made.out.substr(0, made.out.find('\n'));
    EXPECT_TRUE(eventually([&] { return fetch(server.port(), raw_request("GET", "/v1/models", key)).status == 401; }));
}

TEST(AdminCreate, MakesAnAccountOnce)
{
    ServerProcess server;
    const std::vector<std::string> command{"admin", "create", "--config", "dure.toml", "--email", "root@example.org"};
    const auto made = server.run(command);
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_FALSE(made.out.empty()) << "the password made for it is shown once";
    EXPECT_EQ(server.run(command).code, 1);
}

}  // namespace lifecycle
}  // namespace dure::test

// `dure graph run` as a program: events as JSON lines, threads that last from one process to the next, exit codes.
#include <gtest/gtest.h>

#include <sstream>

#include "dure/base/json.hpp"
#include "support/scripted_upstream.hpp"
#include "support/server_on_postgres.hpp"

namespace dure::test {

namespace {

constexpr auto asking_graph = R"({"channels": {"log": {"reducer": "append", "initial": []}},
 "nodes": {"p": {"function": "write", "config": {"values": {"log": "p"}}},
           "q": {"function": "ask", "config": {"question": "may I?", "to": "log"}}},
 "edges": [["START", "p"], ["p", "q"], ["q", "END"]]})";

class GraphCommand : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override
    {
        write("graph.json", asking_graph);
        write("input.json", R"({"log": ["i"]})");
        const bool embedded = std::string(GetParam()) == "sqlite";
        database_ = embedded ? "sqlite:" + (folder_.path() / "dure.db").string() : fresh_schema();
        if (!embedded)
            environment_ = {{"SECRET_KEY", "a secret key of 32 bytes or more, the same everywhere"}};
    }
    void write(const std::string& name, const std::string& text) { std::ofstream(folder_.path() / name) << text; }
    Finished graph_run(std::vector<std::string> arguments)
    {
        arguments.insert(arguments.begin(), {"graph", "run"});
        return run_command(folder_.path(), arguments, environment_);
    }
    static std::vector<Json> lines(const Finished& finished)
    {
        std::vector<Json> all;
        std::istringstream text(finished.out);
        for (std::string line; std::getline(text, line);)
            all.push_back(Json::parse(line));
        return all;
    }

    // p is done at once, slow works for a minute.
    void write_slow_graph() { write("slow.json", slow_graph(60'000)); }
    static std::string slow_graph(int milliseconds)
    {
        return R"({"channels": {"log": {"reducer": "append", "initial": []}},
            "nodes": {"p": {"function": "write", "config": {"values": {"log": "p"}}},
                      "slow": {"function": "wait", "config": {"milliseconds": )" +
               std::to_string(milliseconds) + R"(}}}, "edges": [["START", "p"], ["START", "slow"]]})";
    }
    std::vector<std::string> on_slow_thread(std::vector<std::string> more) const
    {
        std::vector<std::string> arguments{"--graph", "slow.json", "--thread", "t", "--database", database_};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    // No dead run is found: it would be told from its first event.
    void goes_on_behind_p()
    {
        write("slow.json", slow_graph(1));
        const auto last = graph_run(on_slow_thread({}));
        EXPECT_EQ(last.code, 0) << last.err << last.out;
        const auto told = lines(last);
        ASSERT_EQ(told.size(), 3U) << last.out;
        EXPECT_EQ(told[0].at("seq"), 1);
        EXPECT_EQ(told[0].at("data").at("__metadata__").at("cached"), true) << "p is not executed again";
        EXPECT_EQ(told[2].at("output").at("log"), Json::parse(R"(["i", "p"])"));
    }

    TemporaryFolder folder_;
    std::string database_;
    Environment environment_;
    bool begun_ = false;
};

}  // namespace

TEST_P(GraphCommand, AThreadGoesOnInTheNextProcess)
{
    const auto first =
        graph_run({"--graph", "graph.json", "--input", "input.json", "--thread", "t", "--database", database_});
    ASSERT_EQ(first.code, 0) << first.err;
    const auto asked = lines(first);
    ASSERT_EQ(asked.size(), 3U) << first.out;
    EXPECT_EQ(asked[0], Json::parse(R"({"seq": 1, "ns": "", "mode": "updates", "data": {"p": {"log": "p"}}})"));
    EXPECT_EQ(asked[1].at("data").at("__interrupt__").at(0).at("value"), "may I?");
    EXPECT_EQ(asked[2].at("status"), "interrupted");
    const auto second = graph_run({"--graph", "graph.json", "--thread", "t", "--database", database_, "--resume",
                                   "false", "--modes", "updates,values"});
    ASSERT_EQ(second.code, 0) << second.err;
    const auto answered = lines(second);
    ASSERT_EQ(answered.size(), 3U) << second.out;
    EXPECT_EQ(answered[0].at("data"), Json::parse(R"({"q": {"log": false}})"));
    EXPECT_EQ(answered[1].at("mode"), "values");
    EXPECT_EQ(answered[2].at("status"), "success");
    EXPECT_EQ(answered[2].at("output").at("log"), Json::parse(R"(["i", "p", false])"));
    const auto forked = graph_run({"--graph", "graph.json", "--thread", "t", "--database", database_, "--from",
                                   asked[2].at("checkpoint").get<std::string>()});
    ASSERT_EQ(forked.code, 0) << forked.err;
    EXPECT_EQ(lines(forked).back().at("status"), "interrupted") << "the fork asks again";
}

// Each run is one process. The first is at work in `slow` when the second comes, and is killed before the third.
TEST_P(GraphCommand, AThreadIsMovedOnByOneProcessAtATimeAndADeadOnesRunIsFinishedByTheNext)
{
    write("slow.json", R"({"channels": {"log": {"reducer": "append", "initial": []}},
        "nodes": {"p": {"function": "write", "config": {"values": {"log": "p"}}},
                  "slow": {"function": "wait", "config": {"milliseconds": 6000}}},
        "edges": [["START", "p"], ["START", "slow"]]})");
    const std::vector<std::string> on_thread{"--graph", "slow.json", "--thread", "t", "--database", database_};
    auto first = on_thread;
    first.insert(first.begin(), {"graph", "run"});
    first.insert(first.end(), {"--input", "input.json"});
    const TemporaryFolder output;
    const auto pid = spawn(folder_.path(), output.path(), first, environment_);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (read_file(output.path() / "out.txt").find("\"p\"") == std::string::npos &&
           std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto second = graph_run(on_thread);
    EXPECT_EQ(second.code, 1) << second.err;
    EXPECT_EQ(lines(second).back().at("error").at("code"), "THREAD_BUSY") << second.out;
    ::kill(pid, SIGKILL);
    wait_for_exit(pid);
    EXPECT_EQ(read_file(output.path() / "out.txt").find("\"status\""), std::string::npos) << "it was still at work";
    const auto third = graph_run(on_thread);
    ASSERT_EQ(third.code, 0) << third.err << third.out;
    const auto told = lines(third);
    ASSERT_EQ(told.size(), 4U) << third.out;
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(told[i].at("seq"), i + 1);
    EXPECT_EQ(told[0].at("data"), Json::parse(R"({"p": {"log": "p"}})"));
    EXPECT_EQ(told[1].at("data").at("__metadata__").at("cached"), true) << "p is not executed again";
    EXPECT_EQ(told[2].at("data"), Json::parse(R"({"slow": null})"));
    EXPECT_EQ(told[3].at("status"), "success");
    EXPECT_EQ(told[3].at("output").at("log"), Json::parse(R"(["i", "p"])"));
}

// As often as that a run that died would be given up (D9).
TEST_P(GraphCommand, F7_ASignalCancelsTheRunAndTheNextProcessGoesOnWithIt)
{
    write_slow_graph();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGINT}) {
        auto arguments = on_slow_thread({"--modes", "tasks"});
        if (!std::exchange(begun_, true))
            arguments.insert(arguments.end(), {"--input", "input.json"});
        arguments.insert(arguments.begin(), {"graph", "run"});
        const TemporaryFolder output;
        const auto pid = spawn(folder_.path(), output.path(), arguments, environment_);
        const auto at_work = [&] {
            const auto out = read_file(output.path() / "out.txt");
            return out.find(R"("name":"slow")") != std::string::npos &&
                   out.find(R"("event":"end")") != std::string::npos;
        };
        ASSERT_TRUE(eventually(at_work)) << read_file(output.path() / "out.txt")
                                         << read_file(output.path() / "err.txt");
        ::kill(pid, signal);
        EXPECT_EQ(wait_for_exit(pid), 128 + signal);
        const auto told = lines({0, read_file(output.path() / "out.txt"), ""});
        EXPECT_EQ(told.back().at("status"), "cancelled") << told.back();
        EXPECT_EQ(told.back().at("next"), Json::parse(R"(["slow"])"));
    }
    goes_on_behind_p();
}

TEST_P(GraphCommand, F7_AReaderThatGoesAwayCancelsTheRunToo)
{
    write_slow_graph();
    std::string command = "cd '" + folder_.path().string() + "' && ";
    for (const auto& [name, value] : environment_)
        command += name + "='" + value + "' ";
    command += "'" + binary() + "' graph run";
    for (const auto& word : on_slow_thread({"--modes", "tasks", "--input", "input.json"}))
        command += " '" + word + "'";
    ASSERT_EQ(std::system((command + " 2>err.txt | head -n 1 >first.txt").c_str()), 0);
    EXPECT_EQ(Json::parse(read_file(folder_.path() / "first.txt")).at("data").at("event"), "start");
    goes_on_behind_p();
}

TEST_P(GraphCommand, S6_WhatIsNoChannelIsToldOnStandardError)
{
    write("graph.json", R"({"channels": {"log": {"reducer": "append", "initial": []}},
        "nodes": {"p": {"function": "write", "config": {"values": {"log": "p", "lgo": "p"}}}}, "edges": [["START", "p"]]})");
    const std::vector<std::string> in_memory{"--graph", "graph.json", "--input", "input.json"};
    auto on_thread = in_memory;
    on_thread.insert(on_thread.end(), {"--thread", "t", "--database", database_});
    for (const auto& arguments : {in_memory, on_thread}) {
        const auto finished = graph_run(arguments);
        EXPECT_EQ(finished.code, 0) << finished.err;
        EXPECT_EQ(finished.err, "dure: warning: node 'p' wrote 'lgo', which is no channel\n");
    }
}

TEST_P(GraphCommand, I5_AnAnswerToOneOfSeveralQuestionsIsToldWhichAreOpen)
{
    write("graph.json", R"({"channels": {"log": {"reducer": "append", "initial": []}},
        "nodes": {"p": {"function": "ask", "config": {"question": "a?", "to": "log"}},
                  "q": {"function": "ask", "config": {"question": "b?", "to": "log"}}},
        "edges": [["START", "p"], ["START", "q"]]})");
    std::vector<std::string> arguments{"--graph", "graph.json", "--thread", "t", "--database", database_};
    auto first = arguments;
    first.insert(first.end(), {"--input", "input.json"});
    const auto asked = graph_run(first);
    ASSERT_EQ(asked.code, 0) << asked.err;
    arguments.insert(arguments.end(), {"--resume", "true"});
    const auto refused = graph_run(arguments);
    EXPECT_EQ(refused.code, 1);
    const auto error = lines(refused).back().at("error");
    EXPECT_EQ(error.at("code"), "AMBIGUOUS_RESUME");
    const auto open = lines(asked).back().at("interrupts");
    EXPECT_EQ(open.size(), 2U);
    for (const auto& interrupt : open) {
        const auto named =
            interrupt.at("id").get<std::string>() + " (node '" + interrupt.at("node").get<std::string>() + "')";
        EXPECT_NE(error.at("message").get<std::string>().find(named), std::string::npos) << named << " in " << error;
    }
}

// The process is killed while the receiver does not answer; the next command of the thread, whatever it runs, posts the end.
TEST_P(GraphCommand, X5_TheEndOfARunIsPostedToItsWebhookAlsoByTheNextProcess)
{
    ScriptedUpstream receiver;
    receiver.enqueue({hang()});
    receiver.handle([](const auto&) { return Script{send(http_answer(200, "text/plain", "noted"))}; });
    std::filesystem::create_directory(folder_.path() / "config");
    write("config/dure.toml", "[egress]\nallow = [\"127.0.0.1:" + std::to_string(receiver.port()) + "\"]\n");
    const std::vector<std::string> on_thread{"graph", "run", "--graph", "graph.json", "--thread", "t", "--database", database_};
    auto first = on_thread;
    first.insert(first.end(), {"--input", "input.json", "--webhook", receiver.base() + "/hook"});
    const TemporaryFolder output;
    const auto pid = spawn(folder_.path(), output.path(), first, environment_);
    EXPECT_TRUE(receiver.wait_until([&] { return receiver.request_count() == 1; }, std::chrono::seconds(20)))
        << read_file(output.path() / "err.txt");
    ::kill(pid, SIGKILL);
    wait_for_exit(pid);
    EXPECT_NE(read_file(output.path() / "out.txt").find("\"interrupted\""), std::string::npos) << "it had ended";
    auto second = on_thread;
    second.insert(second.end(), {"--resume", "true"});
    const auto finished = run_command(folder_.path(), second, environment_);
    EXPECT_EQ(finished.code, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    const auto requests = receiver.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    const auto body = Json::parse(requests[1].body);
    EXPECT_EQ(body.at("thread_id"), "t");
    EXPECT_EQ(body.at("status"), "interrupted");
    EXPECT_EQ(body.at("output").at("__interrupt__").at(0).at("value"), "may I?");
}

INSTANTIATE_TEST_SUITE_P(Drivers, GraphCommand, testing::Values("sqlite", "postgres"),
                         [](const auto& info) { return std::string(info.param); });

TEST(GraphCommandWords, ASignalEndsARunInMemoryWithItsOutcome)
{
    const TemporaryFolder folder;
    std::ofstream(folder.path() / "slow.json")
        << R"({"nodes": {"slow": {"function": "wait", "config": {"milliseconds": 60000}}},
        "channels": {"log": {}}, "edges": [["START", "slow"]]})";
    std::ofstream(folder.path() / "input.json") << R"({"log": 1})";
    const TemporaryFolder output;
    const auto pid = spawn(folder.path(), output.path(),
                           {"graph", "run", "--graph", "slow.json", "--input", "input.json", "--modes", "tasks"}, {});
    ASSERT_TRUE(eventually([&] { return read_file(output.path() / "out.txt").find("start") != std::string::npos; }));
    ::kill(pid, SIGINT);
    EXPECT_EQ(wait_for_exit(pid), 130);
    EXPECT_NE(read_file(output.path() / "out.txt").find(R"("status":"cancelled")"), std::string::npos);
    EXPECT_NE(read_file(output.path() / "err.txt").find("is being stopped"), std::string::npos);
}

TEST(GraphCommandWords, ExitCodesTellFailuresFromWrongCommands)
{
    const TemporaryFolder folder;
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream(folder.path() / name) << text;
    };
    write("graph.json", asking_graph);
    write("input.json", R"({"log": ["i"]})");
    write("broken.json", "{");
    write("deep.json", R"({"log":)" + std::string(20000, '[') + std::string(20000, ']') + "}");
    write("twice.json",
          R"({"channels": {"log": {}}, "nodes": {"p": {"function": "write", "config": {"values": {"log": "1"}}},
                            "p": {"function": "write", "config": {"values": {"log": "2"}}}}, "edges": [["START", "p"]]})");
    write("wrong.json", R"({"nodes": {"p": {"function": "nobody knows"}}})");
    const struct {
        std::vector<std::string> arguments;
        int code;
        std::string said;
    } cases[] = {
        {{"--graph", "graph.json", "--input", "input.json"}, 1, ""},
        {{}, 2, "--graph"},
        {{"--graph", "missing.json"}, 2, "missing.json"},
        {{"--graph", "."}, 2, ". cannot be read"},
        {{"--graph", "broken.json"}, 2, "broken.json"},
        {{"--graph", "graph.json", "--input", "deep.json"}, 2, "deep.json is not JSON: "},
        {{"--graph", "wrong.json"}, 2, "nodes.p.function"},
        {{"--graph", "twice.json", "--input", "input.json"}, 2, ", in nodes.p."},
        {{"--graph", "graph.json", "--input", "broken.json"}, 2, "broken.json"},
        {{"--graph", "graph.json", "--input", "input.json", "--modes", "all"}, 2, "all"},
        {{"--graph", "graph.json", "--resume", "1"}, 2, "--thread"},
        {{"--graph", "graph.json", "--webhook", "https://example.com/"}, 2, "--thread"},
        {{"--graph", "graph.json", "--thread", "t", "--webhook", "http://10.1.2.3/"},
         2,
         "--webhook: Requests to private"},
        {{"--graph", "graph.json", "--thread", "t", "--webhook", "example.com"}, 2, "--webhook: "},
    };
    for (const auto& one : cases) {
        auto arguments = one.arguments;
        arguments.insert(arguments.begin(), {"graph", "run"});
        const auto finished = run_command(folder.path(), arguments);
        EXPECT_EQ(finished.code, one.code) << finished.err;
        EXPECT_NE((finished.err + finished.out).find(one.said), std::string::npos) << finished.err;
    }
}

}  // namespace dure::test

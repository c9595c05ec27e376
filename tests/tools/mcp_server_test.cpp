// MCP servers under supervision: a shell as a server over pipes, a scripted one over HTTP. Answers that are too long, calls
// while the connection is made again, answers of others, reloads of the silent.
#include <gmock/gmock.h>

#include "dure/tools/toolbox.hpp"
#include "support/run_on_core.hpp"
#include "support/scripted_upstream.hpp"
#include "support/temporary_folder.hpp"

namespace dure::tools {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// It knows the tools big, pid and die; once it has died it does not start while $BROKEN exists. Of tools/list it answers
// the first $LISTS.
constexpr const char* program = R"sh(
[ -e "$BROKEN" ] && exit 1
while IFS= read -r line; do
  id=${line#*'"id":'}; id=${id%%[,\}]*}
  text() { printf '{"result":{"content":[{"type":"text","text":"%s"}]},"jsonrpc":"2.0","id":%s}\n' "$1" "$id"; }
  case $line in
  *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}\n' "$id";;
  *'"tools/list"'*)
    LISTS=$((LISTS-1))
    [ $LISTS -lt 0 ] || printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"big"},{"name":"pid"},{"name":"die"}]}}\n' "$id";;
  *'"name":"big"'*) text "$(head -c 4200000 /dev/zero | tr '\0' x)";;
  *'"name":"pid"'*) text $$;;
  *'"name":"die"'*) [ -z "$BREAK" ] || : > "$BROKEN"; exit 0;;
  esac
done)sh";

class McpServerTest : public testing::Test {
protected:
    McpServerTest()
    {
        settings.directory = (folder.path() / "none").string();
        settings.variables.emplace("PATH", SecretString("/usr/local/bin:/usr/bin:/bin"));
        caller.may_execute = true;
        cores.start();
    }
    ~McpServerTest() override
    {
        if (toolbox)
            toolbox->stop(Deadline::after(2s));  // the silent one is not waited for longer
        cores.stop();
        cores.join();
    }

    config::McpServer& add(const std::string& name)
    {
        config::McpServer server;
        server.name = name;
        server.command = {"/bin/sh", "-c", program};
        server.env = {{"BROKEN", (folder.path() / "broken").string()}, {"LISTS", "1000"}};
        settings.mcp.push_back(std::move(server));
        return settings.mcp.back();
    }
    void add_http()
    {
        config::McpServer server;
        server.name = "far";
        server.transport = "http";
        server.url = upstream.base() + "/mcp";
        settings.mcp.push_back(std::move(server));
    }
    void start()
    {
        registry.emplace(logger, settings);
        toolbox = Toolbox::make({cores, client, egress, *registry, logger, settings}).value();
        toolbox->start(20s);
    }
    Outcome call(const std::string& tool)
    {
        Outcome outcome;
        test::run_on_core(cores, [&]() -> Task<void> { outcome = co_await registry->execute(tool, "{}", caller); });
        return outcome;
    }
    ReloadReport reload(Steady::duration patience)
    {
        ReloadReport report;
        test::run_on_core(cores, [&]() -> Task<void> { report = co_await toolbox->reload(patience); });
        return report;
    }

    test::TemporaryFolder folder;
    test::ScriptedUpstream upstream;
    Logger logger{{LogLevel::error, true, "/dev/null"}};
    Cores cores{1};
    http::Client client{cores, http::ClientOptions()};
    http::EgressPolicy egress =
        http::EgressPolicy::make({{"127.0.0.1:" + std::to_string(upstream.port())}, {80, 443}, {}, 0}).value();
    config::Tools settings;
    std::optional<Registry> registry;  // it takes its time limit from the settings when it is made
    Caller caller;
    std::unique_ptr<Toolbox> toolbox;
};

// The scripted server over HTTP: initialize, a list with the tool "far_call", and for calls what `answer` makes of the id.
test::Script over_http(const test::RecordedRequest& request, const std::function<std::string(std::int64_t)>& answer)
{
    if (request.method != "POST")
        return {test::send(test::http_answer(405, "text/plain", ""))};
    const auto message = Json::parse(request.body);
    const auto id = message.value("id", std::int64_t(0));
    const auto result = [&](Json value) {
        return test::http_answer(200, "application/json",
                                 dump(Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(value)}}));
    };
    if (message.at("method") == "initialize")
        return {test::send(result({{"protocolVersion", "2025-06-18"}, {"capabilities", Json::object()}}))};
    if (message.at("method") == "tools/list")
        return {test::send(result({{"tools", {{{"name", "far_call"}}}}}))};
    if (message.at("method") == "tools/call")
        return {test::send(answer(id))};
    return {test::send(test::http_answer(202, "text/plain", ""))};
}

std::string said(std::int64_t id, const std::string& text)
{
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":{"content":[{"type":"text","text":")" +
           text + R"("}]}})";
}

TEST_F(McpServerTest, AnAnswerThatIsTooLongCostsItsCallAndNotTheServer)
{
    add("near");
    start();
    const auto before = call("pid");
    ASSERT_TRUE(before.success) << before.error;
    const auto big = call("big");
    EXPECT_FALSE(big.success);
    EXPECT_THAT(big.error, HasSubstr("larger than 4 MiB"));
    EXPECT_EQ(call("pid").result, before.result);
}

TEST_F(McpServerTest, ACallWaitsForTheConnectionThatIsMadeAgain)
{
    add("near");
    start();
    const auto before = call("pid");
    ASSERT_TRUE(before.success) << before.error;
    EXPECT_FALSE(call("die").success);
    const auto after = call("pid");
    EXPECT_TRUE(after.success) << after.error;
    EXPECT_NE(after.result, before.result);
}

TEST_F(McpServerTest, ACallThatWaitsInVainSaysWhyBeforeItsTimeIsOver)
{
    add("near").env["BREAK"] = "yes";
    settings.timeout =
        config::Milliseconds(3000);  // a quarter of a second of it is for saying why: enough for a busy machine
    start();
    EXPECT_FALSE(call("die").success);
    const auto after = call("pid");
    EXPECT_FALSE(after.success);
    EXPECT_THAT(after.error, HasSubstr("the tool server 'near' is not connected")) << after.duration_ms << " ms";
    EXPECT_GT(after.duration_ms, 1000) << "it has waited";
}

TEST_F(McpServerTest, AReloadNamesAServerThatIsSilentAndNotTheOthers)
{
    add("silent").env["LISTS"] = "1";
    add("near");
    start();
    const auto report = reload(2s);
    ASSERT_EQ(report.failed.size(), 1u);
    EXPECT_EQ(report.failed[0].source, "mcp:silent");
    EXPECT_THAT(report.failed[0].message, HasSubstr("did not answer within 2000 ms"));
}

TEST_F(McpServerTest, AnAnswerOfAnotherRequestInAStreamIsNotTheEndOfIt)
{
    add_http();
    upstream.handle([](const test::RecordedRequest& request) {
        if (request.body.find("tools/call") == std::string::npos)
            return over_http(request, {});
        const auto id = Json::parse(request.body).at("id").get<std::int64_t>();
        return test::Script{test::send(test::chunked_head(200, "text/event-stream") +
                                       test::chunk("data: " + said(4711, "foreign") + "\n\n")),
                            test::pause(400ms),
                            test::send(test::chunk("data: " + said(id, "mine") + "\n\n") + "0\r\n\r\n")};
    });
    start();
    const auto outcome = call("far_call");
    EXPECT_TRUE(outcome.success) << outcome.error;
    EXPECT_EQ(outcome.result, "mine");
}

TEST_F(McpServerTest, AnAnswerToAnotherRequestFailsAtOnce)
{
    add_http();
    upstream.handle([](const test::RecordedRequest& request) {
        return over_http(request, [](std::int64_t id) {
            return test::http_answer(200, "application/json", said(id + 1, "foreign"));
        });
    });
    start();
    const auto outcome = call("far_call");
    EXPECT_FALSE(outcome.success);
    EXPECT_THAT(outcome.error, HasSubstr("not that to the request"));
}

}  // namespace
}  // namespace dure::tools

// A conversation with a server that is a function: whose answer is whose, lists that do not end.
#include "tools/mcp/session.hpp"

#include <gmock/gmock.h>

#include "dure/base/task_group.hpp"
#include "support/run_task.hpp"

namespace dure::tools::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FakeTransport final : public Transport {
public:
    using Server = std::function<void(const Json& request, TransportEvents& client)>;
    FakeTransport(Server server, TransportEvents events) : server_(std::move(server)), events_(std::move(events)) {}

    Task<Result<void>> open() override { co_return Result<void>(); }
    Task<Result<void>> send(std::string message, std::optional<std::int64_t>, Deadline) override
    {
        server_(Json::parse(message), events_);
        co_return Result<void>();
    }
    void initialized(const std::string&) override {}
    Task<void> close(Deadline) override { co_return; }

private:
    Server server_;
    TransportEvents events_;
};

Json answer(const Json& request, Json result)
{
    return {{"jsonrpc", "2.0"}, {"id", request.at("id")}, {"result", std::move(result)}};
}

// Runs `talk` with a session whose server is `server`.
void with_session(const FakeTransport::Server& server, const std::function<Task<void>(Session&)>& talk)
{
    test::run([&]() -> Task<void> {
        const auto session = Session::make(co_await boost::asio::this_coro::executor, {}, [&](TransportEvents events) {
            return std::make_unique<FakeTransport>(server, std::move(events));
        });
        co_await talk(*session);
        co_await session->close(Deadline::after(std::chrono::seconds(1)));
    });
}

Task<void> call(Session& session, std::string name, std::string& said)
{
    const auto result = co_await session.call_tool(name, Json::object(), "", Deadline::after(std::chrono::seconds(10)));
    said = result ? result->get<std::string>() : result.error().message();
}

// Three calls; the first two wait until the third comes, which says what `end` does.
std::vector<std::string> three_calls(const std::function<void(const std::vector<Json>&, TransportEvents&)>& end)
{
    std::vector<std::string> said(3);
    std::vector<Json> asked;
    with_session(
        [&](const Json& request, TransportEvents& client) {
            asked.push_back(request);
            if (asked.size() == 3)
                end(asked, client);
        },
        [&](Session& session) -> Task<void> {
            TaskGroup calls(co_await boost::asio::this_coro::executor);
            for (int i = 0; i < 3; ++i)
                calls.spawn(call(session, "t" + std::to_string(i), said[i]));
            co_await calls.wait();
        });
    return said;
}

Json text_of(const std::string& text)
{
    return {{"content", {{{"type", "text"}, {"text", text}}}}};
}

TEST(McpSession, AnAnswerThatIsTooLongFailsItsOwnCall)
{
    const auto said = three_calls([](const std::vector<Json>& asked, TransportEvents& client) {
        client.on_too_long(asked[1].at("id").get<std::int64_t>());
        client.on_too_long(4711);  // nobody's: given up meanwhile
        client.on_message(answer(asked[2], text_of("third")));
        client.on_message(answer(asked[0], text_of("first")));
    });
    EXPECT_THAT(said, ElementsAre("first", HasSubstr("larger than 4 MiB"), "third"));
}

TEST(McpSession, AnAnswerThatIsTooLongAndNobodysFailsAllThatWait)
{
    const auto said = three_calls([](const std::vector<Json>& asked, TransportEvents& client) {
        client.on_message(answer(asked[0], text_of("first")));
        client.on_too_long({});
    });
    EXPECT_THAT(said, ElementsAre("first", HasSubstr("larger than 4 MiB"), HasSubstr("larger than 4 MiB")));
}

TEST(McpSession, AListThatRepeatsItselfIsReadOnce)
{
    for (const int period : {1, 2}) {
        int pages = 0;
        std::vector<std::string> problems;
        std::vector<ToolInfo> tools;
        with_session(
            [&](const Json& request, TransportEvents& client) {
                client.on_message(answer(request, {{"tools", {{{"name", "t" + std::to_string(pages)}}}},
                                                   {"nextCursor", "c" + std::to_string(pages % period)}}));
                ++pages;
            },
            [&](Session& session) -> Task<void> {
                const auto listed = co_await session.list_tools(problems, Deadline::after(std::chrono::seconds(10)));
                if (listed)
                    tools = *listed;
            });
        EXPECT_EQ(pages, period + 1);
        EXPECT_EQ(tools.size(), static_cast<std::size_t>(period + 1));
        EXPECT_THAT(problems, ElementsAre(HasSubstr("nextCursor"))) << period;
    }
}

}  // namespace
}  // namespace dure::tools::mcp

// What an MCP server says without a server: lines of its output however they are cut, answers too large to be kept, and a
// conversation over a transport that answers as the test wants.
#include <gtest/gtest.h>

#include "support/run_task.hpp"
#include "tools/mcp/session.hpp"
#include "tools/mcp/stdio_transport.hpp"

namespace dure::tools::mcp {
namespace {

// "line", or "head~tail" of one that was cut.
std::vector<std::string> lines_of(const std::string& bytes, std::size_t piece, std::size_t longest)
{
    LineReader reader(longest);
    std::vector<std::string> all;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(std::string_view(bytes).substr(at, piece));
        std::string_view line;
        for (auto got = reader.next(line); got != LineReader::Got::nothing; got = reader.next(line))
            all.push_back((got == LineReader::Got::cut ? std::string(reader.head()) + "~" : "") + std::string(line));
    }
    return all;
}

TEST(McpLines, ALineThatIsTooLongIsCutAndTheNextIsRead)
{
    const std::string head(256, 'h'), middle(5000, 'm'), tail(256, 't');
    const auto bytes = "first\r\n" + head + middle + tail + "\nsecond\n" + std::string(1024, 'x') + "\n" +
                       std::string(1025, 'y') + "\nlast\nnever ended";
    const std::vector<std::string> expected{"first",
                                            head + "~" + tail,
                                            "second",
                                            std::string(1024, 'x'),
                                            std::string(256, 'y') + "~" + std::string(256, 'y'),
                                            "last"};
    for (const std::size_t piece : {1u, 2u, 7u, 255u, 256u, 257u, 1024u, 1025u, 100000u})
        EXPECT_EQ(lines_of(bytes, piece, 1024), expected) << piece;
}

TEST(McpLines, TheIdOfACutAnswerIsThatOfTheMessageNotOfAnythingInIt)
{
    const std::string inside = R"("content":[{"id":5}],"id":6)";
    EXPECT_EQ(id_of_cut(R"({"jsonrpc":"2.0","id":17,"result":{)" + inside, "}}"), 17);
    EXPECT_EQ(id_of_cut(R"( { "id" : 17 , "result":{)", inside + "}}"), 17);
    EXPECT_EQ(id_of_cut(R"({"result":{)" + inside, R"(},"jsonrpc":"2.0","id":17})"), 17);
    EXPECT_EQ(id_of_cut(R"({"result":{)", R"(},"id":17,"jsonrpc":"2.0"} )"), 17);
    EXPECT_EQ(id_of_cut(R"({"jsonrpc":"2.0","result":{)" + inside, inside + "}}"), std::nullopt);
    EXPECT_EQ(id_of_cut(R"({"jsonrpc":"2.0","method":"x","params":{"id":3,)", "}}"), std::nullopt);
}

// Answers initialize; what it does with other requests is the test's.
class ScriptedTransport final : public Transport {
public:
    using Answers = std::function<void(const TransportEvents&, const Json& request)>;
    ScriptedTransport(TransportEvents events, Answers answers)
        : events_(std::move(events)), answers_(std::move(answers))
    {}
    Task<Result<void>> open() override { co_return Result<void>(); }
    Task<Result<void>> send(std::string message, std::optional<std::int64_t> request, Deadline) override
    {
        const auto sent = Json::parse(message);
        if (request && sent.at("method") == "initialize")
            events_.on_message({{"id", *request}, {"result", {{"protocolVersion", newest_version}}}});
        else if (request)
            answers_(events_, sent);
        co_return Result<void>();
    }
    void initialized(const std::string&) override {}
    Task<void> close(Deadline) override { co_return; }

private:
    const TransportEvents events_;
    const Answers answers_;
};

// Talks to a server that answers so.
template <class Talk>
void with_server(ScriptedTransport::Answers answers, Talk talk)
{
    dure::test::run([&]() -> Task<void> {
        const auto executor = co_await boost::asio::this_coro::executor;
        const auto session = Session::make(executor, {}, [&](TransportEvents events) {
            return std::make_unique<ScriptedTransport>(std::move(events), answers);
        });
        const auto connected = co_await session->connect(Deadline::after(std::chrono::seconds(5)));
        EXPECT_TRUE(connected.has_value());
        co_await talk(*session);
        co_await session->close(Deadline::after(std::chrono::seconds(5)));
    });
}

TEST(McpSession, AnAnswerThatIsTooLargeFailsItsOwnCallAtOnce)
{
    for (const bool known : {true, false}) {
        const auto answer = [known](const TransportEvents& events, const Json& request) {
            const auto id = request.at("id").get<std::int64_t>();
            if (request.at("params").at("name") == "large")
                events.on_too_large(known ? std::optional(id) : std::nullopt);
            else
                events.on_message({{"id", id}, {"result", {{"content", Json::array()}}}});
        };
        with_server(answer, [](Session& session) -> Task<void> {
            const auto deadline = Deadline::after(std::chrono::minutes(10));  // not waited for
            const auto large = co_await session.call_tool("large", Json::object(), "", deadline);
            EXPECT_FALSE(large.has_value());
            if (!large)
                EXPECT_NE(large.error().message().find("4 MiB"), std::string::npos) << large.error().message();
            const auto next = co_await session.call_tool("small", Json::object(), "", deadline);
            EXPECT_TRUE(next.has_value());
        });
    }
}

TEST(McpSession, APageThatLeadsToItselfIsTheLast)
{
    int pages = 0;
    const auto answer = [&](const TransportEvents& events, const Json& request) {
        ++pages;
        const Json tools = Json::array({{{"name", "tool" + std::to_string(pages)}}});
        events.on_message({{"id", request.at("id")}, {"result", {{"tools", tools}, {"nextCursor", "again"}}}});
    };
    with_server(answer, [&](Session& session) -> Task<void> {
        std::vector<std::string> problems;
        const auto tools = co_await session.list_tools(problems, Deadline::after(std::chrono::seconds(5)));
        EXPECT_TRUE(tools.has_value());
        EXPECT_EQ(problems.size(), 1u);
        EXPECT_EQ(pages, 2);
    });
}

TEST(McpAnswers, DataThatIsLeftOutIsToldByItsSize)
{
    const auto list = Json::parse(R"([{"type":"image","data":"AAAA"},
        {"type":"resource","resource":{"uri":"a","blob":"BBBBBBBB"}}])");
    const auto shown = read_call({{"content", list}});
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->at(0).at("data"), "[4 characters of base64 left out]");
    EXPECT_EQ(shown->at(1).at("resource").at("blob"), "[8 characters of base64 left out]");
}

}  // namespace
}  // namespace dure::tools::mcp

// Lines of a program however they arrive; one that is too long is passed over, and whose answer it was is found in passing.
#include "tools/mcp/line_reader.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dure::tools::mcp {
namespace {

using Found = LineReader::Found;

// What the reader gives of the text in pieces of `size`: lines as they are, "too long: ID" of those passed over.
std::vector<std::string> read(std::string_view text, std::size_t longest, std::size_t size)
{
    LineReader reader(longest);
    std::vector<std::string> seen;
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), size))) {
        reader.feed(text.substr(0, size));
        std::string_view line;
        for (auto found = reader.next(line); found != Found::nothing; found = reader.next(line)) {
            const auto id = reader.skipped().response_id();
            seen.push_back(found == Found::line ? std::string(line) : "too long: " + (id ? std::to_string(*id) : "?"));
        }
    }
    return seen;
}

std::optional<std::int64_t> id_of(std::string_view message)
{
    IdFinder finder;
    for (const char c : message)
        finder.feed({&c, 1});
    return finder.response_id();
}

TEST(LineReader, GivesLinesHoweverTheyArrive)
{
    for (const std::size_t size : {1, 2, 3, 100})
        EXPECT_EQ(read("one\r\n\ntwo\nrest", 4, size), (std::vector<std::string>{"one", "", "two"})) << size;
}

TEST(LineReader, PassesOverALineThatIsTooLongAndGoesOn)
{
    const auto text = "{\"id\":7,\"result\":\"" + std::string(500, 'x') + "\"}\nnext\n";
    for (const std::size_t size : {1, 7, 100, 1000})
        EXPECT_EQ(read(text, 100, size), (std::vector<std::string>{"too long: 7", "next"})) << size;
}

TEST(LineReader, TheBoundIsThatOfTheLineWithoutItsEnd)
{
    for (const std::size_t size : {1, 4, 100})
        EXPECT_EQ(read("1234\n1234\r\n12345\n12345\r\n1234\r5\nend\n", 4, size),
                  (std::vector<std::string>{"1234", "1234", "too long: ?", "too long: ?", "too long: ?", "end"}))
            << size;
}

TEST(IdFinder, FindsTheOutermostIdWhereverItStands)
{
    EXPECT_EQ(id_of(R"({"jsonrpc":"2.0","id":12,"result":{"id":3}})"), 12);
    EXPECT_EQ(id_of(R"({"result":{"content":[{"id":3,"text":"\"id\":4,\\"}]},"jsonrpc":"2.0", "id" : 12 })"), 12);
    EXPECT_EQ(id_of(R"({"result":"}","id":5})"), 5);
    EXPECT_EQ(id_of(R"({"error":{"code":-1,"message":"id"},"id":9})"), 9);
}

TEST(IdFinder, FindsNoneWhereThereIsNone)
{
    for (const auto* text : {"", "x", "{}", R"({"id":"7","result":1})", R"({"id":null})", R"({"id":{"id":7}})",
                             R"([{"id":7,"result":1}])", R"({"id":7.5})", R"({"result":{"id":7}})",
                             R"({"id":99999999999999999999999999})", R"({"id":7,"method":"ping"})"})
        EXPECT_EQ(id_of(text), std::nullopt) << text;
    IdFinder request;
    request.feed(R"({"method":"sampling/createMessage","id":7})");
    EXPECT_TRUE(request.is_call());
}

}  // namespace
}  // namespace dure::tools::mcp

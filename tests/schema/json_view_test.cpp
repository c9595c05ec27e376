// JsonView: reading values in place, and staying inside of texts that are no JSON.
#include "dure/schema/json_view.hpp"

#include <gmock/gmock.h>

namespace dure::schema {

using testing::ElementsAre;

TEST(JsonView, TellsTheKindOfAValue)
{
    const std::vector<std::pair<std::string, JsonKind>> cases = {
        {"null", JsonKind::null},   {"true", JsonKind::boolean}, {" false ", JsonKind::boolean},
        {"-1", JsonKind::number},   {"\"\"", JsonKind::string},  {"[]", JsonKind::array},
        {"\n{}", JsonKind::object}, {"", JsonKind::invalid},     {"x", JsonKind::invalid}};
    for (const auto& [text, kind] : cases)
        EXPECT_EQ(JsonView(text).kind(), kind) << text;
}

TEST(JsonView, FindsMembersByDecodedKeyAndGivesTheirExactText)
{
    const std::string text =
        R"( { "a" : [1, {"model":"no"}] , "model": "gpt" ,"\u006de":-1.50, "x":{"y": {"z":true} } } )";
    const JsonView view(text);
    EXPECT_EQ(view.find("a")->raw(), R"([1, {"model":"no"}])");
    EXPECT_EQ(view.find("model")->raw(), "\"gpt\"");
    EXPECT_EQ(view.find("me")->raw(), "-1.50");
    EXPECT_EQ(view.find("x")->find("y")->find("z")->as_bool(), true);
    EXPECT_FALSE(view.find("missing"));
    EXPECT_FALSE(view.find("a")->find("model"));
    EXPECT_EQ(view.size(), 4u);
    EXPECT_EQ(view.find("a")->at(1)->find("model")->string(), "no");
    EXPECT_FALSE(view.find("a")->at(2));
}

TEST(JsonView, ReadsNumbersOnlyWhenTheyFit)
{
    struct Case {
        std::string text;
        std::optional<std::int64_t> whole;
        std::optional<double> number;
    };
    const std::vector<Case> cases = {{"0", 0, 0.0},
                                     {"-5", -5, -5.0},
                                     {"9223372036854775807", INT64_MAX, 9223372036854775807.0},
                                     {"-9223372036854775808", INT64_MIN, -9223372036854775808.0},
                                     {"9223372036854775808", std::nullopt, 9223372036854775808.0},
                                     {"1.5", std::nullopt, 1.5},
                                     {"1e2", std::nullopt, 100.0},
                                     {"1e999", std::nullopt, std::nullopt},
                                     {"\"1\"", std::nullopt, std::nullopt},
                                     {"inf", std::nullopt, std::nullopt},
                                     {"-inf", std::nullopt, std::nullopt},
                                     {"nan", std::nullopt, std::nullopt},
                                     {"1x", std::nullopt, std::nullopt},
                                     {"", std::nullopt, std::nullopt}};
    for (const auto& [text, whole, number] : cases) {
        EXPECT_EQ(JsonView(text).as_int64(), whole) << text;
        EXPECT_EQ(JsonView(text).as_double(), number) << text;
    }
}

TEST(JsonView, DecodesStrings)
{
    EXPECT_EQ(JsonView(R"("a\"\\\/\b\f\n\r\tz")").string(), "a\"\\/\b\f\n\r\tz");
    EXPECT_EQ(JsonView("\"\\u00e9\\ud83d\\ude00\\uD55C\"").string(), "é😀한");
    EXPECT_EQ(JsonView(R"("\ud800x\q\u12")").string(), "\uFFFDx\uFFFD\uFFFD12");
    EXPECT_EQ(JsonView("12").string(), "");
    EXPECT_TRUE(JsonView(R"("\u0061b")").string_is("ab"));
    EXPECT_FALSE(JsonView("12").string_is("12"));
}

TEST(JsonView, WalksMembersWithTheirSpansAndStopsWhenTold)
{
    const std::string text = R"({"a":1, "dure_x" : {"b":2},"\u0063":[3]})";
    std::vector<std::string> seen;
    JsonView(text).for_each_member_span([&](std::string_view key, const JsonView&, std::string_view span) {
        seen.push_back(std::string(key) + "|" + std::string(span));
    });
    EXPECT_THAT(seen, ElementsAre("a|\"a\":1", "dure_x|\"dure_x\" : {\"b\":2}", R"(c|"\u0063":[3])"));
    int steps = 0;
    JsonView(text).for_each_member([&](std::string_view, const JsonView&) { return ++steps < 2; });
    EXPECT_EQ(steps, 2);
    std::vector<std::string> elements;
    const std::string list = "[1, \"two\" ,[3,[4]], {}]";
    JsonView(list).for_each_element([&](const JsonView& one) { elements.emplace_back(one.raw()); });
    EXPECT_THAT(elements, ElementsAre("1", "\"two\"", "[3,[4]]", "{}"));
}

using Seen = std::vector<std::string>;

Seen elements_with_members(const JsonView& view)
{
    Seen seen;
    view.for_each_element_with_members(
        [&](std::string_view key, const JsonView& value) {
            seen.push_back(std::string(key) + "=" + std::string(value.raw()));
        },
        [&](const JsonView& one) { seen.emplace_back(one.raw()); });
    return seen;
}

TEST(JsonView, WalksElementsWithTheirMembersAsTwoWalksWould)
{
    for (const std::string text :
         {R"([])", R"([{}])", R"( [ { "a" : 1 , "b":[{"c":"]}"}] } , 2,"x" ,{"\u0061":{}},[{"d":1}], { } ] )",
          R"({"a":[1]})", R"("a")"}) {
        Seen expected;
        JsonView(text).for_each_element([&](const JsonView& one) {
            one.for_each_member([&](std::string_view key, const JsonView& value) {
                expected.push_back(std::string(key) + "=" + std::string(value.raw()));
            });
            expected.emplace_back(one.raw());
        });
        EXPECT_EQ(elements_with_members(JsonView(text)), expected) << text;
    }
    EXPECT_THAT(elements_with_members(JsonView(R"([{"a":1},3])")), ElementsAre("a=1", R"({"a":1})", "3"));
}

TEST(JsonView, IsNotMisledByBracketsAndQuotesInsideStrings)
{
    const std::string text = R"({"a":"}]\"\\","b":["\\\"]",{"c":"{"}],"d":1})";
    EXPECT_EQ(JsonView(text).find("a")->string(), "}]\"\\");
    EXPECT_EQ(JsonView(text).find("b")->size(), 2u);
    EXPECT_EQ(JsonView(text).find("d")->as_int64(), 1);
}

// Strings longer than what is looked at eight bytes at a time, with escapes and ends at every place around that length.
TEST(JsonView, ReadsLongKeysAndStringsWithEscapes)
{
    std::string escaped;
    for (const char c : std::string("max_completion_tokens"))
        escaped += c == 'k' ? "\\u006b" : c == 'm' ? "\\u006d" : std::string(1, c);
    const std::string padding(64, 'p');
    const auto text = "{\"" + padding + "\\n\":1,\"" + escaped + "\":2}";
    EXPECT_EQ(JsonView(text).find(padding + "\n")->as_int64(), 1);
    EXPECT_EQ(JsonIndex(JsonView(text)).find(padding + "\n")->as_int64(), 1);
    EXPECT_EQ(JsonIndex(JsonView(text)).find("max_completion_tokens")->as_int64(), 2);
    for (std::size_t length = 50; length < 80; ++length)
        for (const std::string_view ending : {"", "\\\"", "\\\\", "\\\\\\\""}) {
            const auto document = "[\"" + std::string(length, 's') + std::string(ending) + "\",7]";
            EXPECT_EQ(JsonView(document).size(), 2u) << document;
            EXPECT_EQ(JsonView(document).at(1)->as_int64(), 7) << document;
        }
}

TEST(JsonIndex, FindsWhatFindFinds)
{
    const std::string text = R"({"a":1,"\u0062":{"c":2}})";
    const JsonIndex index{JsonView(text)};
    EXPECT_EQ(index.find("a")->as_int64(), 1);
    EXPECT_EQ(index.find("b")->raw(), R"({"c":2})");
    EXPECT_FALSE(index.find("c"));
    EXPECT_FALSE(JsonIndex(JsonView("[1]")).find("a"));
}

// Every access of a view over `text`; run under the address sanitizer the exact-size copy shows reads outside.
std::size_t walk(const JsonView& view, int depth)
{
    std::size_t size = view.raw().size() + view.string().size() + view.size();
    size += view.as_int64() ? 1 : 0;
    size += view.as_double() ? 1 : 0;
    size += view.find("a") ? 1 : 0;
    view.for_each_element_with_members(
        [&](std::string_view key, const JsonView& one) { size += key.size() + one.raw().size(); },
        [&](const JsonView& one) { size += one.raw().size(); });
    if (depth == 0)
        return size;
    view.for_each_element([&](const JsonView& one) { size += walk(one, depth - 1); });
    view.for_each_member([&](std::string_view key, const JsonView& one) { size += key.size() + walk(one, depth - 1); });
    return size;
}

TEST(JsonView, StaysInsideOfEveryPrefixAndOfGarbage)
{
    const std::string full = R"({"a":[1,"\u00e9\\",{"b":null}],"\ud83d":"x\"","c":-1.5e3})";
    for (std::size_t length = 0; length <= full.size(); ++length) {
        const std::vector<char> exact(full.begin(), full.begin() + static_cast<std::ptrdiff_t>(length));
        const std::string_view prefix(exact.data(), exact.size());
        EXPECT_LE(JsonView(prefix).raw().size(), prefix.size());
        walk(JsonView(prefix), 5);
    }
    const std::string objects = R"([{"a":1,"\u0062":"x\"" },{"c":[{}]} , {} ])";
    for (std::size_t length = 0; length <= objects.size(); ++length) {
        const std::vector<char> exact(objects.begin(), objects.begin() + static_cast<std::ptrdiff_t>(length));
        walk(JsonView({exact.data(), exact.size()}), 5);
    }
    for (const std::string garbage :
         {"\"", "\"\\", "[", "{",  "[[",   "{\"",       "{\"a", "{\"a\"",   "{\"a\":", "[,",
          "[}", "]",    "}", "{]", "[1}{", "{\"a\":\"", "\\",   "{\"a\"1}", "[1 2]",   "[\"a\"\"b\"]"})
        EXPECT_GE(walk(JsonView(garbage), 5), 0u) << garbage;
}

}  // namespace dure::schema

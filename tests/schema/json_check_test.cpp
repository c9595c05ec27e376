// check_json: what is JSON, what is not, and every bound.
#include "dure/schema/json_check.hpp"

#include <gmock/gmock.h>

#include "dure/base/json.hpp"

namespace dure::schema {

using testing::HasSubstr;

TEST(CheckJson, TakesEveryFormOfTheStandard)
{
    for (const std::string text :
         {"{}", "[]", " \t\r\n{ } ", "null", "true", "false", "\"\"", "0", "-0", "-0.0", "12.5e-3", "1E+2", "[1,2 ,3]",
          R"({"a":{"b":[{}]},"c":""})", R"("\"\\\/\b\f\n\r\té😀")", "\"한글 \xF0\x9F\x98\x80\"", R"({"":1})",
          "[[[[[[[[[[]]]]]]]]]]", "\"\x7F\""}) {
        EXPECT_TRUE(check_json(text)) << text;
        EXPECT_TRUE(Json::accept(text)) << text;
    }
}

TEST(CheckJson, RefusesEverythingElseWithReasonAndPlace)
{
    struct Case {
        std::string text;
        std::string message;
        std::string param = "";
    };
    const std::vector<Case> cases = {
        {"", "the text ends early at byte 0"},
        {"{", "expected a key in double quotes at byte 1"},
        {"[1", "expected ',' or ']' at byte 2", "0"},
        {"[1,]", "expected a value at byte 3", "1"},
        {"[,1]", "expected a value at byte 1"},
        {"{,}", "expected a key"},
        {R"({"a":1,})", "expected a key in double quotes at byte 7", "a"},
        {R"({"a"})", "expected ':' at byte 4", "a"},
        {R"({"a":})", "expected a value at byte 5", "a"},
        {"{a:1}", "expected a key"},
        {"{'a':1}", "expected a key"},
        {"[1}", "expected ',' or ']'"},
        {"{} {}", "text after the document at byte 3"},
        {"nul", "expected a value at byte 0"},
        {"NaN", "expected a value"},
        {"Infinity", "expected a value"},
        {"-", "the text ends early"},
        {"01", "a number with a leading zero at byte 0"},
        {"-01", "a number with a leading zero"},
        {"1.", "expected digits after the point at byte 2"},
        {".5", "expected a value"},
        {"+1", "expected a value"},
        {"1e", "expected digits in the exponent"},
        {"1e999", "a number that is too large"},
        {"0x10", "text after the document"},
        {"// c\n1", "expected a value"},
        {"\xEF\xBB\xBF{}", "expected a value at byte 0"},
        {"\"a", "a string does not end"},
        {"\"a\tb\"", "a control character in a string at byte 2"},
        {std::string("\"a\0b\"", 5), "a control character"},
        {R"("\x")", "an unknown escape in a string at byte 1"},
        {R"("\)", "an unknown escape"},
        {R"("\u12G4")", "an escape without four hexadecimal digits"},
        {R"("\ud800")", "half of a surrogate pair at byte 1"},
        {R"("\ud800A")", "half of a surrogate pair"},
        {R"("\udc00\ud800")", "half of a surrogate pair"},
        {"\"\\u0000\"", "the character U+0000"},
        {"\"\xC0\x80\"", "invalid UTF-8 at byte 1"},
        {"\"\xED\xA0\x80\"", "invalid UTF-8"},
        {"\"\xE0\x9F\xBF\"", "invalid UTF-8"},
        {"\"\xF4\x90\x80\x80\"", "invalid UTF-8"},
        {"\"\xF0\x8F\xBF\xBF\"", "invalid UTF-8"},
        {"\"\xF5\x80\x80\x80\"", "invalid UTF-8"},
        {"\"\xEA\xB0", "invalid UTF-8"},
        {"\"\x80\"", "invalid UTF-8"},
        {R"({"a":1,"a":2})", "a key occurs twice at byte 7"},
        {"{\"a\":1,\"\\u0061\":2}", "a key occurs twice at byte 7"},
        {R"({"model":"a","model":"b","messages":[{"role":"user"}]})", "a key occurs twice at byte 13, in model.", "model"},
        {R"({"model":"a","messages":[{"ro\u006ce":"x","role":"y","content":"z"}]})", "a key occurs twice at byte 42",
         "messages.0.role"},
        {R"({"messages":[{"role":"user"},{"content":tru}]})", "expected a value", "messages.1.content"},
    };
    for (const auto& [text, message, param] : cases) {
        const auto checked = check_json(text);
        ASSERT_FALSE(checked) << text;
        EXPECT_EQ(checked.error().code(), Errc::invalid_argument);
        EXPECT_EQ(checked.error().reason(), "invalid_json");
        EXPECT_THAT(checked.error().message(), HasSubstr(message)) << text;
        if (!param.empty())
            EXPECT_EQ(checked.error().param(), param) << text;
    }
}

TEST(CheckJson, KeepsTheBounds)
{
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(check_json(nested(64)));
    EXPECT_FALSE(check_json(nested(65)));
    EXPECT_FALSE(check_json(std::string(5'000'000, '[')));
    EXPECT_TRUE(check_json(std::string(64, '9')));
    EXPECT_FALSE(check_json(std::string(65, '9')));
    const auto keys = [](int count) {
        std::string text = "{";
        for (int i = 0; i < count; ++i)
            text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
        return text + "}";
    };
    EXPECT_TRUE(check_json(keys(10000)));
    EXPECT_FALSE(check_json(keys(10001)));
}

TEST(CheckJson, LetsTheCallerTakeDuplicatesAndNul)
{
    EXPECT_TRUE(check_json(R"({"a":1,"a":2})", {.refuse_duplicates = false}));
    EXPECT_TRUE(check_json("\"\\u0000\"", {.refuse_nul = false}));
}

std::vector<std::string> spans_of(const JsonIndex& index)
{
    std::vector<std::string> spans;
    index.for_each_member_span([&](std::string_view key, const JsonView& value, std::string_view span) {
        spans.push_back(std::string(key) + "|" + std::string(value.raw()) + "|" + std::string(span));
    });
    return spans;
}

TEST(CheckJson, GivesTheMembersThatAWalkWouldFind)
{
    JsonIndex members;
    for (const std::string text : {R"({})", R"([{"a":1}])", R"("a")",
                                   R"( { "a" : 1 , "b":[ {"c":{}} , 2 ] ,"\u0063\n": {"a":null},"d":"x\"}" } )",
                                   R"({"":"","e":true ,"f":-1.5e3})", "{\"a\" :\n[]\n}"}) {
        ASSERT_TRUE(check_json(text, {}, &members)) << text;
        EXPECT_EQ(spans_of(members), spans_of(JsonIndex(JsonView(text)))) << text;
    }
    ASSERT_TRUE(check_json(R"({"a":1})", {}, &members));
    EXPECT_FALSE(check_json(R"({"a":1,"b":})", {}, &members));
    EXPECT_TRUE(spans_of(members).empty()) << "nothing is known of a text that is not valid";
}

// Around the sixteen bytes that are looked at together, each text in memory of exactly its size.
TEST(CheckJson, ReadsStringsOfEveryLength)
{
    for (std::size_t length = 0; length < 40; ++length)
        for (const std::string_view ending : {"", "\\\"", "\\\\", "\xEA\xB0\x80", "\xEA\xB0", "\x01", "\\"}) {
            const auto text = "\"" + std::string(length, 's') + std::string(ending) + "\"";
            for (const auto& document : {text, "{" + text + ":" + text + "}"}) {
                const std::vector<char> exact(document.begin(), document.end());
                EXPECT_EQ(static_cast<bool>(check_json({exact.data(), exact.size()})), Json::accept(document))
                    << document;
            }
        }
}

TEST(CheckJson, TakesTheSameKeyInDifferentObjects)
{
    EXPECT_TRUE(check_json(R"([{"a":{"a":1,"b":2},"b":3},{"a":1},{"a\n":1,"a":2,"\u0061\u0062":3}])"));
    EXPECT_FALSE(check_json(R"({"a":{"c":1,"b":2,"c":3},"b":3})"));
}

TEST(CheckJson, FindsAFaultAtEveryPositionOfAString)
{
    for (std::size_t at = 0; at < 40; ++at) {
        for (const std::string bad : {"\x01", "\xFF", "\\q"}) {
            const auto text = "\"" + std::string(at, 'x') + bad + std::string(20, 'y') + "\"";
            const auto checked = check_json(text);
            ASSERT_FALSE(checked) << at;
            EXPECT_THAT(checked.error().message(), HasSubstr("at byte " + std::to_string(at + 1) + "."));
        }
        EXPECT_TRUE(check_json("\"" + std::string(at, 'x') + "\""));
        EXPECT_TRUE(check_json("\"" + std::string(at, 'x') + "한\\\"" + "\""));
    }
}

TEST(CheckJson, NeverPutsInvalidUtf8IntoItsError)
{
    const auto checked = check_json("{\"" + std::string(100, 'k') + "한글\":{\"b\":\xFF}}");
    ASSERT_FALSE(checked);
    EXPECT_NO_THROW(Json(checked.error().message()).dump());
    EXPECT_NO_THROW(Json(checked.error().param()).dump());
}

}  // namespace dure::schema

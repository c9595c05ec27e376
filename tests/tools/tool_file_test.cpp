// Tool files: what a declaration becomes, requests made of arguments, answers made into results, and every wrong
// declaration named.
#include "tools/http/tool_file.hpp"

#include <gtest/gtest.h>

#include "dure/base/text.hpp"

namespace dure::tools {
namespace {

const SecretString known_secret("s3cret");

const SecretString* variables(const std::string& name)
{
    return name == "KNOWN" ? &known_secret : nullptr;
}

ToolFile read_tools_of(std::string_view toml)
{
    const auto document = parse_toml(toml);
    if (!document)
        throw std::runtime_error(document.error().message());
    return read_tool_file(*document, "file:test.toml", variables);
}

constexpr std::string_view rates = R"(
[[tool]]
name = "exchange_rate"
description = "환율 조회"
url = "https://api.example.com/v1/rates/{base}?format=json"
pure = true
cache_life = "10m"
timeout = "5s"
result = "/rates"
bearer_env = "KNOWN"
query = { symbols = "{symbols}", note = "for {base}" }
headers = { Accept = "application/json", X-Trace = "{trace}" }
[tool.parameters]
type = "object"
required = ["base"]
[tool.parameters.properties]
base = { type = "string" }
symbols = { type = "array", items = { type = "string" } }
trace = { type = "string" }
)";

TEST(ToolFile, ADeclarationBecomesARequest)
{
    const auto file = read_tools_of(rates);
    ASSERT_TRUE(file.problems.empty()) << file.problems[0].message;
    const auto& plan = file.tools.at(0);
    EXPECT_EQ(plan.definition.name, "exchange_rate");
    EXPECT_EQ(plan.source, "file:test.toml");
    EXPECT_TRUE(plan.pure);
    EXPECT_EQ(plan.cache_life, std::chrono::minutes(10));
    EXPECT_EQ(plan.timeout, std::chrono::seconds(5));
    const auto request = http_tool_request(plan, {{"base", "a/b ../한"}, {"symbols", {"USD", "원&x"}}}, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(
        request->url,
        "https://api.example.com:443/v1/rates/a%2Fb%20..%2F%ED%95%9C?format=json&note=for%20a%2Fb%20..%2F%ED%95%9C"
        "&symbols=USD&symbols=%EC%9B%90%26x");
    const std::vector<std::pair<std::string, std::string>> wanted{{"Accept", "application/json"},
                                                                  {"Authorization", "Bearer s3cret"}};
    EXPECT_EQ(request->headers, wanted);   // no trace was given, so no header
    EXPECT_TRUE(request->body.empty());
}

TEST(ToolFile, AbsentQueryArgumentsAreLeftOut)
{
    const auto file = read_tools_of(rates);
    const auto request = http_tool_request(file.tools.at(0), {{"base", "KRW"}, {"symbols", nullptr}}, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url, "https://api.example.com:443/v1/rates/KRW?format=json&note=for%20KRW");
}

TEST(ToolFile, ArgumentsCannotLeaveTheirSegmentOfThePath)
{
    const auto file = read_tools_of(rates);
    for (const char* value : {"..", ".", ""})
        EXPECT_FALSE(http_tool_request(file.tools.at(0), {{"base", value}}, {})) << value;
    for (const char* value : {"...", "a..", "../../admin", "%2e%2e", "x?y=1#z", "a\r\nHost: evil", "\\..\\"}) {
        const auto request = http_tool_request(file.tools.at(0), {{"base", value}}, {});
        ASSERT_TRUE(request) << value;
        EXPECT_TRUE(request->url.starts_with("https://api.example.com:443/v1/rates/")) << request->url;
        const auto segment = request->url.substr(37, request->url.find('?') - 37);
        EXPECT_EQ(segment.find_first_of("/\\#\r\n "), std::string::npos) << request->url;
    }
}

TEST(ToolFile, BodiesKeepTheTypesOfArguments)
{
    const auto file = read_tools_of(R"(
[[tool]]
name = "create"
description = "d"
method = "POST"
url = "https://api.example.com/items"
approval = true
body = { title = "{title}", count = "{count}", tags = "{tags}", text = "{title} x{count}", fixed = 1, literal = "{{braces}}" }
parameters = { type = "object", properties = { title = {}, count = {}, tags = {} } }
)");
    ASSERT_TRUE(file.problems.empty()) << file.problems[0].message;
    EXPECT_TRUE(file.tools.at(0).acts);
    Caller caller;
    caller.idempotency_key = "key-1";
    const auto request = http_tool_request(file.tools.at(0), {{"title", "a \"b\""}, {"count", 3}}, caller);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->body, R"({"count":3,"fixed":1,"literal":"{braces}","text":"a \"b\" x3","title":"a \"b\""})");
    const std::vector<std::pair<std::string, std::string>> wanted{{"Idempotency-Key", "key-1"},
                                                                  {"Content-Type", "application/json"}};
    EXPECT_EQ(request->headers, wanted);
}

TEST(ToolFile, FormsAreEncoded)
{
    const auto file = read_tools_of(R"(
[[tool]]
name = "form"
description = "d"
method = "POST"
url = "https://api.example.com/"
body_kind = "form"
body = { a = "{a}", b = "x y" }
parameters = { type = "object", properties = { a = {} } }
)");
    const auto request = http_tool_request(file.tools.at(0), {{"a", "1&b=2"}}, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->body, "a=1%26b%3D2&b=x%20y");
    EXPECT_EQ(http_tool_request(file.tools.at(0), {{"a", {"1", "2"}}}, {})->body, "a=1&a=2&b=x%20y");
}

TEST(ToolFile, AddressesOutsideOfAsciiAreEscaped)
{
    const auto file = read_tools_of(R"(
[[tool]]
name = "map"
description = "지도"
url = "https://api.example.com/날씨 지도/{도시}?q=검색"
parameters = { type = "object", required = ["도시"], properties = { "도시" = {} } }
)");
    ASSERT_TRUE(file.problems.empty()) << file.problems[0].message;
    const auto request = http_tool_request(file.tools.at(0), {{"도시", "서울"}}, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url, "https://api.example.com:443/%EB%82%A0%EC%94%A8%20%EC%A7%80%EB%8F%84/%EC%84%9C%EC%9A%B8"
                            "?q=%EA%B2%80%EC%83%89");
}

TEST(ToolFile, AnUnsetVariableMakesTheToolUnavailable)
{
    const auto file = read_tools_of(R"(
[[tool]]
name = "a"
description = "d"
url = "https://api.example.com/"
headers_env = { X-Key = "NOT_SET" }
)");
    EXPECT_NE(file.tools.at(0).unavailable.find("NOT_SET"), std::string::npos);
}

TEST(ToolFile, SecretsThatComeBackAreNotShown)
{
    HttpToolPlan plan;
    plan.secret_headers = {{"Authorization", SecretString("Bearer deep/secret")}, {"X-Key", SecretString("deep")}};
    plan.secret_query = {{"key", SecretString("a b&c")}, {"short", SecretString("abc")}};
    const auto shown = [&](int status, const std::string& body) {
        const auto result = http_tool_result(plan, {status, {}, body});
        return result ? dump(*result) : result.error().message();
    };
    EXPECT_EQ(shown(200, R"({"auth":"Bearer deep/secret","x":"deep"})"),
              R"({"auth":"Bearer [secret]","x":"[secret]"})");
    EXPECT_EQ(shown(200, "?key=a%20b%26c and a b&c, abc"), R"("?key=[secret] and [secret], abc")");
    EXPECT_EQ(shown(401, "deep%2Fsecret is wrong"), "The server answered with status 401: [secret] is wrong");
    plan.secret_headers.clear();
    plan.secret_query.clear();
    EXPECT_EQ(shown(200, "deep"), R"("deep")");
}

TEST(ToolFile, NamesWhatIsWrongAndKeepsTheRest)
{
    struct Case {
        const char* lines;
        const char* named;
    };
    const Case cases[] = {
        {"name = 'bad name'\ndescription = 'd'\nurl = 'https://a.example/'", "tool[0].name"},
        {"description = 'd'\nurl = 'https://a.example/'", "tool[0].name"},
        {"name = 'x'\nurl = 'https://a.example/'", "tool[0].description"},
        {"name = 'x'\ndescription = 'd'", "tool[0].url"},
        {"name = 'x'\ndescription = 'd'\nurl = 'ftp://a.example/'", "tool[0].url"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://{host}/'", "behind the host"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example:{port}/'", "behind the host"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/{'", "tool[0].url"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/{id}'", "{id}"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/{id}'\nparameters = "
         "{type='object',properties={id={}}}",
         "required"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nquery = {q='{q}'}", "{q}"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nmethod = 'TRACE'", "tool[0].method"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nbody = {a=1}", "tool[0].body"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\ntimeout = 5", "tool[0].timeout"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\ntimeout = '5 days'", "tool[0].timeout"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\npure = 'yes'", "tool[0].pure"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nresult = 'a.b'", "tool[0].result"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nlargest_answer = '1GiB'",
         "tool[0].largest_answer"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nlargest_answer = '5MiB'",
         "tool[0].largest_answer"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nsecret = 'oops'", "tool[0].secret"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nheaders = {A=1}", "tool[0].headers.A"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nheaders = {'A B'='1'}", "tool[0].headers.A B"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nheaders = {Host='b.example'}",
         "tool[0].headers.Host"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nheaders = {A=\"1\\r\\nB: 2\"}",
         "tool[0].headers.A"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\nheaders_env = {'A:'='KNOWN'}",
         "tool[0].headers_env.A:"},
        {"name = 'x'\ndescription = 'd'\nurl = 'https://a.example/'\npure = true\napproval = true", "exclude"},
    };
    for (const auto& one : cases) {
        const auto file = read_tools_of("[[tool]]\n" + std::string(one.lines) +
                                        "\n[[tool]]\nname = 'fine'\ndescription = 'd'\nurl = 'https://a.example/'\n");
        ASSERT_EQ(file.problems.size(), 1u) << one.lines;
        EXPECT_NE(file.problems[0].message.find(one.named), std::string::npos) << file.problems[0].message;
        ASSERT_EQ(file.tools.size(), 1u) << one.lines;
        EXPECT_EQ(file.tools[0].definition.name, "fine");
    }
    EXPECT_EQ(read_tools_of("tol = []\n").problems.size(), 1u);
    EXPECT_EQ(read_tools_of("tool = 'x'\n").problems.size(), 1u);
    EXPECT_EQ(read_tools_of("[[openapi]]\ndocument = '../secrets.json'\n").problems.size(), 1u);
    EXPECT_FALSE(parse_toml("name = \n"));
    for (const char* text : {"[[[tool]]", "[[[tool]]\nname =[tool]]\n", "[%]", "[[a].b]", "[[", "[[a", "a.%=1", ".=1"})
        EXPECT_FALSE(parse_toml(text)) << text;   // the parser's own assertions must not end the process
    EXPECT_FALSE(parse_tool_json("{\"tool\": [}"));
}

struct AnswerCase {
    int status;
    const char* type;
    std::string body;
    const char* pointer;
    const char* wanted;   // the result as JSON, or null: an error
};

TEST(HttpTool, TakesTheResultOutOfTheAnswer)
{
    const AnswerCase cases[] = {
        {200, "application/json", R"({"a":{"b":[1,2]}})", "", R"({"a":{"b":[1,2]}})"},
        {200, "application/json", R"({"a":{"b":[1,2]}})", "/a/b/1", "2"},
        {200, "application/json", R"({"a":1})", "/b", nullptr},
        {200, "application/json", R"({"a":1)", "", nullptr},
        {200, "text/plain", "맑음", "", "\"맑음\""},
        {200, "text/plain", "맑음", "/a", nullptr},
        {200, "text/plain", "12", "", "12"},
        {204, "", "", "", "null"},
        {204, "", "", "/a", nullptr},
        {301, "text/html", "moved", "", nullptr},
        {404, "application/json", R"({"a":1})", "/a", nullptr},
        {500, "text/plain", "oops", "", nullptr},
    };
    for (const auto& one : cases) {
        HttpToolPlan plan;
        plan.result = one.pointer;
        const auto result = http_tool_result(plan, {one.status, {{"Content-Type", one.type}}, one.body});
        if (one.wanted == nullptr)
            EXPECT_FALSE(result) << one.body;
        else
            EXPECT_EQ(dump(result.value()), one.wanted);
    }
}

TEST(HttpTool, FailuresAreShownWithoutCredentials)
{
    const auto result = http_tool_result({}, {401, {}, "bad key sk-abcdefghijklmnopqrstuvwx for you"});
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message().find("401"), std::string::npos);
    EXPECT_EQ(result.error().message().find("sk-abcdef"), std::string::npos);
}

}  // namespace
}  // namespace dure::tools

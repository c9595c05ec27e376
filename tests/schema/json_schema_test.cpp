// JsonSchema: each keyword accepts and refuses, broken schemas are named, and hostile ones end in bounded work.
#include "dure/schema/json_schema.hpp"

#include <gmock/gmock.h>

namespace dure::schema {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

std::vector<std::string> faults(const std::string& schema, const std::string& value)
{
    const auto compiled = JsonSchema::compile(Json::parse(schema));
    if (!compiled)
        return {compiled.error().message()};
    std::vector<std::string> all;
    for (const auto& problem : compiled->validate(Json::parse(value))) {
        std::string place;
        for (const auto& step : problem.location)
            place += "/" + step;
        all.push_back(place + "|" + problem.type);
    }
    return all;
}

}  // namespace

TEST(JsonSchema, AcceptsAndRefusesByEveryKeyword)
{
    struct Case {
        std::string schema;
        std::vector<std::string> good;
        std::vector<std::string> bad;
    };
    const std::vector<Case> cases = {
        {"true", {"1", "null"}, {}},
        {"false", {}, {"1"}},
        {"{}", {"1", "{}"}, {}},
        {R"({"type":"integer"})", {"1", "-5", "2.0"}, {"1.5", "\"1\"", "true", "null"}},
        {R"({"type":"number"})", {"1", "1.5"}, {"\"1\"", "true"}},
        {R"({"type":["string","null"]})", {"\"\"", "null"}, {"1", "false"}},
        {R"({"type":"boolean"})", {"true"}, {"0", "\"true\""}},
        {R"({"type":"array"})", {"[]"}, {"{}"}},
        {R"({"type":"object"})", {"{}"}, {"[]"}},
        {R"({"enum":["a",1,null]})", {"\"a\"", "1", "null"}, {"\"b\"", "2", "false"}},
        {R"({"const":{"a":[1]}})", {R"({"a":[1]})"}, {R"({"a":[2]})"}},
        {R"({"minimum":1,"maximum":3})", {"1", "3", "\"x\""}, {"0", "3.1"}},
        {R"({"exclusiveMinimum":1,"exclusiveMaximum":3})", {"2"}, {"1", "3"}},
        {R"({"multipleOf":0.1})", {"0.3", "7", "0"}, {"0.35"}},
        {R"({"multipleOf":1})", {"1000000000", "1e300"}, {"1000000000.5"}},
        {R"({"multipleOf":0.01})", {"19.99", "12345678.9"}, {"12345678.905"}},
        {R"({"minLength":2,"maxLength":3})", {"\"한글\"", "\"abc\""}, {"\"한\"", "\"abcd\""}},
        {R"({"minLength":2.0,"maxLength":3e0})", {"\"ab\""}, {"\"a\"", "\"abcd\""}},
        {R"({"maxLength":1e300})", {"\"ab\""}, {}},
        {R"({"pattern":"^a+$"})", {"\"aaa\"", "1"}, {"\"ab\""}},
        {R"({"pattern":"b"})", {"\"abc\""}, {"\"xyz\""}},
        {R"({"format":"date-time"})", {"\"2026-11-21T02:15:00Z\""}, {"\"yesterday\""}},
        {R"({"format":"date"})", {"\"2026-11-21\""}, {"\"2026-13-21\"", "\"21.11.2026\""}},
        {R"({"format":"email"})", {"\"a@example.com\""}, {"\"a\"", "\"a b@c\""}},
        {R"({"format":"uri"})", {"\"https://a/b?c\""}, {"\"a b\"", "\"//x\""}},
        {R"({"format":"uuid"})", {"\"0192f0c1-2345-7890-abcd-ef0123456789\""}, {"\"0192\""}},
        {R"({"format":"ipv4"})", {"\"127.0.0.1\""}, {"\"127.0.0.256\"", "\"::1\""}},
        {R"({"format":"ipv6"})", {"\"::1\""}, {"\"127.0.0.1\""}},
        {R"({"items":{"type":"integer"}})", {"[1,2]", "[]", "{}"}, {"[1,\"x\"]"}},
        {R"({"items":[{"type":"integer"}],"additionalItems":false})", {"[1]", "[]"}, {"[\"x\"]", "[1,2]"}},
        {R"({"items":[],"additionalItems":false})", {"[]"}, {"[1]"}},
        {R"({"prefixItems":[{"type":"integer"},true]})", {"[1,\"x\",[]]", "[1]", "[]", "{}"}, {"[\"x\"]"}},
        {R"({"prefixItems":[{"type":"integer"}],"items":{"type":"string"}})", {"[1,\"x\"]"}, {"[1,2]", "[\"x\"]"}},
        {R"({"prefixItems":[true],"items":false,"additionalItems":true})", {"[1]"}, {"[1,2]"}},
        {R"({"contains":{"const":1}})", {"[0,1]"}, {"[0]", "[]"}},
        {R"({"minItems":1,"maxItems":2})", {"[1]"}, {"[]", "[1,2,3]"}},
        {R"({"minItems":1.0,"maxItems":2.0})", {"[1]"}, {"[]", "[1,2,3]"}},
        {R"({"uniqueItems":true})", {"[1,\"1\",[1]]"}, {"[1,2,1]", "[1,1.0]", R"([{"a":1},{"a":1}])"}},
        {R"({"required":["a"]})", {R"({"a":null})"}, {"{}"}},
        {R"({"properties":{"a":{"type":"integer"}}})", {R"({"a":1})", R"({"b":"x"})"}, {R"({"a":"x"})"}},
        {R"({"properties":{"a":true},"additionalProperties":false})", {R"({"a":1})", "{}"}, {R"({"b":1})"}},
        {R"({"properties":{"a":true},"additionalProperties":{"type":"string"}})",
         {R"({"a":1,"b":"x"})"},
         {R"({"b":1})"}},
        {R"({"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false})",
         {R"({"x-a":"1"})"},
         {R"({"x-a":1})", R"({"y":"1"})"}},
        {R"({"propertyNames":{"maxLength":2}})", {R"({"ab":1})"}, {R"({"abc":1})"}},
        {R"({"minProperties":1,"maxProperties":2})", {R"({"a":1})"}, {"{}", R"({"a":1,"b":1,"c":1})"}},
        {R"({"dependencies":{"a":["b"]}})", {R"({"a":1,"b":1})", R"({"b":1})"}, {R"({"a":1})"}},
        {R"({"dependencies":{"a":{"required":["b"]}}})", {R"({"a":1,"b":1})", "{}"}, {R"({"a":1})"}},
        {R"({"allOf":[{"minimum":1},{"maximum":3}]})", {"2"}, {"0", "4"}},
        {R"({"anyOf":[{"type":"string"},{"minimum":5}]})", {"\"x\"", "6"}, {"1"}},
        {R"({"oneOf":[{"minimum":3},{"maximum":5}]})", {"1", "9"}, {"4"}},
        {R"({"not":{"type":"string"}})", {"1"}, {"\"x\""}},
        {R"({"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}})",
         {R"({"a":1,"b":1})", R"({"c":1})"},
         {R"({"a":1,"c":1})", R"({"b":1})"}},
        {R"({"definitions":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/definitions/n"}}})",
         {R"({"a":1})"},
         {R"({"a":"x"})"}},
        {R"({"type":"object","properties":{"next":{"$ref":"#"}},"additionalProperties":false})",
         {R"({"next":{"next":{}}})"},
         {R"({"next":{"next":1}})", R"({"next":{"x":1}})"}},
    };
    for (const auto& [schema, good, bad] : cases) {
        for (const auto& value : good)
            EXPECT_THAT(faults(schema, value), IsEmpty()) << schema << " must take " << value;
        for (const auto& value : bad)
            EXPECT_FALSE(faults(schema, value).empty()) << schema << " must refuse " << value;
    }
}

// As doubles the neighbours beyond 2^53 are one number.
TEST(JsonSchema, ComparesIntegersExactly)
{
    struct Case {
        std::string schema;
        std::vector<std::string> good;
        std::vector<std::string> bad;
    };
    const std::string even = "9007199254740992", odd = "9007199254740993", top = "18446744073709551615";
    const std::vector<Case> cases = {
        {R"({"minimum":9007199254740993})", {odd, top, "1e300"}, {even, "9007199254740992.0", "-" + odd}},
        {R"({"maximum":9007199254740992})", {even, "9007199254740992.0", "-" + odd}, {odd, top, "1e300"}},
        {R"({"maximum":-9007199254740993})", {"-" + odd, "-1e300"}, {"-" + even, "0"}},
        {R"({"exclusiveMinimum":9007199254740992})", {odd}, {even, "9007199254740992.0"}},
        {R"({"exclusiveMinimum":9007199254740992.0})", {odd}, {even}},
        {R"({"exclusiveMaximum":9007199254740993})", {even}, {odd}},
        {R"({"minimum":2.5,"maximum":-0.5})", {}, {"2", "3"}},
        {R"({"minimum":-2.5,"maximum":2.5})", {"-2", "2", "2.5"}, {"-3", "3"}},
        {R"({"multipleOf":2})", {even, "-" + even, "18446744073709551614", "4.0"}, {odd, top, "-" + odd}},
        {R"({"multipleOf":2.0})", {even}, {odd}},
        {R"({"multipleOf":9007199254740993})", {odd, "0", "-" + odd, "18014398509481986"}, {even, "1"}},
        {R"({"const":9007199254740993})", {odd}, {even, "9007199254740992.0"}},
        {R"({"const":9007199254740992.0})", {even}, {odd}},
        {R"({"const":18446744073709551615})", {top}, {"-1"}},
        {R"({"const":{"a":[9007199254740993]}})", {R"({"a":[9007199254740993]})"}, {R"({"a":[9007199254740992.0]})"}},
        {R"({"enum":[9007199254740993,1.0,"1"]})", {odd, "1", "1.0", "\"1\""}, {"9007199254740992.0", "true"}},
        {R"({"uniqueItems":true})",
         {"[9007199254740993,9007199254740992.0]", "[18446744073709551615,-1]", R"([{"a":1},{"a":2},{"b":1}])"},
         {"[9007199254740993,2,9007199254740993]", "[9007199254740992,1,9007199254740992.0]",
          R"([{"a":1},2,{"a":1.0}])"}},
    };
    for (const auto& [schema, good, bad] : cases) {
        for (const auto& value : good)
            EXPECT_THAT(faults(schema, value), IsEmpty()) << schema << " must take " << value;
        for (const auto& value : bad)
            EXPECT_FALSE(faults(schema, value).empty()) << schema << " must refuse " << value;
    }
}

TEST(JsonSchema, WritesItsBoundsAsTheyStand)
{
    const auto told = [](const char* schema) {
        return JsonSchema::compile(Json::parse(schema))->validate(Json(0)).at(0).message;
    };
    EXPECT_THAT(told(R"({"minimum":9007199254740993})"), HasSubstr(" 9007199254740993"));
    EXPECT_THAT(told(R"({"minimum":5.0})"), testing::EndsWith(" 5"));
    EXPECT_THAT(told(R"({"minimum":5.5})"), testing::EndsWith(" 5.5"));
}

TEST(JsonSchema, NamesThePlaceOfEveryProblem)
{
    const std::string schema = R"({"type":"object","required":["expression","unit"],"additionalProperties":false,
        "properties":{"expression":{"type":"string"},"unit":{"enum":["m","s"]},"list":{"items":{"type":"integer"}}}})";
    EXPECT_THAT(
        faults(schema, R"({"expression":5,"list":[1,"x"],"extra":1})"),
        ElementsAre("/unit|missing", "/expression|string_type", "/extra|extra_forbidden", "/list/1|integer_type"));
}

TEST(JsonSchema, RefusesBrokenSchemasWithTheirPlace)
{
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"1", "the schema: a schema must be an object or a boolean"},
        {R"({"type":"text"})", "/type: 'text' is no type"},
        {R"({"type":5})", "/type"},
        {R"({"type":[]})", "/type: there must be at least one type"},
        {R"({"properties":{"a":{"pattern":"("}}})", "/properties/a/pattern: the pattern cannot be used"},
        {R"x({"pattern":"(?=a)"})x", "the pattern cannot be used"},
        {"{\"pattern\":\"" + std::string(2000, 'a') + "\"}", "the pattern is too long"},
        {R"({"$ref":"https://example.com/schema"})", "/$ref: $ref must be a JSON pointer inside this schema"},
        {R"({"$ref":"#/definitions/gone"})", "$ref points at nothing"},
        {R"({"$ref":"#name"})", "$ref must be"},
        {R"({"minLength":-1})", "/minLength"},
        {R"({"minLength":-1.0})", "/minLength"},
        {R"({"maxItems":2.5})", "/maxItems"},
        {R"({"minimum":"1"})", "/minimum must be a number"},
        {R"({"multipleOf":0})", "above 0"},
        {R"({"required":"a"})", "/required"},
        {R"({"anyOf":[]})", "/anyOf"},
        {R"({"allOf":{}})", "/allOf"},
        {R"({"properties":[]})", "/properties"},
        {R"({"enum":1})", "/enum"},
        {R"({"items":1})", "/items"},
        {R"({"prefixItems":{}})", "/prefixItems"},
        {R"({"prefixItems":[]})", "/prefixItems"},
        {R"({"prefixItems":[true],"items":[true]})", "/items: beside prefixItems it is one schema"},
    };
    for (const auto& [schema, message] : cases) {
        const auto compiled = JsonSchema::compile(Json::parse(schema));
        ASSERT_FALSE(compiled) << schema;
        EXPECT_EQ(compiled.error().reason(), "invalid_schema");
        const auto text = compiled.error().message();
        EXPECT_THAT(text, HasSubstr(message.substr(0, message.find(" must be a number")))) << schema;
    }
}

TEST(JsonSchema, ListsKeywordsItDoesNotKnow)
{
    const auto compiled = JsonSchema::compile(Json::parse(
        R"({"title":"t","description":"d","x-unit":"m","properties":{"a":{"format":"colour","default":1,"nullable":true}}})"));
    ASSERT_TRUE(compiled);
    EXPECT_THAT(compiled->unknown_keywords(), ElementsAre("/properties/a/format", "/properties/a/nullable", "/x-unit"));
}

TEST(JsonSchema, EndsOnSchemasThatReferToThemselves)
{
    EXPECT_THAT(faults(R"({"$ref":"#"})", "1"), ElementsAre("|too_complex"));
    EXPECT_THAT(faults(R"({"allOf":[{"$ref":"#"},{"$ref":"#"}]})", "1"), ElementsAre("|too_complex"));
    EXPECT_FALSE(faults(R"({"not":{"$ref":"#"}})", "1").empty());
}

TEST(JsonSchema, BoundsTheWorkOfMultiplyingAlternatives)
{
    Json schema = {{"type", "string"}};
    for (int i = 0; i < 30; ++i)
        schema = {{"anyOf", {schema, {{"not", {{"type", "integer"}}}}}}};
    Json doubled = {{"definitions", Json::object()}, {"$ref", "#/definitions/d0"}};
    for (int i = 0; i < 25; ++i) {
        const Json next = {{"$ref", "#/definitions/d" + std::to_string(i + 1)}};
        doubled["definitions"]["d" + std::to_string(i)] = {{"oneOf", {next, next}}};
    }
    doubled["definitions"]["d25"] = {{"type", "string"}};
    const auto compiled = JsonSchema::compile(doubled);
    ASSERT_TRUE(compiled) << compiled.error().message();
    EXPECT_FALSE(compiled->validate(Json(1)).empty());
    EXPECT_FALSE(faults(schema.dump(), "1").empty());
}

TEST(JsonSchema, RefusesNestingBeyondItsBound)
{
    Json schema = true;
    for (int i = 0; i < 100; ++i)
        schema = {{"items", schema}};
    EXPECT_FALSE(JsonSchema::compile(schema));
}

TEST(JsonSchema, MatchesHostilePatternsInLinearTime)
{
    const auto compiled = JsonSchema::compile(Json{{"pattern", "^(a+)+$"}});
    ASSERT_TRUE(compiled);
    EXPECT_EQ(compiled->validate(Json(std::string(50000, 'a') + "!")).size(), 1u);
}

// To say what would have been right, the whole constant is written out: for each item of a list that is work as well.
TEST(JsonSchema, CountsTheWritingOfLargeConstants)
{
    const Json large{{"const", std::string(1 << 20, 'a')}}, choice{{"enum", {std::string(1 << 20, 'a')}}};
    for (const auto& schema : {large, choice}) {
        const auto compiled = JsonSchema::compile(Json{{"items", {{"anyOf", {schema, {{"type", "integer"}}}}}}});
        ASSERT_TRUE(compiled);
        EXPECT_TRUE(compiled->validate(Json(std::vector<int>(5, 1))).empty());
        EXPECT_FALSE(compiled->validate(Json(std::vector<int>(100, 1))).empty()) << "too much work";
    }
}

TEST(JsonSchema, ReportsAtMostOneHundredProblems)
{
    const auto compiled = JsonSchema::compile(Json{{"items", {{"type", "integer"}}}});
    ASSERT_TRUE(compiled);
    EXPECT_EQ(compiled->validate(Json(std::vector<std::string>(500, "x"))).size(), 100u);
}

}  // namespace dure::schema

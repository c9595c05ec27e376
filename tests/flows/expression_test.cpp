// Expressions: what text becomes over a scope, one pass, the closed lists, the bounds.
#include <gtest/gtest.h>

#include "dure/flows/expression.hpp"

namespace dure::flows {
namespace expression_test {

class FixedScope final : public Scope {
public:
    explicit FixedScope(Json values) : values_(std::move(values)) {}
    const Json* find(Root root, std::string_view name) const override
    {
        const auto of_root = values_.find(name_of(root));
        if (of_root == values_.end() || name.empty())
            return of_root == values_.end() ? nullptr : &*of_root;
        const auto named = of_root->find(name);
        return named == of_root->end() ? nullptr : &*named;
    }

private:
    Json values_;
};

const FixedScope& scope()
{
    static const FixedScope fixed(Json::parse(R"({
        "input": "in", "item": {"price": 3.5}, "index": 4,
        "start": {"message": "두레 안녕", "inputs": {"customer": "Kim", "vip": true, "none": null}},
        "nodes": {"ask": {"text": "answer", "json": {"list": [1, 2, 3], "any key": "x"}}, "Chat-1": {"text": "one"}, "7": {"n": 7}},
        "state": {"evil": "{{secrets.token}}", "words": ["a", "b"], "time": 1763691300123},
        "secrets": {"token": "hush"}, "loop": {"count": 2}})"));
    return fixed;
}

Result<Json> evaluated(std::string_view text, Secrets secrets = Secrets::refused, EvaluationLimits limits = {})
{
    const auto parsed = Template::parse(text);
    if (!parsed)
        return parsed.error();
    scope().work() = {};
    return parsed->evaluate(scope(), secrets, limits);
}

struct Value {
    const char* text;
    const char* becomes;   // JSON
};

class ExpressionValue : public testing::TestWithParam<Value> {};

TEST_P(ExpressionValue, IsWhatTheContractSays)
{
    const auto value = evaluated(GetParam().text);
    ASSERT_TRUE(value) << GetParam().text << ": " << value.error().message();
    EXPECT_EQ(*value, Json::parse(GetParam().becomes)) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Paths, ExpressionValue,
    testing::Values(Value{"", R"("")"}, Value{"plain } text", R"("plain } text")"}, Value{"{{input}}", R"("in")"},
                    Value{"  {{input}}", R"("  in")"}, Value{"{{ nodes.ask.json.list }}", "[1,2,3]"},
                    Value{"{{nodes.ask.json.list[1]}}", "2"}, Value{"{{nodes.ask.json.list[-1]}}", "3"},
                    Value{R"({{nodes["Chat-1"].text}})", R"("one")"}, Value{"{{nodes.Chat-1.text}}", R"("one")"},
                    Value{"{{nodes.7.n}}", "7"}, Value{R"({{ nodes.ask.json["any key"] }})", R"("x")"},
                    Value{"{{item.price}}", "3.5"}, Value{"{{index}}", "4"}, Value{"{{loop.count}}", "2"},
                    Value{"{{start.inputs.none}}", "null"}));

INSTANTIATE_TEST_SUITE_P(InsideText, ExpressionValue,
                         testing::Values(Value{"{{start.inputs.customer}}: {{start.inputs.vip}}", R"("Kim: true")"},
                                         Value{"n={{nodes.ask.json.list}}", R"("n=[1,2,3]")"},
                                         Value{"[{{start.inputs.none}}]", R"("[]")"},
                                         Value{R"(\{{input}} {{input}})", R"("{{input}} in")"},
                                         Value{R"({{input | default("}}")}}!)", R"("in!")"}));

INSTANTIATE_TEST_SUITE_P(
    Filters, ExpressionValue,
    testing::Values(
        Value{"{{state.gone | default('x')}}", R"("x")"}, Value{"{{state.gone.deep | trim | default(null)}}", "null"},
        Value{"{{start.inputs.none | default(5)}}", "5"}, Value{"{{state.words | json}}", R"("[\"a\",\"b\"]")"},
        Value{R"({{state.words | json | parse_json}})", R"(["a","b"])"}, Value{"{{index | text}}", R"("4")"},
        Value{"{{index | text | number}}", "4"}, Value{"{{start.message | length}}", "5"},
        Value{"{{nodes.ask.json | length}}", "2"}, Value{"{{input | upper}}", R"("IN")"},
        Value{"{{input | upper | lower}}", R"("in")"},
        Value{"{{state.gone | default('Äé жук 두레 z') | upper}}", R"("ÄÉ ЖУК 두레 Z")"},
        Value{"{{state.gone | default('ÜÉ ЖУК 두레 Z') | lower}}", R"("üé жук 두레 z")"},
        Value{"{{input | replace('in', '  x ') | trim}}", R"("x")"}, Value{"{{state.words | first}}", R"("a")"},
        Value{"{{start.message | last}}", R"("녕")"}, Value{"{{state.words | join('-')}}", R"("a-b")"},
        Value{"{{start.message | split(' ')}}", R"(["두레","안녕"])"},
        Value{"{{start.message | split('')}}", R"(["두","레"," ","안","녕"])"},
        Value{"{{start.message | slice(0, 2)}}", R"("두레")"}, Value{"{{nodes.ask.json.list | slice(-2)}}", "[2,3]"},
        Value{"{{nodes.ask.json.list | slice(2, 1)}}", "[]"},
        Value{"{{start.inputs | keys}}", R"(["customer","none","vip"])"},
        Value{"{{nodes.ask.json | get('any key')}}", R"("x")"}, Value{"{{state.words | get(-1)}}", R"("b")"},
        Value{"{{start.message | truncate(2)}}", R"("두레…")"},
        Value{"{{start.message | truncate(2, '')}}", R"("두레")"}, Value{"{{state.time | date}}", R"("2025-11-21")"},
        Value{"{{state.time | date('%H:%M %%')}}", R"("02:15 %")"},
        Value{"{{start.message | url}}", R"("%EB%91%90%EB%A0%88%20%EC%95%88%EB%85%95")"},
        Value{"{{input | replace('in', '<a b=\"1\">') | html}}", R"("&lt;a b=&quot;1&quot;&gt;")"}));

TEST(Expression, WhatWasPutInIsNeverReadAgain)
{
    EXPECT_EQ(*evaluated("{{state.evil}}"), "{{secrets.token}}");
    EXPECT_EQ(*evaluated("a {{state.evil}} b", Secrets::allowed), "a {{secrets.token}} b");
}

struct Refusal {
    const char* text;
    const char* reason;
};

class ExpressionRefused : public testing::TestWithParam<Refusal> {};

TEST_P(ExpressionRefused, NamesTheReason)
{
    const auto value = evaluated(GetParam().text);
    ASSERT_FALSE(value) << GetParam().text << " gave " << value->dump();
    EXPECT_EQ(value.error().reason(), GetParam().reason) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Parsing, ExpressionRefused,
    testing::Values(
        Refusal{"{{", "expression_syntax"}, Refusal{"{{}}", "expression_syntax"},
        Refusal{"{{input", "expression_syntax"}, Refusal{"{{input.}}", "expression_syntax"},
        Refusal{"{{input[}}", "expression_syntax"}, Refusal{"{{input[1}}", "expression_syntax"},
        Refusal{"{{input['a]}}", "expression_syntax"}, Refusal{"{{input |}}", "expression_syntax"},
        Refusal{"{{input | eval}}", "expression_syntax"}, Refusal{"{{input | default}}", "expression_syntax"},
        Refusal{"{{input | trim(1)}}", "expression_syntax"}, Refusal{"{{input | slice('a')}}", "expression_syntax"},
        Refusal{"{{input | default(input)}}", "expression_syntax"}, Refusal{"{{1 + 1}}", "expression_syntax"},
        Refusal{"{{input + 1}}", "expression_syntax"}, Refusal{"{{input()}}", "expression_syntax"},
        Refusal{"{{input | truncate(-1)}}", "expression_syntax"}, Refusal{"{{process.env}}", "expression_unknown"},
        Refusal{"{{nodes}}", "expression_unknown"}, Refusal{"{{state[0]}}", "expression_unknown"}));

INSTANTIATE_TEST_SUITE_P(
    Values, ExpressionRefused,
    testing::Values(Refusal{"{{state.gone}}", "expression_unresolved"},
                    Refusal{"a {{nodes.ask.json.list[3]}}", "expression_unresolved"},
                    Refusal{"{{input.length}}", "expression_unresolved"},
                    Refusal{"{{state.gone | upper}}", "expression_unresolved"},
                    Refusal{"{{nodes.ask.json.list | slice(0, 0) | first}}", "expression_unresolved"},
                    Refusal{"{{input | number}}", "expression_value"},
                    Refusal{"{{index | length}}", "expression_value"},
                    Refusal{"{{input | parse_json}}", "expression_value"},
                    Refusal{"{{input | keys}}", "expression_value"}, Refusal{"{{input | date}}", "expression_value"},
                    Refusal{"{{index | date('%s')}}", "expression_value"},
                    Refusal{"{{secrets.token}}", "secret_misplaced"}));

TEST(Expression, AnUnresolvedPathIsNamed)
{
    EXPECT_EQ(evaluated("{{ state.gone.deep }}").error().param(), "state.gone.deep");
}

TEST(Expression, SecretsComeOnlyWhereTheyAreAllowed)
{
    EXPECT_EQ(*evaluated("Bearer {{secrets.token}}", Secrets::allowed), "Bearer hush");
    EXPECT_TRUE(Template::parse("{{secrets.token}}")->uses_secrets());
    EXPECT_FALSE(Template::parse("{{state.evil}}")->uses_secrets());
}

TEST(Expression, ASecretTakesNoFilterThatWouldMakeItUnknowable)
{
    EXPECT_EQ(*evaluated("{{secrets.token | url}}", Secrets::allowed), "hush");
    EXPECT_EQ(*evaluated("{{secrets.gone | default('none')}}", Secrets::allowed), "none");
    for (const auto* filters :
         {"number",      "json", "parse_json", "text",      "length",      "upper", "lower",  "trim",
          "first",       "last", "join",       "split('')", "slice(1)",    "keys",  "get(0)", "replace('h', 'x')",
          "truncate(2)", "date", "html",       "url | url", "url | number"}) {
        const auto value = evaluated("a {{secrets.token | " + std::string(filters) + "}}", Secrets::allowed);
        ASSERT_FALSE(value) << filters;
        EXPECT_EQ(value.error().reason(), "secret_misplaced") << filters;
        EXPECT_EQ(value.error().message().find("hush"), std::string::npos) << filters;
    }
}

TEST(Expression, LengthFiltersAndResultsAreBounded)
{
    const auto long_path = "{{input | default('" + std::string(4096, 'x') + "')}}";
    EXPECT_EQ(Template::parse(long_path).error().reason(), "expression_syntax");
    std::string many = "{{input";
    for (int i = 0; i < 20; ++i)
        many += " | trim";
    EXPECT_TRUE(Template::parse(many + "}}"));
    EXPECT_EQ(Template::parse(many + " | trim}}").error().reason(), "expression_syntax");
    EvaluationLimits few;
    few.result_bytes = 3;
    EXPECT_TRUE(evaluated("{{input}}", Secrets::refused, few));
    for (const auto* text :
         {"{{input}}{{input}}", "{{state.words}}", "{{input | replace('n', 'nnn')}}", "{{state.words | join('---')}}"})
        EXPECT_EQ(evaluated(text, Secrets::refused, few).error().reason(), "expression_too_large") << text;
    // Between filters there is room for eight results: what grows by each of them is stopped on its way, not at its end.
    few.result_bytes = 60;
    std::string doubling = "{{input";
    for (int i = 0; i < 18; ++i)
        doubling += " | json";
    EXPECT_EQ(evaluated(doubling + " | length}}", Secrets::refused, few).error().reason(), "expression_too_large");
    EXPECT_EQ(
        evaluated("{{input | replace('n', 'nnnnnnnn') | split('') | text | split('') | text | split('') | length}}",
                  Secrets::refused, few)
            .error()
            .reason(),
        "expression_too_large");
    EXPECT_TRUE(evaluated("{{input | json | json | json | truncate(2)}}", Secrets::refused, few));
}

TEST(Expressions, BytesThatAreNoUtf8InAFilterAreASyntaxError)
{
    const auto parsed = Template::parse("{{state.text|slice('-\xFA')}}");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().reason(), "expression_syntax");
}

}  // namespace expression_test
}  // namespace dure::flows

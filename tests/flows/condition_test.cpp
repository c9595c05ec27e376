// Conditions: each operator on each type it takes, errors for what does not fit, what is refused when it is compiled.
#include <gtest/gtest.h>

#include "dure/flows/condition.hpp"

namespace dure::flows {
namespace condition_test {

class InputScope final : public Scope {
public:
    explicit InputScope(Json input) : input_(std::move(input)) {}
    const Json* find(Root root, std::string_view) const override { return root == Root::input ? &input_ : nullptr; }

private:
    Json input_;
};

const InputScope& scope()
{
    static const InputScope fixed(Json::parse(
        R"({"text":"두레 Hello","n":5,"yes":true,"list":["a","b",3],"none":null,"blank":"","bare":[],"file":{"id":"f"}})"));
    return fixed;
}

Result<bool> held(const std::string& condition)
{
    Problems problems;
    const auto group =
        ConditionGroup::compile(OrderedJson::parse(R"({"all":[)" + condition + "]}"), {"case"}, "node", problems);
    if (!group)
        return Error(Errc::internal, problems_json(problems).dump());
    scope().work() = {};
    return group->holds(scope());
}

class Holds : public testing::TestWithParam<const char*> {};
class HoldsNot : public testing::TestWithParam<const char*> {};
class DoesNotFit : public testing::TestWithParam<const char*> {};

TEST_P(Holds, WithTheScope)
{
    const auto value = held(GetParam());
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_TRUE(*value);
}

TEST_P(HoldsNot, WithTheScope)
{
    const auto value = held(GetParam());
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_FALSE(*value);
}

TEST_P(DoesNotFit, AndIsAnError)
{
    const auto value = held(GetParam());
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().reason(), "condition_type") << value.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Operators, Holds,
    testing::Values(R"({"left":"{{input.text}}","op":"eq","right":"두레 Hello"})",
                    R"({"left":"{{input.text}}","op":"ne","right":"두레 hello"})",
                    R"({"left":"{{input.text}}","op":"eq","right":"두레 hello","ignore_case":true})",
                    R"({"left":"{{input.n}}","op":"eq","right":5})", R"({"left":"{{input.n}}","op":"eq","right":5.0})",
                    R"({"left":"{{input.n}}","op":"gt","right":"4","type":"number"})",
                    R"({"left":"{{input.n}}","op":"ge","right":5})", R"({"left":"{{input.n}}","op":"lt","right":5.5})",
                    R"({"left":"{{input.n}}","op":"le","right":"{{input.n}}"})",
                    R"({"left":"나","op":"gt","right":"가"})", R"({"left":"Z","op":"lt","right":"a"})",
                    R"({"left":"{{input.yes}}","op":"eq","right":"true","type":"boolean"})",
                    R"({"left":"{{input.text}}","op":"contains","right":"레 H"})",
                    R"({"left":"{{input.list}}","op":"contains","right":3})",
                    R"({"left":"{{input.list}}","op":"not_contains","right":"c"})",
                    R"({"left":"{{input.text}}","op":"starts_with","right":"두레"})",
                    R"({"left":"{{input.text}}","op":"ends_with","right":"LO","ignore_case":true})",
                    R"({"left":"Über ЖУК ΟΔΟΣ","op":"eq","right":"üBER жук οδος","ignore_case":true})",
                    R"({"left":"ein ÉCLAIR","op":"contains","right":"éclair","ignore_case":true})",
                    R"({"left":"ЖУК","op":"in","right":["жук"],"ignore_case":true})",
                    R"({"left":"{{input.n}}","op":"in","right":[4,5]})",
                    R"({"left":"x","op":"not_in","right":"{{input.list}}"})",
                    R"({"left":"a","op":"in","right":["{{input.text}}","a"]})",
                    R"({"left":"{{input.blank}}","op":"empty"})", R"({"left":"{{input.bare}}","op":"empty"})",
                    R"({"left":"{{input.file}}","op":"not_empty","type":"file"})",
                    R"({"left":"{{input.blank}}","op":"exists"})", R"({"left":"{{input.none}}","op":"not_exists"})",
                    R"({"left":"{{input.gone.deep}}","op":"not_exists"})",
                    R"({"left":"{{input.list}}","op":"all_of","right":["a",3]})",
                    R"({"left":"{{input.text}}","op":"matches","right":"H[a-z]+o$"})",
                    R"({"left":"{{input.text}}","op":"matches","right":"hello","ignore_case":true})",
                    R"({"any":[{"left":"a","op":"eq","right":"b"},{"all":[{"left":"a","op":"eq","right":"a"}]}]})"));

INSTANTIATE_TEST_SUITE_P(Operators, HoldsNot,
                         testing::Values(R"({"left":"{{input.text}}","op":"eq","right":"두레"})",
                                         R"({"left":"{{input.n}}","op":"gt","right":5})",
                                         R"({"left":"{{input.text}}","op":"contains","right":"hello"})",
                                         R"({"left":"{{input.list}}","op":"all_of","right":["a","z"]})",
                                         R"({"left":"{{input.n}}","op":"not_in","right":[5]})",
                                         R"({"left":"{{input.text}}","op":"empty"})",
                                         R"({"left":"{{input.none}}","op":"exists"})",
                                         R"({"left":"{{input.text}}","op":"not_exists"})",
                                         R"({"left":"{{input.text}}","op":"matches","right":"^Hello"})",
                                         R"({"any":[{"left":"a","op":"eq","right":"b"}]})"));

INSTANTIATE_TEST_SUITE_P(Types, DoesNotFit,
                         testing::Values(R"({"left":"{{input.n}}","op":"eq","right":"5"})",
                                         R"({"left":"{{input.text}}","op":"gt","right":1})",
                                         R"({"left":"{{input.n}}","op":"contains","right":"5"})",
                                         R"({"left":"{{input.yes}}","op":"lt","right":true})",
                                         R"({"left":"{{input.n}}","op":"eq","right":"{{input.n}}","type":"text"})",
                                         R"({"left":"{{input.none}}","op":"eq","right":"x"})",
                                         R"({"left":"{{input.text}}","op":"in","right":"x"})",
                                         R"({"left":"{{input.n}}","op":"empty"})",
                                         R"({"left":"{{input.list}}","op":"all_of","right":"a"})",
                                         R"({"left":"{{input.text}}","op":"matches","right":"{{input.n}}"})"));

TEST(Condition, APathThatLeadsNowhereIsAnErrorElsewhere)
{
    EXPECT_EQ(held(R"({"left":"{{input.gone}}","op":"eq","right":"x"})").error().reason(), "expression_unresolved");
}

TEST(Condition, APatternOfManyStatesIsNotTriedOnALongText)
{
    const auto tried = [](const std::string& pattern, std::size_t length) {
        Problems problems;
        const auto group = ConditionGroup::compile(
            OrderedJson{{"all", {{{"left", "{{input}}"}, {"op", "matches"}, {"right", pattern}}}}}, {}, "", problems);
        return group->holds(InputScope(Json(std::string(length, 'a'))));
    };
    const std::string costly = "(a|aa|aaa){1,500}b";
    EXPECT_EQ(tried(costly, 1u << 20).error().reason(), "condition_type");
    EXPECT_EQ(tried(costly, 100).value(), false);
    EXPECT_EQ(tried("^[a-z0-9._%+-]+@[a-z0-9.-]+[.][a-z]{2,}$", 1u << 20).value(), false);
}

TEST(Condition, TwoLongListsAreComparedInTheOrderOfTheirValues)
{
    auto list = Json::array({nullptr, true, "두레", Json::object({{"a", 1}}), Json::array({1})});
    for (int i = 0; i < 100'000; ++i)
        list.push_back(i);
    const auto all_in_list = [&](Json wanted) {
        Problems problems;
        const auto group = ConditionGroup::compile(
            OrderedJson{{"all", {{{"left", "{{input.list}}"}, {"op", "all_of"}, {"right", "{{input.wanted}}"}}}}}, {},
            "", problems);
        return group->holds(InputScope(Json{{"list", list}, {"wanted", std::move(wanted)}})).value();
    };
    EXPECT_TRUE(all_in_list(list));
    EXPECT_TRUE(all_in_list(Json::array({7.0, "두레", Json::array({1.0}), nullptr})));
    EXPECT_TRUE(all_in_list(Json::array()));
    EXPECT_FALSE(all_in_list(Json::array({7, 100'000})));
    EXPECT_FALSE(all_in_list(Json::array({false})));
}

TEST(Condition, LaterEntriesAreNotAskedWhenOneDecides)
{
    const auto* decided =
        R"({"any":[{"left":"a","op":"eq","right":"a"},{"left":"{{input.gone}}","op":"eq","right":"x"}]})";
    EXPECT_TRUE(*held(decided));
}

struct Wrong {
    std::string group;
    const char* code;
};

class WrongCondition : public testing::TestWithParam<Wrong> {};

TEST_P(WrongCondition, IsRefusedWhenCompiled)
{
    Problems problems;
    EXPECT_FALSE(ConditionGroup::compile(OrderedJson::parse(GetParam().group), {"case"}, "node", problems));
    ASSERT_FALSE(problems.empty()) << GetParam().group;
    EXPECT_EQ(problems.list()[0].code, GetParam().code) << problems_json(problems).dump();
    EXPECT_EQ(problems.list()[0].node_id, "node");
    EXPECT_EQ(problems.list()[0].location[0], "case");
}

std::string one(const std::string& condition)
{
    return R"({"all":[)" + condition + "]}";
}

std::string nested(int depth)
{
    return depth == 0 ? R"({"left":"a","op":"eq","right":"a"})" : one(nested(depth - 1));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, WrongCondition,
    testing::Values(Wrong{"{}", "case_empty"}, Wrong{R"({"all":[]})", "case_empty"},
                    Wrong{R"({"all":[],"any":[]})", "field_unknown"}, Wrong{R"({"any":7})", "field_type"},
                    Wrong{one("7"), "field_type"}, Wrong{nested(5), "nesting"},
                    Wrong{one(R"({"left":"a","op":"like","right":"b"})"), "field_range"},
                    Wrong{one(R"({"left":"a","op":"eq"})"), "field_missing"},
                    Wrong{one(R"({"op":"empty"})"), "field_missing"},
                    Wrong{one(R"({"left":"a","op":"eq","right":"b","typ":"text"})"), "field_unknown"},
                    Wrong{one(R"({"left":"a","op":"eq","right":"b","type":"date"})"), "field_range"},
                    Wrong{one(R"({"left":"a","op":"gt","right":"b","type":"boolean"})"), "condition_type"},
                    Wrong{one(R"({"left":"a","op":"gt","right":"b","type":"number"})"), "condition_type"},
                    Wrong{one(R"({"left":"a","op":"matches","right":"(["})"), "condition_type"},
                    Wrong{one(R"x({"left":"a","op":"matches","right":"(?=b)"})x"), "condition_type"},
                    Wrong{one(R"({"left":"a","op":"matches","right":")" + std::string(1001, 'x') + "\"}"),
                          "condition_type"},
                    Wrong{one(R"({"left":"{{nope.x}}","op":"empty"})"), "expression_unknown"},
                    Wrong{one(R"({"left":"{{input","op":"empty"})"), "expression_syntax"}));

TEST(Condition, APatternIsMeasuredInCharacters)
{
    const auto pattern_of = [](int characters) {
        std::string pattern;
        for (int i = 0; i < characters; ++i)
            pattern += "두";
        return one(R"({"left":"a","op":"matches","right":")" + pattern + "\"}");
    };
    Problems problems;
    EXPECT_TRUE(ConditionGroup::compile(OrderedJson::parse(pattern_of(1000)), {}, "n", problems));
    EXPECT_TRUE(problems.empty());
    EXPECT_FALSE(ConditionGroup::compile(OrderedJson::parse(pattern_of(1001)), {}, "n", problems));
}

TEST(Condition, EveryProblemOfAGroupIsReported)
{
    Problems problems;
    EXPECT_FALSE(ConditionGroup::compile(
        OrderedJson::parse(one(R"({"left":"{{","op":"eq","right":"{{"},{"left":"a","op":"?"})")), {}, "n", problems));
    EXPECT_EQ(problems.list().size(), 3u);
}

TEST(Condition, FourLevelsAreAllowed)
{
    Problems problems;
    const auto group = ConditionGroup::compile(OrderedJson::parse(nested(4)), {}, "n", problems);
    ASSERT_TRUE(group);
    EXPECT_TRUE(*group->holds(scope()));
    EXPECT_EQ(group->templates().size(), 2u);
}

}  // namespace condition_test
}  // namespace dure::flows

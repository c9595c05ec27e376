// Declared fields: what is read, and that every problem comes at once in the form of FastAPI.
#include "dure/schema/fields.hpp"

#include <gmock/gmock.h>

namespace dure::schema {

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct Part {
    std::string kind;
    std::int64_t weight = 1;
};

struct Order {
    std::string title = "untitled";
    std::optional<std::string> model;
    std::int64_t turns = 3;
    double heat = 1;
    bool stream = false;
    std::string mode = "fast";
    std::vector<std::string> tags;
    Json extra;
    std::optional<Part> main;
    std::vector<Part> parts;
};

const ObjectFields<Part>& part_fields()
{
    static const auto fields = object<Part>(UnknownFields::refuse)
                                   .required("kind", &Part::kind, one_of({"a", "b"}))
                                   .optional("weight", &Part::weight, at_least(1));
    return fields;
}

const ObjectFields<Order>& order_fields(UnknownFields unknown = UnknownFields::refuse)
{
    const auto make = [](UnknownFields policy) {
        return object<Order>(policy)
            .required("title", &Order::title, length(1, 5))
            .optional("model", &Order::model, alias("model_id"))
            .optional("turns", &Order::turns, range(1, 10))
            .optional("heat", &Order::heat, range(0, 2))
            .optional("stream", &Order::stream)
            .optional("mode", &Order::mode, one_of({"fast", "slow"}))
            .optional("tags", &Order::tags, length(0, 2))
            .optional("extra", &Order::extra)
            .nested("main", &Order::main, part_fields())
            .list_of("parts", &Order::parts, part_fields(), false, length(0, 2));
    };
    static const auto strict = make(UnknownFields::refuse);
    static const auto loose = make(UnknownFields::ignore);
    return unknown == UnknownFields::refuse ? strict : loose;
}

// "body.title|missing" of every problem.
std::vector<std::string> shown(const Result<Order>& outcome)
{
    std::vector<std::string> all;
    for (const auto& problem : outcome.error().extra().problems) {
        std::string place;
        for (const auto& step : problem.location)
            place += (place.empty() ? "" : ".") + step;
        all.push_back(place + "|" + problem.type);
    }
    return all;
}

}  // namespace

TEST(Fields, FillTheStruct)
{
    const auto order =
        order_fields().read_body(R"({"title":"\uD55C글","model_id":"m","turns":10,"heat":0.5,"stream":true,
        "mode":"slow","tags":["x","y"],"extra":{"k":[1]},"main":{"kind":"a"},"parts":[{"kind":"b","weight":2},{"kind":"a"}]})");
    ASSERT_TRUE(order) << order.error().message();
    EXPECT_EQ(order->title, "한글");
    EXPECT_EQ(order->model, "m");
    EXPECT_EQ(order->turns, 10);
    EXPECT_EQ(order->heat, 0.5);
    EXPECT_TRUE(order->stream);
    EXPECT_EQ(order->mode, "slow");
    EXPECT_THAT(order->tags, ElementsAre("x", "y"));
    EXPECT_EQ(order->extra, Json::parse(R"({"k":[1]})"));
    EXPECT_EQ(order->main->kind, "a");
    ASSERT_EQ(order->parts.size(), 2u);
    EXPECT_EQ(order->parts[0].weight, 2);
    EXPECT_EQ(order->parts[1].weight, 1);
}

TEST(Fields, KeepDefaultsForAbsentAndNull)
{
    const auto order = order_fields().read_body(R"({"title":"t","turns":null,"model":null,"parts":null,"main":null})");
    ASSERT_TRUE(order) << order.error().message();
    EXPECT_EQ(order->turns, 3);
    EXPECT_FALSE(order->model);
    EXPECT_FALSE(order->main);
    EXPECT_EQ(order->mode, "fast");
}

TEST(Fields, PreferTheNameOverTheAliasAndTheAliasOverNull)
{
    EXPECT_EQ(order_fields().read_body(R"({"title":"t","model_id":"b","model":"a"})")->model, "a");
    EXPECT_EQ(order_fields().read_body(R"({"title":"t","model_id":"b","model":null})")->model, "b");
}

TEST(Fields, ReportEveryProblemAtOnce)
{
    const auto order = order_fields().read_body(R"({"title":"123456","turns":11,"heat":-1,"stream":"yes","mode":"warm",
        "tags":["a",1,"c"],"main":{"kind":"z"},"parts":[{"weight":0},5],"surprise":1})");
    ASSERT_FALSE(order);
    EXPECT_EQ(order.error().code(), Errc::invalid_argument);
    EXPECT_EQ(order.error().param(), "title");
    EXPECT_THAT(shown(order), ElementsAre("body.title|string_too_long", "body.turns|less_than_equal",
                                          "body.heat|greater_than_equal", "body.stream|bool_type", "body.mode|enum",
                                          "body.tags.1|string_type", "body.tags|too_long", "body.main.kind|enum",
                                          "body.parts.0.kind|missing", "body.parts.0.weight|greater_than_equal",
                                          "body.parts.1|dict_type", "body.surprise|extra_forbidden"));
    EXPECT_EQ(order.error().extra().problems[0].message, "String should have at most 5 characters");
    EXPECT_EQ(order.error().extra().problems[4].message, "Input should be 'fast' or 'slow'");
}

TEST(Fields, NameEachKindOfProblem)
{
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"{}", "body.title|missing"},
        {R"({"title":null})", "body.title|missing"},
        {R"({"title":5})", "body.title|string_type"},
        {R"({"title":""})", "body.title|string_too_short"},
        {R"({"title":"t","turns":"5"})", "body.turns|int_type"},
        {R"({"title":"t","turns":1.5})", "body.turns|int_type"},
        {R"({"title":"t","turns":99999999999999999999})", "body.turns|int_type"},
        {R"({"title":"t","turns":0})", "body.turns|greater_than_equal"},
        {R"({"title":"t","heat":"hot"})", "body.heat|float_type"},
        {R"({"title":"t","stream":1})", "body.stream|bool_type"},
        {R"({"title":"t","tags":"x"})", "body.tags|list_type"},
        {R"({"title":"t","parts":{}})", "body.parts|list_type"},
        {R"({"title":"t","parts":[{"kind":"a"},{"kind":"a"},{"kind":"a"}]})", "body.parts|too_long"},
        {R"({"title":"t","main":[]})", "body.main|dict_type"},
        {"[]", "body|dict_type"},
    };
    for (const auto& [text, problem] : cases) {
        const auto order = order_fields().read_body(text);
        ASSERT_FALSE(order) << text;
        EXPECT_THAT(shown(order), ElementsAre(problem)) << text;
    }
    EXPECT_EQ(order_fields().read_body("{}").error().reason(), "missing_required_parameter");
    EXPECT_EQ(order_fields().read_body("{").error().reason(), "invalid_json");
}

TEST(Fields, CanIgnoreUnknownOnes)
{
    EXPECT_TRUE(order_fields(UnknownFields::ignore).read_body(R"({"title":"t","surprise":1})"));
}

TEST(Fields, StopCountingAtOneHundredProblems)
{
    std::string text = "{\"title\":\"t\"";
    for (int i = 0; i < 500; ++i)
        text += ",\"x" + std::to_string(i) + "\":1";
    EXPECT_EQ(order_fields().read_body(text + "}").error().extra().problems.size(), 100u);
}

TEST(Fields, ReadQueries)
{
    const auto order = order_fields().read_query(
        {{"title", "t"}, {"turns", "4"}, {"heat", "1.5"}, {"stream", "true"}, {"tags", "x"}, {"tags", "y"}});
    ASSERT_TRUE(order) << order.error().message();
    EXPECT_EQ(order->turns, 4);
    EXPECT_EQ(order->heat, 1.5);
    EXPECT_TRUE(order->stream);
    EXPECT_THAT(order->tags, ElementsAre("x", "y"));
    for (const auto* yes : {"True", "TRUE", "1"})
        EXPECT_TRUE(order_fields().read_query({{"title", "t"}, {"stream", yes}})->stream) << yes;
    for (const auto* no : {"False", "0"})
        EXPECT_FALSE(order_fields().read_query({{"title", "t"}, {"stream", no}})->stream) << no;
}

TEST(Fields, ReportProblemsOfQueries)
{
    const std::vector<std::pair<QueryPairs, std::string>> cases = {
        {{}, "query.title|missing"},
        {{{"title", "t"}, {"turns", "x"}}, "query.turns|int_parsing"},
        {{{"title", "t"}, {"turns", ""}}, "query.turns|int_parsing"},
        {{{"title", "t"}, {"turns", "99"}}, "query.turns|less_than_equal"},
        {{{"title", "t"}, {"heat", "nan"}}, "query.heat|float_parsing"},
        {{{"title", "t"}, {"stream", "maybe"}}, "query.stream|bool_parsing"},
        {{{"title", "t"}, {"title", "u"}}, "query.title|value_error"},
        {{{"title", std::string("a\0b", 3)}}, "query.title|value_error"},
        {{{"title", "t"}, {"mode", "x"}}, "query.mode|enum"},
        {{{"title", "t"}, {"page", "1"}}, "query.page|extra_forbidden"},
    };
    for (const auto& [query, problem] : cases) {
        const auto order = order_fields().read_query(query);
        ASSERT_FALSE(order) << problem;
        EXPECT_THAT(shown(order), ElementsAre(problem));
    }
}

TEST(Fields, CannotBeDeclaredTwice)
{
    EXPECT_THROW(object<Part>().required("kind", &Part::kind).optional("kind", &Part::kind), InvariantBroken);
}

}  // namespace dure::schema

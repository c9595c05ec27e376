// Documents: every problem of form at once with its place, what is kept, canonical text that reads back byte for byte.
#include <gtest/gtest.h>

#include <algorithm>

#include "dure/flows/document.hpp"
#include "dure/flows/validation.hpp"

namespace dure::flows {
namespace document_test {

const std::string triage =
    R"({"format":"dure.flow","format_version":1,"flow_type":"agentflow","name":"분류","tags":["ko"],
 "id":"not mine","owner":"nobody","designer":{"theme":null,"zoom":2},"orchestration_type":"sequential",
 "inputs":[{"name":"customer","type":"text","label":"Customer","required":true}],
 "nodes":[{"id":"start","type":"start","position":{"x":0,"y":0},"width":180,"data":{"label":"Start","config":{},"color":"red"}},
          {"id":"ask","type":"llm","parentNode":"box","data":{"config":{"prompt":"{{start.message}}"},"policy":{"timeout_ms":60000}}}],
 "edges":[{"source":"start","target":"ask"},{"id":"b","source":"start","sourceHandle":null,"target":"ask","targetHandle":"in","animated":true}],
 "viewport":{"x":0,"y":0,"zoom":1}})";

std::vector<std::string> codes_of(const Problems& problems)
{
    std::vector<std::string> codes;
    for (const auto& problem : problems.list())
        codes.push_back(problem.code);
    return codes;
}

TEST(Document, IsReadIntoNodesEdgesAndSettings)
{
    const auto [document, problems] = read_document(triage);
    EXPECT_TRUE(problems.empty()) << problems_json(problems).dump();
    EXPECT_EQ(document.name, "분류");
    ASSERT_EQ(document.nodes.size(), 2u);
    EXPECT_EQ(document.nodes[1].kind, "llm");
    EXPECT_EQ(document.nodes[1].parent, "box");   // React Flow 11's word
    EXPECT_EQ(document.nodes[1].config.at("prompt"), "{{start.message}}");
    ASSERT_EQ(document.edges.size(), 2u);
    EXPECT_FALSE(document.edges[0].id.empty());
    EXPECT_EQ(document.edges[1].source_handle, "out");
    EXPECT_EQ(document.find_node("ask"), &document.nodes[1]);
    EXPECT_EQ(document.find_node("gone"), nullptr);
}

TEST(Document, KeepsWhatIsNotOursAndDropsWhatIsTheServers)
{
    const auto written = to_json(read_document(triage).document);
    EXPECT_EQ(written.at("extra"), OrderedJson::parse(R"({"designer":{"theme":null,"zoom":2}})"));
    EXPECT_FALSE(written.contains("id"));
    EXPECT_FALSE(written.contains("owner"));
    EXPECT_EQ(written.at("nodes").at(0).at("width"), 180);
    EXPECT_EQ(written.at("nodes").at(0).at("data").at("color"), "red");
    EXPECT_EQ(written.at("edges").at(1).at("animated"), true);
}

TEST(Document, CanonicalTextReadsBackByteForByte)
{
    const auto once = canonical_text(read_document(triage).document);
    const auto again = read_document(once);
    EXPECT_TRUE(again.problems.empty());
    EXPECT_EQ(canonical_text(again.document), once);
    EXPECT_EQ(once.find('\r'), std::string::npos);
    EXPECT_TRUE(once.starts_with("{\n  \"format\": \"dure.flow\",\n  \"format_version\": 1,"));
    EXPECT_LT(once.find("\"id\": \"ask\""), once.find("\"id\": \"start\""));   // nodes by id
    EXPECT_EQ(once.back(), '\n');
}

TEST(Document, OlderFormatsAreBroughtToTheNewest)
{
    const auto [document, problems] = read_document(
        R"({"format_version":0,"flow_type":"chatflow","name":"old","flow_data":{"nodes":[{"id":"a","type":"start"}],"edges":[]}})");
    EXPECT_TRUE(problems.empty());
    EXPECT_EQ(document.nodes.size(), 1u);
    EXPECT_TRUE(document.extra.empty());
    EXPECT_EQ(to_json(document).at("format_version"), 1);
}

struct Wrong {
    std::string text;
    std::vector<std::string> codes;
};

class WrongDocument : public testing::TestWithParam<Wrong> {};

TEST_P(WrongDocument, HasEveryProblemNamed)
{
    EXPECT_EQ(codes_of(read_document(GetParam().text).problems), GetParam().codes) << GetParam().text;
}

std::string named(const std::string& more)
{
    return R"({"flow_type":"agentflow","name":"n",)" + more + "}";
}

std::string nested(std::size_t depth)
{
    return named("\"x\":" + std::string(depth, '[') + std::string(depth, ']'));
}

INSTANTIATE_TEST_SUITE_P(Text, WrongDocument,
                         testing::Values(Wrong{"", {"json_invalid"}}, Wrong{"{", {"json_invalid"}},
                                         Wrong{"{\"name\":\"\xff\"}", {"json_invalid"}},
                                         Wrong{R"({"name":"a","name":"b"})", {"duplicate_key"}},
                                         Wrong{nested(64), {"too_deep"}},
                                         Wrong{std::string((4u << 20) + 1, ' '), {"too_large"}},
                                         Wrong{"[]", {"field_type"}}));

INSTANTIATE_TEST_SUITE_P(
    Fields, WrongDocument,
    testing::Values(
        Wrong{"{}", {"field_missing", "field_missing"}},
        Wrong{R"({"format":"other","flow_type":"dataflow","name":""})", {"field_range", "field_range", "field_range"}},
        Wrong{named(R"("format_version":2)"), {"format_version_unsupported"}},
        Wrong{named(R"("format_version":"1")"), {"field_type"}},
        Wrong{named(R"("description":7,"category":[],"is_active":"yes")"), {"field_type", "field_type", "field_type"}},
        Wrong{named(R"("tags":["",1])"), {"field_range", "field_type"}},
        Wrong{named(R"("limits":[],"state":{},"nodes":{})"), {"field_type", "field_type", "field_type"}},
        Wrong{named(R"("nodes":[1,{}])"), {"field_type", "field_missing", "field_missing"}},
        Wrong{named(R"("nodes":[{"id":"a b","type":"llm"},{"id":5,"type":"llm"}])"), {"id_invalid", "id_invalid"}},
        Wrong{
            named(
                R"("nodes":[{"id":"a","type":"llm","position":{"x":"1"},"data":{"label":1,"disabled":0,"config":[],"policy":1}}])"),
            {"field_type", "field_type", "field_type", "field_type", "field_type"}},
        Wrong{named(R"("edges":[{"id":"e"}])"), {"field_missing", "field_missing"}}));

TEST(Document, NodesAndEdgesAreBounded)
{
    OrderedJson flow{
        {"flow_type", "agentflow"}, {"name", "big"}, {"nodes", OrderedJson::array()}, {"edges", OrderedJson::array()}};
    for (int i = 0; i < 500; ++i)
        flow["nodes"].push_back({{"id", "n" + std::to_string(i)}, {"type", "note"}});
    EXPECT_TRUE(read_tree(flow).problems.empty());
    flow["nodes"].push_back({{"id", "more"}, {"type", "note"}});
    for (int i = 0; i < 2001; ++i)
        flow["edges"].push_back({{"source", "n0"}, {"target", "n1"}});
    EXPECT_EQ(codes_of(read_tree(flow).problems), (std::vector<std::string>{"too_large", "too_large"}));
}

TEST(Document, TheTypeCannotBeChanged)
{
    const auto reading = read_document((R"({"flow_type":"chatflow","name":"n"})"), FlowType::agentflow);
    ASSERT_EQ(codes_of(reading.problems), std::vector<std::string>{"field_range"});
    EXPECT_EQ(reading.problems.list()[0].location, std::vector<std::string>{"flow_type"});
    EXPECT_TRUE(read_document((R"({"name":"n"})"), FlowType::chatflow).problems.empty());
}

TEST(Document, EdgesWithoutAnIdGetOneOfTheirOwn)
{
    const auto reading = read_document(named(R"("edges":[{"source":"a","target":"b"},{"source":"a","target":"b"}])"));
    ASSERT_EQ(reading.document.edges.size(), 2u);
    EXPECT_NE(reading.document.edges[0].id, reading.document.edges[1].id);
}

TEST(Document, ChangesReplaceTopLevelKeysAndNullTakesThemAway)
{
    const auto changed =
        with_changes(OrderedJson::parse(triage), OrderedJson::parse(R"({"name":"new","inputs":null})"));
    const auto document = read_tree(changed).document;
    EXPECT_EQ(document.name, "new");
    EXPECT_TRUE(document.inputs.is_null());
    EXPECT_EQ(document.nodes.size(), 2u);
}

TEST(Document, NullTakesAwayAKeyThatIsNotOursToo)
{
    const auto with_mine = to_json(read_document(named(R"("mine":5,"other":{"deep":null})")).document);
    const auto changed = with_changes(with_mine, OrderedJson::parse(R"({"mine":null,"name":"new"})"));
    EXPECT_EQ(read_tree(changed).document.extra.dump(), R"({"other":{"deep":null}})");
    EXPECT_TRUE(read_tree(with_changes(with_mine, OrderedJson::parse(R"({"extra":null})"))).document.extra.empty());
}

TEST(Document, WhatAnAnswerSaysBesideItIsIgnored)
{
    const auto reading = read_document(named(
        R"("id":"x","slug":"s","owner":"o","version":7,"published_version":null,"created_at":"c","updated_at":"u","saved_at":"t","etag":"e","warnings":[])"));
    EXPECT_TRUE(reading.problems.empty());
    EXPECT_TRUE(reading.document.extra.empty()) << reading.document.extra.dump();
}

TEST(Document, AListThatIsTooLongIsNotHeldAgainstTheOther)
{
    DocumentLimits few;
    few.nodes = 1;
    auto reading = read_document(
        named(R"("nodes":[{"id":"a","type":"start"},{"id":"b","type":"reply"}],"edges":[{"source":"a","target":"b"}])"),
        {}, few);
    check_document(reading.document, reading.problems);
    EXPECT_EQ(codes_of(reading.problems), std::vector<std::string>{"too_large"});
    few = {};
    few.edges = 1;
    reading = read_document(named(R"("nodes":[{"id":"a","type":"start"},{"id":"b","type":"reply"}],
        "edges":[{"source":"a","target":"b"},{"source":"a","target":"b"}])"),
                            {}, few);
    check_document(reading.document, reading.problems);
    EXPECT_EQ(codes_of(reading.problems), std::vector<std::string>{"too_large"});
}

TEST(Document, AProblemSaysWhereItIs)
{
    const auto reading = read_document(named(R"("nodes":[{"id":"a","type":"llm","data":{"config":7}}])"));
    ASSERT_EQ(reading.problems.list().size(), 1u);
    EXPECT_EQ(problem_json(reading.problems.list()[0]),
              OrderedJson::parse(R"({"code":"field_type","type":"field_type","loc":["nodes","0","data","config"],
                                     "msg":"must be an object","level":"error","node_id":"a"})"));
}

}  // namespace document_test
}  // namespace dure::flows

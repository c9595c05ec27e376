// Names in expressions, certain order, and the settings beside a drawing.
#include <gtest/gtest.h>

#include "dure/flows/validation.hpp"

namespace dure::flows {
namespace names_test {

// start -> pick (condition) -> yes: a, else: b; both -> meet -> fork -> left, right -> last; each: inner.
std::string flow_reading(const std::string& node, const std::string& expression)
{
    std::string text = R"({"flow_type":"agentflow","name":"n","inputs":[{"name":"customer"}],
      "state":[{"name":"notes"},{"name":"mood","scope":"session"}],"nodes":[{"id":"start","type":"start"},
      {"id":"pick","type":"condition","data":{"config":{"cases":[{"id":"yes","all":[{"left":"a","op":"empty"}]}]}}})";
    for (const auto* id : {"a", "b", "meet", "fork", "left", "right", "last"})
        text += R"(,{"id":")" + std::string(id) + R"(","type":"llm","data":{"config":{"prompt":")" +
                (id == node ? expression : "x") + "\"}}}";
    text += R"(,{"id":"each","type":"iteration","data":{"config":{"output":")" + (node == "each" ? expression : "x") +
            "\"}}}";
    text += R"(,{"id":"inner","type":"llm","parentId":"each","data":{"config":{"prompt":")" +
            (node == "inner" ? expression : "x") + "\"}}}";
    text +=
        R"(,{"id":"turn","type":"loop","data":{"config":{"vars":[{"name":"best"}]}}},{"id":"round","type":"llm","parentId":"turn","data":{"config":{"prompt":")" +
        (node == "round" ? expression : "x") + R"("}}}],"edges":[)";
    const char* comma = "";
    for (const auto& [source, handle, target] : std::vector<std::array<const char*, 3>>{{"start", "out", "pick"},
                                                                                        {"pick", "yes", "a"},
                                                                                        {"pick", "else", "b"},
                                                                                        {"a", "out", "meet"},
                                                                                        {"b", "out", "meet"},
                                                                                        {"meet", "out", "fork"},
                                                                                        {"fork", "out", "left"},
                                                                                        {"fork", "out", "right"},
                                                                                        {"left", "out", "last"},
                                                                                        {"right", "out", "last"},
                                                                                        {"last", "out", "each"},
                                                                                        {"each", "out", "turn"}}) {
        text += std::string(comma) + R"({"source":")" + source + R"(","sourceHandle":")" + handle + R"(","target":")" +
                target + "\"}";
        comma = ",";
    }
    return text + "]}";
}

struct Use {
    const char* node;
    const char* expression;
    const char* code;   // empty: fine
};

class Names : public testing::TestWithParam<Use> {};

TEST_P(Names, AreKnownAndInOrder)
{
    const auto [document, wrong] = read_document(flow_reading(GetParam().node, GetParam().expression));
    ASSERT_TRUE(wrong.empty()) << problems_json(wrong).dump();
    Problems problems;
    check_names(document, problems);
    const std::string code = problems.empty() ? "" : problems.list()[0].code;
    EXPECT_EQ(code, GetParam().code) << GetParam().node << " " << GetParam().expression
                                     << problems_json(problems).dump();
    EXPECT_LE(problems.list().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Known, Names,
    testing::Values(
        Use{"a", "{{start.message}} {{nodes.start.user_id}} {{start.inputs.customer}}", ""},
        Use{"a", "{{start.inputs.custmer}}", "expression_unknown"}, Use{"a", "{{start.text}}", "expression_unknown"},
        Use{"a", "{{state.notes}}", ""}, Use{"a", "{{state.note}}", "expression_unknown"},
        Use{"a", "{{state.mood}}", "expression_unknown"}, Use{"a", "{{session.mood}} {{session.turn}}", ""},
        Use{"a", "{{session.notes}}", "expression_unknown"}, Use{"a", "{{nodes.ask.text}}", "expression_unknown"},
        Use{"meet", "{{nodes.pick.case}}", ""}, Use{"meet", "{{nodes.pick.txt}}", "expression_unknown"},
        Use{"a", "{{run.id}}{{flow.slug}}{{step.now}}{{vars.x}}{{input.y}}", ""},
        Use{"a", "{{step.then}}", "expression_unknown"}, Use{"a", "{{item}}", "expression_unknown"},
        Use{"inner", "{{item.name}} {{index}}", ""}, Use{"a", "{{loop.count}}", "expression_unknown"},
        Use{"round", "{{loop.count}} {{loop.best}}", ""}, Use{"round", "{{loop.worst}}", "expression_unknown"},
        Use{"last", "{{nodes.inner.text}}", "expression_unknown"}, Use{"each", "{{nodes.inner.text}}", ""},
        Use{"round", "{{nodes.each.items}}", ""}));

INSTANTIATE_TEST_SUITE_P(
    Order, Names,
    testing::Values(
        Use{"last", "{{nodes.left.text}} {{nodes.right.text}} {{nodes.meet.text}}", ""},
        Use{"meet", "{{nodes.a.text}}", "expression_order"},
        Use{"meet", "{{nodes.a.text | default(nodes)}}", ""},   // not an expression: reported as syntax elsewhere
        Use{"meet", "{{nodes.a.text | default('none')}}", ""}, Use{"left", "{{nodes.right.text}}", "expression_order"},
        Use{"a", "{{nodes.last.text}}", "expression_order"}, Use{"a", "{{nodes.a.text}}", "expression_order"},
        Use{"inner", "{{nodes.last.text}}", ""}, Use{"inner", "{{nodes.each.items}}", "expression_order"}));

struct Setting {
    const char* type;
    const char* text;
    std::vector<std::string> codes;
};

class Settings : public testing::TestWithParam<Setting> {};

TEST_P(Settings, AreChecked)
{
    const auto [document, wrong] =
        read_document(R"({"name":"n","flow_type":")" + std::string(GetParam().type) + "\"," + GetParam().text + "}");
    ASSERT_TRUE(wrong.empty()) << problems_json(wrong).dump();
    Problems problems;
    check_document(document, problems);
    std::vector<std::string> codes;
    for (const auto& problem : problems.list())
        codes.push_back(problem.code);
    EXPECT_EQ(codes, GetParam().codes) << problems_json(problems).dump();
}

INSTANTIATE_TEST_SUITE_P(
    OfFlows, Settings,
    testing::Values(
        Setting{
            "agentflow",
            R"("orchestration_type":"hierarchical","supervisor_config":{"enabled":true,"llm_provider":"openai","llm_model":"gpt-4","max_iterations":10,"decision_strategy":"llm_based"})",
            {}},
        Setting{
            "chatflow",
            R"("chat_config":{"llm_provider":"openai","temperature":0.7,"max_tokens":2000,"streaming":true,"system_prompt":null},"memory_config":{"type":"buffer","max_messages":10},"rag_config":{"enabled":true,"knowledgebase_ids":["kb-123"],"retrieval_strategy":"hybrid","top_k":5})",
            {}},
        Setting{"agentflow", R"("orchestration_type":"circular")", {"orchestration_invalid"}},
        Setting{"agentflow",
                R"("orchestration_type":"adaptive","supervisor_config":{"enabled":false})",
                {"orchestration_invalid"}},
        Setting{"agentflow",
                R"("supervisor_config":{"max_iterations":101,"decision_strategy":"coin","model":"x"})",
                {"field_unknown", "field_range", "field_range"}},
        Setting{"agentflow", R"("chat_config":{})", {"orchestration_invalid"}},
        Setting{"chatflow",
                R"("supervisor_config":{},"orchestration_type":"parallel")",
                {"orchestration_invalid", "orchestration_invalid"}},
        Setting{
            "chatflow",
            R"("chat_config":{"temperature":2.5,"max_tokens":"x"},"memory_config":{"type":"none"},"rag_config":{"top_k":51,"knowledgebase_ids":[1]})",
            {"field_range", "field_type", "field_range", "field_range", "field_type"}},
        Setting{"agentflow",
                R"("inputs":[{"name":"a"},{"name":"a","type":"list<dates>"},{"typ":"text"}])",
                {"id_duplicate", "field_range", "field_unknown", "field_missing"}},
        Setting{"agentflow",
                R"("state":[{"name":"a","type":"list<text>","reducer":"max","scope":"world"}])",
                {"field_range", "field_range"}},
        Setting{"agentflow", R"("limits":{"max_steps":0,"steps":1})", {"field_unknown", "field_range"}}));

struct Carried {
    const char* nodes;    // besides a start s
    const char* source;
    const char* out;
    const char* target;
    const char* in;
    bool fits;
};

class Types : public testing::TestWithParam<Carried> {};

TEST_P(Types, OfAnEdge)
{
    const auto& carried = GetParam();
    const auto [document, wrong] = read_document(
        R"({"flow_type":"agentflow","name":"n","nodes":[{"id":"s","type":"start"},)" + std::string(carried.nodes) +
        R"(],"edges":[{"id":"e","source":")" + carried.source + R"(","sourceHandle":")" + carried.out +
        R"(","target":")" + carried.target + R"(","targetHandle":")" + carried.in + "\"}]}");
    ASSERT_TRUE(wrong.empty()) << problems_json(wrong).dump();
    Problems problems;
    check_types(document, problems);
    ASSERT_EQ(problems.empty(), carried.fits) << problems_json(problems).dump();
    if (!carried.fits) {
        EXPECT_EQ(problems.list()[0].code, "type_mismatch");
        EXPECT_EQ(problems.list()[0].edge_id, "e");
    }
}

INSTANTIATE_TEST_SUITE_P(
    Edges, Types,
    testing::Values(
        Carried{R"({"id":"a","type":"llm"})", "s", "out", "a", "in", true},
        Carried{
            R"({"id":"p","type":"prompt","data":{"config":{"messages":[{"role":"user","text":"x"}]}}},{"id":"a","type":"llm"})",
            "p", "out", "a", "in", true},
        Carried{
            R"({"id":"p","type":"prompt","data":{"config":{"messages":[{"role":"user","text":"x"}]}}},{"id":"r","type":"reply"})",
            "p", "out", "r", "in", false},
        Carried{
            R"({"id":"p","type":"prompt","data":{"config":{"messages":[{"role":"user","text":"x"}]}}},{"id":"r","type":"reply","data":{"config":{"text":"ok"}}})",
            "p", "out", "r", "in", true},
        Carried{R"({"id":"i","type":"iteration"},{"id":"a","type":"llm"})", "i", "out", "a", "in", false},
        Carried{
            R"({"id":"i","type":"iteration"},{"id":"a","type":"llm","data":{"config":{"prompt":"{{nodes.i.items}}"}}})",
            "i", "out", "a", "in", true},
        Carried{R"({"id":"l","type":"loop"},{"id":"r","type":"reply"})", "l", "out", "r", "in", false},
        Carried{R"({"id":"h","type":"http"},{"id":"r","type":"reply"})", "h", "out", "r", "in", true},
        Carried{R"({"id":"t","type":"tool"},{"id":"a","type":"agent"})", "t", "out", "a", "tools", true},
        Carried{R"({"id":"h","type":"http"},{"id":"a","type":"agent"})", "h", "out", "a", "tools", false},
        Carried{R"({"id":"v","type":"supervisor"},{"id":"a","type":"agent"})", "v", "workers", "a", "worker", true},
        Carried{R"({"id":"v","type":"supervisor"},{"id":"a","type":"agent"})", "v", "workers", "a", "in", false},
        Carried{R"({"id":"b","type":"llm"},{"id":"a","type":"agent"})", "b", "out", "a", "worker", false}));

}  // namespace names_test
}  // namespace dure::flows

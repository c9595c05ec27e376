// Every code that check_structure() and check_configs() give, from a drawing that has just that fault; and all at once.
#include <gtest/gtest.h>

#include <algorithm>

#include "dure/flows/validation.hpp"

namespace dure::flows {
namespace validation_test {

std::vector<std::string> codes_of(const std::string& nodes, const std::string& edges)
{
    auto reading =
        read_document(R"({"flow_type":"agentflow","name":"n","nodes":[)" + nodes + "],\"edges\":[" + edges + "]}");
    EXPECT_FALSE(reading.problems.has_errors()) << problems_json(reading.problems).dump();
    Problems problems;
    check_structure(reading.document, problems);
    check_configs(reading.document, problems);
    std::vector<std::string> codes;
    for (const auto& problem : problems.list()) {
        codes.push_back(problem.code);
        EXPECT_TRUE(problem.code == "start_missing" || problem.code == "no_output" || !problem.node_id.empty() ||
                    !problem.edge_id.empty())
            << problem.code;
    }
    return codes;
}

std::string node(const std::string& id, const std::string& kind, const std::string& config = "{}",
                 const std::string& more = "")
{
    return R"({"id":")" + id + R"(","type":")" + kind + R"(","data":{"config":)" + config + "}" + more + "}";
}

std::string edge(const std::string& source, const std::string& target, const std::string& out = "out",
                 const std::string& in = "in")
{
    return R"({"id":")" + source + out + target + in + R"(","source":")" + source + R"(","target":")" + target +
           R"(","sourceHandle":")" + out + R"(","targetHandle":")" + in + R"("})";
}

const std::string begin = node("s", "start") + "," + node("r", "reply");
const std::string joined = edge("s", "r");

std::string with_llm(const std::string& data)
{
    return begin + R"(,{"id":"a","type":"llm","data":)" + data + "}";
}

std::string with_condition(const std::string& cases)
{
    return begin + "," + node("c", "condition", R"({"cases":)" + cases + "}");
}

struct Drawing {
    const char* name;
    std::string nodes, edges;
    std::vector<std::string> codes;
};

void PrintTo(const Drawing& drawing, std::ostream* out)
{
    *out << drawing.name;
}

class Validation : public testing::TestWithParam<Drawing> {};

TEST_P(Validation, NamesTheFault)
{
    EXPECT_EQ(codes_of(GetParam().nodes, GetParam().edges), GetParam().codes);
}

std::string drawing_name(const testing::TestParamInfo<Drawing>& info)
{
    return info.param.name;
}

const std::string inside_i = R"(,"parentId":"i")";

INSTANTIATE_TEST_SUITE_P(
    Structure, Validation,
    testing::Values(
        Drawing{"Fine", begin, joined, {}}, Drawing{"WithoutNodes", "", "", {}},
        Drawing{"AgentsAlone", node("a", "agent") + "," + node("b", "agent"), "", {}},
        Drawing{"AgentsBehindAStart", node("s", "start") + "," + node("a", "agent") + "," + node("b", "agent"), "", {}},
        Drawing{"AgentsAndTheirTools",
                node("a", "agent") + "," + node("t", "tool", R"({"tool":"calculator"})"),
                edge("t", "a", "out", "tools"),
                {}},
        Drawing{"AgentsBesideADrawnFlow", begin + "," + node("a", "agent"), joined, {"unreachable"}},
        Drawing{"UnknownKind", begin + "," + node("x", "teleport"), joined + "," + edge("s", "x"), {"kind_unknown"}},
        Drawing{
            "LaterKind", begin + "," + node("x", "retriever"), joined + "," + edge("s", "x"), {"kind_not_available"}},
        Drawing{"Unsupported",
                begin + "," + node("x", "unsupported"),
                joined + "," + edge("s", "x", "out", "any"),
                {"unsupported_node"}},
        Drawing{"NodeIdTwice", begin + "," + node("r", "reply"), joined, {"id_duplicate"}},
        Drawing{"EdgeIdTwice",
                begin,
                joined + R"(,{"id":"soutrin","source":"r","target":"x"})",
                {"id_duplicate", "edge_dangling"}},
        Drawing{"Dangling",
                begin,
                joined + "," + edge("gone", "r") + "," + edge("s", "lost"),
                {"edge_dangling", "edge_dangling"}},
        Drawing{"Self", begin, joined + "," + edge("r", "r"), {"edge_self"}},
        Drawing{"EdgeTwice", begin, joined + R"(,{"id":"other","source":"s","target":"r"})", {"edge_duplicate"}},
        Drawing{"Handles",
                begin + "," + node("a", "llm"),
                joined + "," + edge("s", "a", "left") + "," + edge("a", "r", "error", "up"),
                {"handle_unknown", "handle_unknown", "handle_unknown"}},
        Drawing{"RouterClasses",
                begin + "," + node("q", "router", R"({"classes":[{"id":"a","name":"A"}]})"),
                edge("s", "q") + "," + edge("q", "r", "a"),
                {}},
        Drawing{"RouterElse",
                begin + "," + node("q", "router", R"({"classes":[{"id":"a","name":"A"}]})"),
                edge("s", "q") + "," + edge("q", "r", "a") + "," + edge("q", "r", "else"),
                {"handle_unknown"}},
        Drawing{"RouterElseAllowed",
                begin + "," + node("q", "router", R"({"classes":[{"id":"a","name":"A"}],"allow_none":true})"),
                edge("s", "q") + "," + edge("q", "r", "a") + "," + edge("q", "r", "else"),
                {}},
        Drawing{"ErrorHandle",
                with_llm(R"({"policy":{"on_error":"branch"}})"),
                joined + "," + edge("s", "a") + "," + edge("a", "r", "error"),
                {}},
        Drawing{"CaseHandle",
                with_condition(R"([{"id":"yes","all":[{"left":"a","op":"eq","right":"a"}]}])"),
                joined + "," + edge("s", "c") + "," + edge("c", "r", "yes") + "," + edge("c", "r", "else"),
                {}},
        Drawing{"UnknownCaseHandle",
                with_condition(R"([{"id":"yes","all":[{"left":"a","op":"eq","right":"a"}]}])"),
                joined + "," + edge("s", "c") + "," + edge("c", "r", "no"),
                {"handle_unknown"}},
        Drawing{"ActionHandles",
                begin + "," + node("h", "human_input", R"({"prompt":"?"})"),
                joined + "," + edge("s", "h") + "," + edge("h", "r", "approve") + "," + edge("h", "r", "timeout"),
                {}},
        Drawing{"TwoSupervisors",
                begin + "," + node("a", "agent") + "," + node("v", "supervisor") + "," + node("w", "supervisor"),
                joined + "," + edge("s", "v") + "," + edge("s", "w") + "," + edge("v", "a", "workers", "worker") + "," +
                    edge("w", "a", "workers", "worker"),
                {"handle_single"}},
        Drawing{"NoteWithEdge", begin + "," + node("t", "note"), joined + "," + edge("t", "r"), {"note_has_edge"}},
        Drawing{"StartHasInput", begin, joined + "," + edge("r", "s"), {"start_has_input"}},
        Drawing{"NoStart", node("r", "reply"), "", {"start_missing"}},
        Drawing{"TwoStarts", begin + "," + node("t", "start"), joined + "," + edge("t", "r"), {"start_multiple"}},
        Drawing{"Circle",
                begin + "," + node("a", "llm") + "," + node("b", "llm") + "," + node("c", "llm"),
                joined + "," + edge("s", "a") + "," + edge("a", "b") + "," + edge("b", "a") + "," + edge("b", "c"),
                {"cycle", "cycle"}},
        Drawing{"Unreachable", begin + "," + node("a", "llm"), joined + "," + edge("a", "r"), {"unreachable"}},
        Drawing{"NoOutput", node("s", "start") + "," + node("a", "llm"), edge("s", "a"), {"no_output"}},
        Drawing{"ToolOfAnAgent",
                begin + "," + node("a", "agent") + "," + node("t", "tool", R"({"tool":"calculator"})"),
                joined + "," + edge("s", "a") + "," + edge("t", "a", "out", "tools"),
                {}}),
    drawing_name);

Drawing loop_variable(const char* name, const std::string& variable, std::vector<std::string> codes)
{
    return {name,
            begin + "," + node("i", "loop", R"({"vars":[)" + variable + "]}") + "," + node("a", "llm", "{}", inside_i),
            joined + "," + edge("s", "i"), std::move(codes)};
}

INSTANTIATE_TEST_SUITE_P(
    LoopVariables, Validation,
    testing::Values(
        loop_variable("OfItsType", R"({"name":"v","type":"list<number>","value":[1,2.5]})", {}),
        loop_variable("Computed", R"({"name":"v","type":"list<number>","value":["{{start.message}}"]})", {}),
        loop_variable("Unset", R"({"name":"v","type":"number","value":null},{"name":"w","type":"text"})", {}),
        loop_variable("OfAnotherType", R"({"name":"v","type":"number","value":"x"})", {"field_type"}),
        loop_variable("OfNoType", R"({"name":"v","type":"txt","value":"x"})", {"field_range"})),
    drawing_name);

INSTANTIATE_TEST_SUITE_P(
    Containers, Validation,
    testing::Values(Drawing{"Body",
                            begin + "," + node("i", "iteration") + "," + node("a", "llm", "{}", inside_i),
                            joined + "," + edge("s", "i"),
                            {}},
                    Drawing{
                        "EmptyBody", begin + "," + node("i", "loop"), joined + "," + edge("s", "i"), {"body_empty"}},
                    Drawing{"ParentIsNoContainer",
                            begin + "," + node("a", "llm", "{}", R"(,"parentId":"r")"),
                            joined,
                            {"parent_invalid"}},
                    Drawing{"ParentIsGone", begin + "," + node("a", "llm", "{}", inside_i), joined, {"parent_invalid"}},
                    Drawing{"Border",
                            begin + "," + node("i", "iteration") + "," + node("a", "llm", "{}", inside_i),
                            joined + "," + edge("s", "i") + "," + edge("a", "r"),
                            {"border_crossed"}},
                    Drawing{"TooDeep",
                            begin + "," + node("i", "loop") + "," + node("j", "loop", "{}", inside_i) + "," +
                                node("k", "loop", "{}", R"(,"parentId":"j")") + "," +
                                node("l", "loop", "{}", R"(,"parentId":"k")") + "," +
                                node("m", "loop", "{}", R"(,"parentId":"l")") + "," +
                                node("z", "set", R"({"ops":[]})", R"(,"parentId":"m")"),
                            joined + "," + edge("s", "i"),
                            {"nesting"}}),
    drawing_name);

const std::string unreached = "unreachable";

INSTANTIATE_TEST_SUITE_P(
    Configs, Validation,
    testing::Values(
        Drawing{"UnknownField", with_llm(R"({"config":{"promt":"x"}})"), joined, {unreached, "field_unknown"}},
        Drawing{"MissingField", begin + "," + node("h", "http"), joined, {unreached, "field_missing"}},
        Drawing{"WrongTypes",
                with_llm(R"({"config":{"prompt":1,"temperature":"x","stop":["a",1],"stream":"no","messages":{}}})"),
                joined,
                {unreached, "field_type", "field_type", "field_type", "field_type", "field_type"}},
        Drawing{"OutOfRange",
                with_llm(R"({"config":{"temperature":2.1,"max_tokens":0}})"),
                joined,
                {unreached, "field_range", "field_range"}},
        Drawing{"ExpressionForAList",
                with_llm(R"({"config":{"messages":"{{state.m}}","stream":"{{vars.s}}"}})"),
                joined,
                {unreached}},
        Drawing{"Choice",
                begin + "," + node("h", "http", R"({"url":"https://u.example","method":"BREW"})"),
                joined,
                {unreached, "field_range"}},
        Drawing{"LaterTrigger",
                node("s", "start", R"({"trigger":"webhook"})") + "," + node("r", "reply"),
                joined,
                {"kind_not_available"}},
        Drawing{"NoCases", with_condition("[]"), joined, {unreached, "case_empty"}},
        Drawing{"CaseTwice",
                with_condition(
                    R"([{"id":"a","all":[{"left":"a","op":"empty"}]},{"id":"a","any":[{"left":"a","op":"empty"}]}])"),
                joined,
                {unreached, "case_duplicate"}},
        Drawing{"CaseNamedElse",
                with_condition(R"([{"id":"else","all":[{"left":"a","op":"empty"}]}])"),
                joined,
                {unreached, "case_duplicate"}},
        Drawing{"CaseWithoutConditions", with_condition(R"([{"id":"a"}])"), joined, {unreached, "case_empty"}},
        Drawing{"ConditionType",
                with_condition(R"([{"id":"a","all":[{"left":"a","op":"gt","right":"b","type":"boolean"}]}])"),
                joined,
                {unreached, "condition_type"}},
        Drawing{"PolicyWhereNone",
                begin.substr(0, begin.size()) + R"(,{"id":"p","type":"set","data":{"config":{"ops":[]},"policy":{}}})",
                joined,
                {unreached, "field_unknown"}},
        Drawing{
            "Policy",
            with_llm(
                R"({"policy":{"on_error":"default","retry":{"max_attempts":11,"on":["never"],"x":1},"on_crash":"cry"}})"),
            joined,
            {unreached, "field_range", "field_missing", "field_unknown", "field_range", "field_range"}},
        Drawing{"PolicyDefault",
                with_llm(R"({"policy":{"on_error":"default","default":{"text":"sorry","txt":"?"}}})"),
                joined,
                {unreached, "field_unknown"}},
        Drawing{
            "PolicyDefaultTypes",
            with_llm(R"({"policy":{"on_error":"default","default":{"text":1,"messages":{},"usage":[],"json":null}}})"),
            joined,
            {unreached, "field_type", "field_type", "field_type"}},
        Drawing{
            "PolicyDefaultStatus",
            begin +
                R"(,{"id":"h","type":"http","data":{"config":{"url":"https://u.example"},"policy":{"on_error":"default","default":{"body":[1],"status":"200"}}}})",
            joined,
            {unreached, "field_type"}},
        Drawing{"SubflowThatIsNotWaitedFor",
                begin + "," + node("f", "subflow", R"({"flow":"x","wait":false})"),
                joined,
                {unreached, "kind_not_available"}},
        Drawing{"Syntax", with_llm(R"({"config":{"prompt":"{{input"}})"), joined, {unreached, "expression_syntax"}},
        Drawing{"NestedSyntax",
                begin + "," + node("t", "tool", R"({"tool":"t","arguments":{"a":[{"b":"{{input |}}"}]}})"),
                joined,
                {unreached, "expression_syntax"}},
        Drawing{"UnknownRoot",
                with_llm(R"({"config":{"prompt":"{{env.HOME}}"}})"),
                joined,
                {unreached, "expression_unknown"}},
        Drawing{"SecretInAPrompt",
                with_llm(R"({"config":{"prompt":"{{secrets.key}}"}})"),
                joined,
                {unreached, "secret_misplaced"}},
        Drawing{
            "SecretInABody",
            begin + "," +
                node(
                    "h", "http",
                    R"({"url":"https://u.example","body":{"type":"text","text":"{{secrets.k}}"},"headers":{"A":"{{secrets.k}}"}})"),
            joined,
            {unreached, "secret_misplaced"}},
        Drawing{"SecretThroughAFilter",
                begin + "," +
                    node("h", "http", R"({"url":"https://u.example","headers":{"A":"{{secrets.k|slice(1)}}"}})"),
                joined,
                {unreached, "secret_misplaced"}}),
    drawing_name);

TEST(Validation, AllProblemsComeAtOnce)
{
    const auto codes = codes_of(with_llm(R"({"config":{"promt":1}})") + "," + node("x", "teleport"),
                                edge("s", "gone") + "," + edge("a", "a"));
    for (const auto* code : {"kind_unknown", "edge_dangling", "edge_self", "field_unknown"})
        EXPECT_NE(std::find(codes.begin(), codes.end(), code), codes.end()) << code;
}

TEST(Validation, AProblemInAConfigNamesItsPlace)
{
    const auto reading = read_document(R"({"flow_type":"chatflow","name":"n","nodes":[)" +
                                       with_llm(R"({"config":{"temperature":3}})") + "]}");
    Problems problems;
    check_configs(reading.document, problems);
    ASSERT_EQ(problems.list().size(), 1u);
    EXPECT_EQ(problems.list()[0].location, (std::vector<std::string>{"nodes", "2", "data", "config", "temperature"}));
    EXPECT_EQ(problems.list()[0].node_id, "a");
}

// Every run would fail: a person was to be asked, and nobody ever would be.
TEST(Validation, ApprovalsNameToolsOfTheirAgent)
{
    const auto faults = [](const std::string& config, bool attached) {
        const auto reading =
            read_document(R"({"flow_type":"chatflow","name":"n","nodes":[)" + node("a", "agent", config) + "," +
                          node("t", "tool", R"({"tool":"mail"})") + R"(],"edges":[)" +
                          (attached ? R"({"id":"e","source":"t","target":"a","targetHandle":"tools"})" : "") + "]}");
        Problems problems;
        check_approvals(reading.document, problems);
        std::vector<std::string> places;
        for (const auto& one : problems.list())
            places.push_back(one.location.back() + " " + one.code);
        return places;
    };
    const std::string own = R"("tools":["echo",{"name":"sum"}],)";
    EXPECT_EQ(faults("{" + own + R"("require_approval":["echo","nosuch","sum","mail"]})", false),
              (std::vector<std::string>{"1 field_range", "3 field_range"}));
    EXPECT_EQ(faults("{" + own + R"("require_approval":["mail"]})", true), std::vector<std::string>());
    EXPECT_EQ(faults(R"({"tools":["{{vars.tool}}"],"require_approval":["nosuch"]})", false), std::vector<std::string>())
        << "known when it runs";
    EXPECT_EQ(faults(R"({"require_approval":["echo"]})", false), std::vector<std::string>{"0 field_range"});
}

// The model knows a tool by its name alone.
TEST(Validation, AToolIsAttachedOnceUnlessItIsTheSameTwice)
{
    const auto faults = [](const std::string& first, const std::string& second) {
        const auto edge = [](const std::string& tool) {
            return R"({"id":"e)" + tool + R"(","source":")" + tool + R"(","target":"a","targetHandle":"tools"})";
        };
        const auto reading =
            read_document(R"({"flow_type":"chatflow","name":"n","nodes":[)" + node("a", "agent", "{}") + "," +
                          node("t", "tool", first) + "," + node("u", "tool", second) + R"(],"edges":[)" + edge("t") +
                          "," + edge("u") + "]}");
        Problems problems;
        check_approvals(reading.document, problems);
        std::string all;
        for (const auto& one : problems.list())
            all += one.node_id + " " + one.code + " ";
        return all;
    };
    EXPECT_EQ(faults(R"({"tool":"echo","arguments":{"text":"one"}})", R"({"tool":"echo","arguments":{"text":"two"}})"),
              "u field_range ");
    EXPECT_EQ(faults(R"({"tool":"echo","arguments":{"text":"one"}})", R"({"tool":"echo"})"), "u field_range ");
    EXPECT_EQ(faults(R"({"tool":"echo","arguments":{}})", R"({"tool":"echo"})"), "");
    EXPECT_EQ(faults(R"({"tool":"echo"})", R"({"tool":"sum"})"), "");
}

TEST(Validation, APolicyThatHasNoEffectIsAWarning)
{
    const auto policy = R"({"config":{},"policy":{"timeout_ms":200}})";
    const auto drawn = [&](const std::string& id, const char* kind) {
        return R"({"id":")" + id + R"(","type":")" + kind + R"(","data":)" + policy + "}";
    };
    const auto reading = read_document(
        R"({"flow_type":"agentflow","name":"n","nodes":[)" + node("s", "start", "{}") + "," + drawn("a", "agent") +
        "," + drawn("t", "tool") + "," + node("team", "supervisor", "{}") + "," + drawn("w", "agent") +
        R"(],"edges":[)" +
        R"({"id":"1","source":"s","target":"a"},{"id":"2","source":"t","target":"a","targetHandle":"tools"},)" +
        R"({"id":"3","source":"team","sourceHandle":"workers","target":"w","targetHandle":"worker"}]})");
    Problems problems;
    check_approvals(reading.document, problems);
    std::vector<std::string> found;
    for (const auto& one : problems.list()) {
        EXPECT_EQ(one.level, Level::warning);
        found.push_back(one.node_id + " " + one.code);
    }
    EXPECT_EQ(found, (std::vector<std::string>{"t policy_unused", "w policy_unused"}));
}

}  // namespace validation_test
}  // namespace dure::flows

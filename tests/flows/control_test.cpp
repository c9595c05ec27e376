// reducer_missing and loop_target_invalid: what check_flow() says of writers side by side and of jumps.
#include <gtest/gtest.h>

#include "dure/flows/validation.hpp"

namespace dure::flows {
namespace control_test {

std::string node(const std::string& id, const std::string& kind, const std::string& config = "{}",
                 const std::string& parent = "")
{
    return R"({"id":")" + id + R"(","type":")" + kind + R"(","data":{"config":)" + config + "}" +
           (parent.empty() ? "" : R"(,"parentId":")" + parent + "\"") + "}";
}

std::string writer(const std::string& id, const std::string& target, const std::string& parent = "")
{
    return node(id, "set", R"({"ops":[{"target":")" + target + R"(","op":"set","value":1}]})", parent);
}

std::string edge(const std::string& source, const std::string& target, const std::string& handle = "out")
{
    return R"({"source":")" + source + R"(","target":")" + target + R"(","sourceHandle":")" + handle + "\"}";
}

std::vector<std::string> found(const std::string& nodes, const std::string& edges)
{
    const auto reading = read_document(
        R"({"flow_type":"agentflow","name":"n","state":[{"name":"x","type":"text"},{"name":"l","type":"list","reducer":"append"},)"
        R"({"name":"kept","scope":"session"}],"nodes":[)" +
        nodes + "],\"edges\":[" + edges + "]}");
    EXPECT_FALSE(reading.problems.has_errors()) << problems_json(reading.problems).dump();
    Problems problems;
    check_flow(reading.document, problems);
    std::vector<std::string> out;
    for (const auto& problem : problems.list())
        out.push_back(problem.code + " " + problem.node_id);
    return out;
}

const std::string start = node("s", "start");
const std::string fork = edge("s", "a") + "," + edge("s", "b");

struct Case {
    const char* name;
    std::string nodes, edges;
    std::vector<std::string> found;
};

void PrintTo(const Case& one, std::ostream* out)
{
    *out << one.name;
}

class FlowOfControl : public testing::TestWithParam<Case> {};

TEST_P(FlowOfControl, IsSeenAsItWillRun)
{
    EXPECT_EQ(found(GetParam().nodes, GetParam().edges), GetParam().found);
}

const std::string choice =
    node("c", "condition", R"({"cases":[{"id":"yes","all":[{"left":"{{start.message}}","op":"not_empty"}]}]})");

INSTANTIATE_TEST_SUITE_P(
    Writers, FlowOfControl,
    testing::Values(
        Case{"SideBySide",
             start + "," + writer("a", "state.x") + "," + writer("b", "state.x"),
             fork,
             {"reducer_missing b"}},
        Case{"OneAfterTheOther",
             start + "," + writer("a", "state.x") + "," + writer("b", "state.x"),
             edge("s", "a") + "," + edge("a", "b"),
             {}},
        Case{"WithAReducer", start + "," + writer("a", "state.l") + "," + writer("b", "state.l"), fork, {}},
        Case{"OfTheSession",
             start + "," + writer("a", "session.kept") + "," + writer("b", "session.kept"),
             fork,
             {"reducer_missing b"}},
        Case{"OfDifferentValues", start + "," + writer("a", "state.x") + "," + writer("b", "session.kept"), fork, {}},
        Case{"InBranchesOfOneCondition",
             start + "," + choice + "," + writer("a", "state.x") + "," + writer("b", "state.x"),
             edge("s", "c") + "," + edge("c", "a", "yes") + "," + edge("c", "b", "else"),
             {}},
        Case{"InOneBranchOfACondition",
             start + "," + choice + "," + writer("a", "state.x") + "," + writer("b", "state.x"),
             edge("s", "c") + "," + edge("c", "a", "yes") + "," + edge("c", "b", "yes"),
             {"reducer_missing b"}},
        Case{"BehindTheMeetingOfBranches",
             start + "," + choice + "," + node("m", "template", R"({"text":"x"})") + "," + writer("a", "state.x") +
                 "," + writer("b", "state.x"),
             edge("s", "c") + "," + edge("c", "m", "yes") + "," + edge("c", "m", "else") + "," + edge("m", "a") + "," +
                 edge("m", "b"),
             {"reducer_missing b"}},
        Case{
            "OnAnErrorBranch",
            start +
                R"(,{"id":"h","type":"http","data":{"config":{"url":"https://x.example"},"policy":{"on_error":"branch"}}},)" +
                writer("a", "state.x") + "," + writer("b", "state.x"),
            edge("s", "h") + "," + edge("h", "a") + "," + edge("h", "b", "error"),
            {}},
        Case{"ABodyBesideANode",
             start + "," + node("l", "loop") + "," + writer("a", "state.x", "l") + "," + writer("b", "state.x"),
             edge("s", "l") + "," + edge("s", "b"),
             {"reducer_missing b"}},
        Case{"ABodyBeforeANode",
             start + "," + node("l", "loop") + "," + writer("a", "state.x", "l") + "," + writer("b", "state.x"),
             edge("s", "l") + "," + edge("l", "b"),
             {}},
        Case{"ItemsAtOnce",
             start + "," + node("i", "iteration", R"({"parallel":4})") + "," + writer("a", "state.x", "i"),
             edge("s", "i"),
             {"reducer_missing a"}},
        Case{"ItemsOneByOne",
             start + "," + node("i", "iteration") + "," + writer("a", "state.x", "i"),
             edge("s", "i"),
             {}}),
    [](const auto& info) { return std::string(info.param.name); });

std::string back_to(const std::string& target, const std::string& parent = "")
{
    return node("back", "loop_back", R"({"target":")" + target + "\"}", parent);
}

const std::string line = start + "," + node("a", "template", R"({"text":"x"})") + ",";

INSTANTIATE_TEST_SUITE_P(
    Jumps, FlowOfControl,
    testing::Values(
        Case{"ToAnAncestor", line + back_to("a"), edge("s", "a") + "," + edge("a", "back"), {}},
        Case{"ToNothing",
             line + back_to("gone"),
             edge("s", "a") + "," + edge("a", "back"),
             {"loop_target_invalid back"}},
        Case{
            "ToItself", line + back_to("back"), edge("s", "a") + "," + edge("a", "back"), {"loop_target_invalid back"}},
        Case{"ToTheStart", line + back_to("s"), edge("s", "a") + "," + edge("a", "back"), {"loop_target_invalid back"}},
        Case{"ToANodeBeside",
             line + back_to("a"),
             edge("s", "a") + "," + edge("s", "back"),
             {"loop_target_invalid back"}},
        Case{"OutOfTheContainer",
             line + node("l", "loop") + "," + back_to("a", "l"),
             edge("s", "a") + "," + edge("a", "l"),
             {"loop_target_invalid back"}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace control_test
}  // namespace dure::flows

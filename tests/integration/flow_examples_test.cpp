// Every flow of examples/flows on the real binary, against a scripted model and a scripted far side: it is valid, is saved, runs, and
// gives exactly the outputs and the events that its case in flow_examples/ says.
#include <gtest/gtest.h>

#include <set>

#include "integration/flow_example_runs.hpp"

namespace dure::test {
namespace flow_examples {

std::string test_name(std::string name)
{
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

// A hundred reviews, every second one negative.
Json hundred_reviews()
{
    auto reviews = Json::array();
    auto rows = Json::array();
    for (int i = 0; i < 100; ++i) {
        const bool bad = i % 2 == 1;
        const auto review = "리뷰 " + std::to_string(i) + (bad ? ": \"최악\"이에요" : ": 아주 좋아요");
        reviews.push_back(review);
        rows.push_back({{"number", i}, {"review", review}, {"mood", bad ? "negative" : "positive"}});
    }
    auto all = example_case("review-batch");
    auto& run = all["runs"][0];
    run["inputs"]["reviews"] = reviews;
    auto& output = run["output"];
    output["outputs"]["rows"] = rows;
    output["text"] = output["outputs"].dump();  // nothing was replied: the last node's output, as text
    return all;
}

Json case_of(const std::string& name)
{
    return name == "review-batch" ? hundred_reviews() : example_case(name);
}

class FlowExamples : public testing::TestWithParam<std::string> {};

TEST_P(FlowExamples, RunAsTheyAreMeantTo)
{
    ExampleServer server("sqlite");
    server.run_case(GetParam(), case_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(All, FlowExamples, testing::ValuesIn(example_names(example_case_folder)),
                         [](const auto& info) { return test_name(info.param); });

TEST(FlowExamplesOnPostgres, RunAsTheyAreMeantTo)
{
    ExampleServer server("postgres");
    for (const auto& name : example_names(example_case_folder))
        server.run_case(name, case_of(name));
}

TEST(FlowExamplesTogether, EachHasACaseAndEveryKindIsShown)
{
    std::set<std::string> kinds;
    const auto cases = example_names(example_case_folder);
    EXPECT_EQ(example_names(example_folder), cases);
    for (const auto& name : example_names(example_folder)) {
        const auto text = read_file(example_folder / (name + ".json"));
        EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 150) << name;
        const auto document = Json::parse(text);
        EXPECT_FALSE(document.at("description").get<std::string>().empty()) << name;
        for (const auto& node : document.at("nodes"))
            kinds.insert(node.at("type").get<std::string>());
    }
    const std::set<std::string> all{"start", "prompt",  "template",  "llm",  "agent",       "supervisor", "router",
                                    "tool",  "http",    "condition", "join", "set",         "iteration",  "loop",
                                    "reply", "subflow", "extract",   "end",  "human_input", "note"};
    EXPECT_EQ(kinds, all);
}

// No server, no provider: what a reader of the README does first.
TEST(FlowExamplesTogether, AreValidForTheCommandLine)
{
    for (const auto& name : example_names(example_folder)) {
        const TemporaryFolder folder;
        const auto finished =
            run_command(folder.path(), {"flow", "validate", (example_folder / (name + ".json")).string()});
        EXPECT_EQ(finished.code, 0) << name << finished.err;
        EXPECT_EQ(Json::parse(finished.out), Json::parse(R"({"valid":true,"problems":[]})")) << name;
    }
}

}  // namespace flow_examples
}  // namespace dure::test

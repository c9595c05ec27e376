// Rule N2: no clock and no random number influences what runs next or what state becomes. By text, for what plans and folds; by
// behaviour, for a run as a whole. N1 is simulation_test.cpp, N3 checkpoint_test.cpp and the conformance suites.
#include <fstream>
#include <iterator>

#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

TEST(N2, WhatPlansRoutesAndFoldsReadsNoClockAndNoRandomNumber)
{
    for (const auto* name :
         {"algorithm.cpp", "fold.cpp", "reducers.cpp", "frontier.cpp", "state.cpp", "state_graph.cpp"}) {
        std::ifstream file(std::string(DURE_SOURCE_DIR) + "/src/graph/" + name);
        ASSERT_TRUE(file) << name;
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        for (const auto* word :
             {"Clock", "Steady", "now(", "rand", "new_id", "this_thread", "sleep", "hash<", "unordered"})
            EXPECT_EQ(text.find(word), std::string::npos) << name << " has " << word;
    }
}

class FixedClock final : public Clock {
public:
    explicit FixedClock(UnixMillis at) : at_(at) {}
    UnixMillis now() const override { return at_; }
    Steady::time_point steady_now() const override { return Steady::now(); }

private:
    UnixMillis at_;
};

// Everything of a run that must not depend on when and how fast it went.
Lines course_of(const CompiledGraph& graph, UnixMillis at)
{
    const FixedClock clock(at);
    ThreadOf thread(graph);
    RunOptions options;
    options.clock = &clock;
    const auto asked = thread.run(log_of({"i"}), options);
    auto lines = thread.events;
    thread.resume("yes", options);
    lines.insert(lines.end(), thread.events.begin(), thread.events.end());
    for (const auto& one : thread.history()) {
        EXPECT_EQ(one.created_at, at);
        lines.push_back(ThreadOf::line(one) + " " + one.values.dump());
    }
    return lines;
}

TEST(N2, TheTimeOfARunAndTheJitterOfItsPausesChangeNothing)
{
    int failures = 0;
    LogGraph graph{"z"};
    NodeOptions retried;
    RetryPolicy policy;
    policy.first_pause = std::chrono::milliseconds(2);
    retried.retry = {policy};
    graph.add_node(
        "flaky",
        [&failures](NodeContext&) -> Task<Result<Update>> {
            if (++failures % 3 != 0)
                co_return Error(Errc::unavailable, "not yet");
            co_return Update(entry("log", "flaky"), Routes{Send("w", 2), Send("w", 1)});
        },
        [&] {
            retried.destinations = {"w"};
            return retried;
        }());
    graph.add_node(
        "w", [](NodeContext& context) -> Task<Result<Update>> { co_return Update(entry("log", *context.argument())); });
    graph.add_node("asks", asks("asks", "?")).add_edge(start, "flaky").add_edge("w", "asks").add_edge("asks", "z");
    const auto shared = compiled(graph);
    const auto once = course_of(shared, 0);
    EXPECT_EQ(once.back(), R"(-1:input:START {"log":[]})");
    for (const UnixMillis at : {UnixMillis{1}, UnixMillis{1'763'683'200'000}, UnixMillis{253'402'300'799'999}})
        EXPECT_EQ(course_of(shared, at), once);
}

}  // namespace
}  // namespace dure::graph

// What a node's policy repeats and how long it lets a node work (§7).
#include <gmock/gmock.h>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace policies_test {

using graph::RunStatus;

class Policies : public CompilerTest {
protected:
    static Json asking(const Json& policy)
    {
        return drawn_flow({{"start", "start"},
                           {"ask", "llm", {{"prompt", "x"}}, {{"policy", policy}}},
                           {"say", "reply", {{"text", "{{nodes.ask.text | default('none')}}"}}}},
                          {"start>ask", "ask>say"});
    }
};

TEST_F(Policies, BranchDefaultContinueAndRetry)
{
    const auto flow = [&](const Json& policy, bool branch) {
        std::vector<std::string> edges{"start>ask", "ask>say"};
        if (branch)
            edges.push_back("ask|error>sorry");
        return drawn_flow({{"start", "start"},
                           {"ask", "llm", {{"prompt", "x"}}, {{"policy", policy}}},
                           {"say", "reply", {{"text", "{{nodes.ask.text | default('nothing')}}"}}},
                           {"sorry", "reply", {{"text", "sorry: {{input.code}} {{nodes.ask.error.message}}"}}}},
                          branch ? edges : std::vector<std::string>{"start>ask", "ask>say", "ask>sorry"});
    };
    int failures = 1000;
    services_.answers["ask"] = [&](NodeCall&) -> Task<Result<Json>> {
        if (failures-- > 0)
            co_return Error(Errc::upstream_failed, "down").reason("bad_gateway");
        co_return Json{{"text", "fine"}};
    };
    compile(flow({{"on_error", "branch"}}, true));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "sorry: bad_gateway down");
    EXPECT_EQ(sink_.steps.at(1).at("status"), "failed");

    const auto plain = [](const Json& policy) {
        return drawn_flow({{"start", "start"},
                           {"ask", "llm", {{"prompt", "x"}}, {{"policy", policy}}},
                           {"say", "reply", {{"text", "{{nodes.ask.text | default('nothing')}}"}}}},
                          {"start>ask", "ask>say"});
    };
    const std::vector<std::tuple<Json, int, std::string>> cases{
        {{{"on_error", "default"}, {"default", {{"text", "usual"}}}}, 1000, "usual"},
        {{{"on_error", "continue"}}, 1000, "nothing"},
        {{{"retry", {{"max_attempts", 3}, {"backoff_ms", 1}, {"on", Json::array({"upstream"})}}}}, 2, "fine"},
    };
    for (const auto& [policy, fails, text] : cases) {
        SCOPED_TRACE(policy.dump());
        failures = fails;
        compile(plain(policy));
        run();
        ASSERT_EQ(result_.status, RunStatus::success) << failure();
        EXPECT_EQ(output().at("text"), text);
    }
    failures = 2;
    services_.calls.clear();
    compile(plain({{"retry", {{"max_attempts", 3}, {"backoff_ms", 1}, {"on", Json::array({"timeout"})}}}}));
    run();
    EXPECT_EQ(result_.status, RunStatus::error);
    EXPECT_EQ(services_.asked("ask"), 1u) << "only what the retry names is tried again";
}

TEST_F(Policies, OnlyTheFaultsThatARetryNamesAreTriedAgain)
{
    const std::map<std::string, std::vector<Errc>> repeated{
        {"timeout", {Errc::timeout}},
        {"rate_limit", {Errc::rate_limited}},
        {"upstream", {Errc::upstream_failed, Errc::unavailable}},
        {"any", {Errc::timeout, Errc::rate_limited, Errc::upstream_failed, Errc::unavailable, Errc::invalid_argument}}};
    for (const auto& [word, codes] : repeated)
        for (const auto code : repeated.at("any")) {
            SCOPED_TRACE(word + " " + std::string(name_of(code)));
            services_.calls.clear();
            services_.answers["ask"] = [code](NodeCall&) -> Task<Result<Json>> { co_return Error(code, "no"); };
            compile(asking({{"retry", {{"max_attempts", 2}, {"backoff_ms", 1}, {"on", Json::array({word})}}},
                            {"on_error", "continue"}}));
            run();
            ASSERT_EQ(result_.status, RunStatus::success) << failure();
            const bool again = std::find(codes.begin(), codes.end(), code) != codes.end();
            EXPECT_EQ(services_.asked("ask"), again ? 2u : 1u);
            EXPECT_EQ(sink_.steps.at(1).at("output").at("error").at("attempts"), again ? 2 : 1);
            sink_ = StepSink();
        }
}

TEST_F(Policies, ANodeThatTakesTooLongIsEndedAndMayBeTriedAgain)
{
    int hangs = 1;
    services_.answers["ask"] = [&](NodeCall&) -> Task<Result<Json>> {
        if (hangs-- > 0)
            co_await sleep_for(std::chrono::hours(1));
        co_return Json{{"text", "in time"}};
    };
    const Json again{{"timeout_ms", 30},
                     {"retry", {{"max_attempts", 2}, {"backoff_ms", 1}, {"on", Json::array({"timeout"})}}}};
    compile(asking(again));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "in time");
    EXPECT_EQ(sink_.steps.at(1).at("attempts"), 2);
    hangs = 1;
    sink_ = StepSink();
    compile(asking({{"timeout_ms", 30}, {"on_error", "continue"}}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("text"), "none");
    EXPECT_EQ(sink_.steps.at(1).at("output").at("error").at("code"), "NODE_TIMEOUT");
}

TEST_F(Policies, WithoutOneAFaultEndsTheRun)
{
    services_.answers["ask"] = [](NodeCall&) -> Task<Result<Json>> { co_return Error(Errc::upstream_failed, "down"); };
    for (const auto& policy : {Json::object(), Json{{"on_error", "fail"}}, Json{{"retry", {{"max_attempts", 1}}}}}) {
        services_.calls.clear();
        compile(asking(policy));
        run();
        EXPECT_EQ(result_.status, RunStatus::error);
        EXPECT_EQ(services_.asked("ask"), 1u) << policy;
    }
}

// A default of one node, an error of another in the same superstep: neither keeps the others from going on.
TEST_F(Policies, AFailedBranchDoesNotStopTheOthers)
{
    services_.answers["a"] = [](NodeCall&) -> Task<Result<Json>> { co_return Error(Errc::upstream_failed, "down"); };
    services_.answers["b"] = services_.answers["a"];
    compile(drawn_flow(
        {{"start", "start"},
         {"a", "llm", {{"prompt", "x"}}, {{"policy", {{"on_error", "default"}, {"default", {{"text", "usual"}}}}}}},
         {"b", "llm", {{"prompt", "x"}}, {{"policy", {{"on_error", "branch"}}}}},
         {"c", "llm", {{"prompt", "x"}}},
         {"sorry", "template", {{"text", "sorry"}}},
         {"join", "join", {{"merge", "object"}}},
         {"end", "end", {{"outputs", {{"all", "{{nodes.join.value}}"}}}}}},
        {"start>a", "start>b", "start>c", "b|error>sorry", "a>join", "b>join", "c>join", "sorry>join", "join>end"}));
    run();
    ASSERT_EQ(result_.status, RunStatus::success) << failure();
    EXPECT_EQ(output().at("outputs").at("all"), (Json{{"a", "usual"}, {"c", "c answers"}, {"sorry", "sorry"}}));
}

}  // namespace policies_test
}  // namespace dure::flows

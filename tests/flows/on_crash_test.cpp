// Policy on_crash: what becomes of a node that had begun and not ended when the process died. A process that dies in a node is here
// a run that is torn down in it: the same is left on the thread.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "flows/compiler_fixture.hpp"

namespace dure::flows {
namespace {

class OnCrash : public CompilerTest {
protected:
    void draw(const std::string& rule, Json more = Json::object())
    {
        more["on_crash"] = rule;
        Json extra{{"policy", std::move(more)}};
        const auto nodes = Json::array({{"start", "start"},
                                        {"before", "template", {{"text", "x"}}},
                                        {"send", "http", {{"method", "POST"}, {"url", "https://far.example/"}}, extra},
                                        {"out", "reply", {{"text", "{{nodes.send.body}}"}}},
                                        {"other", "reply", {{"text", "{{nodes.send.error.code}}"}}}});
        std::vector<std::string> edges{"start>before", "before>send", "send>out"};
        if (extra["policy"].value("on_error", "") == "branch")
            edges.push_back("send|error>other");
        auto document = drawn_flow(nodes, edges);
        if (edges.size() == 3)
            document["nodes"].erase(4);
        compile(document);
    }
    void sends(std::function<Task<Result<Json>>()> work)
    {
        services_.answers["send"] = [work](NodeCall& call) -> Task<Result<Json>> {
            co_await call.context.emit_custom(Json{{"key", call.context.idempotency_key("http")}});
            co_return co_await work();
        };
    }
    // Begins `input` and tears it down while the node runs.
    void dies_in_send(const graph::RunInput& input)
    {
        run_.services = &services_;
        run_.clock = &clock_;
        graph::RunOptions options;
        options.context = &run_;
        options.checkpointer = checkpointer_.get();
        options.thread = "t";
        result_ = {};
        boost::asio::io_context loop(1);
        boost::asio::cancellation_signal die;
        sends([&]() -> Task<Result<Json>> {
            boost::asio::post(loop, [&] { die.emit(boost::asio::cancellation_type::terminal); });
            co_await sleep_for(std::chrono::hours(1));
            co_return Json();
        });
        boost::asio::co_spawn(loop, flow_->graph.run(input, options, result_),
                              boost::asio::bind_cancellation_slot(die.slot(), [](std::exception_ptr) {}));
        loop.run();
        sends([]() -> Task<Result<Json>> { co_return Json{{"body", "sent"}, {"status", 200}}; });
    }
    void dies_first() { dies_in_send(graph::RunInput(flow_input(run_.facts))); }
    void next_process() { go(graph::RunInput::nothing()); }
    std::size_t sent() const { return services_.asked("send"); }
    std::string failed_with() const { return result_.failures.empty() ? "" : result_.failures[0].cause.reason(); }
};

TEST_F(OnCrash, RetryRunsTheNodeAgain)
{
    draw("retry");
    dies_first();
    next_process();
    EXPECT_EQ(output().at("text"), "sent") << failure();
    EXPECT_EQ(sent(), 2u);
}

TEST_F(OnCrash, FailEndsTheNodeWithoutRunningItAgain)
{
    draw("fail");
    dies_first();
    next_process();
    EXPECT_EQ(failed_with(), "on_crash") << failure();
    EXPECT_EQ(sent(), 1u);
}

TEST_F(OnCrash, FailIsNotRepeatedByTheRetryPolicyAndTakesTheErrorBranch)
{
    draw("fail", {{"retry", {{"max_attempts", 3}, {"backoff_ms", 1}, {"on", {"any"}}}}, {"on_error", "branch"}});
    dies_first();
    next_process();
    EXPECT_EQ(output().at("text"), "on_crash") << failure();
    EXPECT_EQ(sent(), 1u);
}

TEST_F(OnCrash, WaitAsksAPersonEachTimeAndRunsAgainOnlyWhenTold)
{
    draw("wait");
    dies_first();
    for (int death = 0; death < 2; ++death) {
        next_process();
        ASSERT_EQ(result_.interrupts.size(), 1u) << failure();
        const auto& question = result_.interrupts[0].value;
        EXPECT_EQ(question.at("node_id"), "send");
        EXPECT_EQ(question.at("actions").at(0).at("id"), "retry");
        EXPECT_EQ(question.at("actions").at(1).at("id"), "fail");
        EXPECT_EQ(sent(), static_cast<std::size_t>(death + 1));
        dies_in_send(
            graph::RunInput(graph::Command{Json{{result_.interrupts[0].id, Json{{"action", "retry"}}}}, {}, {}}));
        EXPECT_EQ(sent(), static_cast<std::size_t>(death + 2));
    }
    next_process();
    answer(Json{{"action", "retry"}});
    EXPECT_EQ(output().at("text"), "sent") << failure();
    EXPECT_EQ(sent(), 4u);
}

TEST_F(OnCrash, WhoGivesUpFailsTheNodeAndMayRetryTheRunLater)
{
    draw("wait");
    dies_first();
    next_process();
    answer(Json{{"action", "fail"}});
    EXPECT_EQ(failed_with(), "on_crash") << failure();
    EXPECT_EQ(sent(), 1u);
    run_.facts.retries = 1;
    dies_in_send(graph::RunInput::nothing());
    EXPECT_EQ(sent(), 2u) << "a person retried the run";
    next_process();
    ASSERT_EQ(result_.interrupts.size(), 1u) << "the answer of the time before counts no more: " << failure();
    answer(Json{{"action", "retry"}});
    EXPECT_EQ(output().at("text"), "sent") << failure();
}

TEST_F(OnCrash, ANodeThatFailedByItselfRunsAgainInARetryOfTheRun)
{
    for (const auto* rule : {"fail", "wait"}) {
        draw(rule);
        run_.facts.retries = 0;
        sends([]() -> Task<Result<Json>> { co_return Error(Errc::upstream_failed, "Away.").reason("away"); });
        run();
        EXPECT_EQ(failed_with(), "away") << rule;
        sends([]() -> Task<Result<Json>> { co_return Json{{"body", "sent"}, {"status", 200}}; });
        run_.facts.retries = 1;
        next_process();
        EXPECT_EQ(output().at("text"), "sent") << rule << " " << failure();
    }
}

}  // namespace
}  // namespace dure::flows

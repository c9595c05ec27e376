// Which changes of course each status allows, and with which error the others are refused; whose rights an execution keeps.
#include "executions/executions_fixture.hpp"

#include "executions/pins.hpp"
#include "support/run_task.hpp"

namespace dure::executions {

namespace {

class ExecutionTransitions : public ExecutionsTest {
protected:
    // "first", then what the message says: wait for ever, ask a person, fail, or go through.
    void SetUp() override
    {
        ExecutionsTest::SetUp();
        flow("course", [this] {
            return HandMade()
                .node("first", says("first"))
                .node(
                    "second", [this](graph::NodeContext& context) { return second(context); }, thrice())
                .compile();
        });
    }
    static graph::NodeOptions thrice()
    {
        graph::NodeOptions options;
        options.retry = {{.attempts = 3, .first_pause = std::chrono::milliseconds(1)}};
        return options;
    }
    Task<Result<Json>> second(graph::NodeContext& context)
    {
        const auto& facts = context.context<flows::FlowRun>().facts;
        {
            const std::lock_guard lock(guard_);
            seen_[facts.execution_id] = facts;
        }
        if (facts.message == "runs")
            co_await sleep_for(std::chrono::hours(1));
        if (facts.message == "asks")
            co_return co_await context.interrupt(Json{{"prompt", "?"}});
        if (facts.message == "fails" && facts.retries == 0)
            co_return Error(Errc::upstream_failed, "Away.").reason("away");
        co_return Json("second");
    }

    // An execution that stands at `status`, with `first` done but for a queued one.
    Task<std::string> standing_at(Status status)
    {
        static const std::map<Status, std::string> messages{{Status::running, "runs"},
                                                            {Status::waiting, "asks"},
                                                            {Status::failed, "fails"},
                                                            {Status::succeeded, "goes"},
                                                            {Status::cancelled, "asks"}};
        const auto begun = co_await started("course", messages.at(status));
        const auto deadline = Deadline::after(std::chrono::seconds(10));
        const auto wanted = status == Status::cancelled ? Status::waiting : status;
        for (;;) {
            const auto now = (co_await service_->find(begun.id, "me")).value();
            if (now.status == wanted && now.steps >= 1)
                break;
            if (deadline.passed())
                throw std::runtime_error("it stands at " + std::string(name_of(now.status)));
            co_await sleep_for(std::chrono::milliseconds(2));
        }
        if (status == Status::cancelled && !co_await service_->cancel(begun.id, me_))
            throw std::runtime_error("it could not be cancelled");
        co_return begun.id;
    }
    Task<std::string> outcome_of(std::string id, std::string change)
    {
        Result<Execution> after = Error(Errc::internal, "");
        if (change == "cancel")
            after = co_await service_->cancel(id, me_);
        else if (change == "resume")
            after = co_await service_->resume(id, me_, {"", "", Json("yes")});
        else if (change == "retry")
            after = co_await service_->retry(id, me_);
        else
            after = co_await service_->fork(id, me_, {"first", {}});
        if (after)
            co_return "done";
        co_return std::string(name_of(after.error().code())) + " " + after.error().reason() + after.error().param();
    }
    flows::RunFacts facts_of_run(const std::string& id)
    {
        const std::lock_guard lock(guard_);
        return seen_.at(id);
    }

    std::mutex guard_;
    std::map<std::string, flows::RunFacts> seen_;
};

using Outcomes = std::map<std::string, std::string>;
const Outcomes of_queued{{"cancel", "done"},
                         {"resume", "conflict not_waiting"},
                         {"retry", "conflict not_failed"},
                         {"fork", "invalid_argument step"}};
const std::map<Status, Outcomes> of_others{
    {Status::running,
     {{"cancel", "done"}, {"resume", "conflict not_waiting"}, {"retry", "conflict not_failed"}, {"fork", "done"}}},
    {Status::waiting, {{"cancel", "done"}, {"resume", "done"}, {"retry", "conflict not_failed"}, {"fork", "done"}}},
    {Status::succeeded,
     {{"cancel", "conflict already_ended"},
      {"resume", "conflict not_waiting"},
      {"retry", "conflict not_failed"},
      {"fork", "done"}}},
    {Status::failed,
     {{"cancel", "conflict already_ended"}, {"resume", "conflict not_waiting"}, {"retry", "done"}, {"fork", "done"}}},
    {Status::cancelled, {{"cancel", "done"}, {"resume", "conflict not_waiting"}, {"retry", "done"}, {"fork", "done"}}}};

}  // namespace

TEST_P(ExecutionTransitions, AQueuedOneIsOnlyCancelled)
{
    play([&]() -> Task<void> {
        for (const auto& [change, outcome] : of_queued)
            EXPECT_EQ(co_await outcome_of((co_await started("course")).id, change), outcome) << change;
    });
}

TEST_P(ExecutionTransitions, EachStatusAllowsItsChangesAndRefusesTheOthersByName)
{
    work();
    play([&]() -> Task<void> {
        std::vector<std::string> running;
        for (const auto& [status, outcomes] : of_others)
            for (const auto& [change, outcome] : outcomes) {
                const auto id = co_await standing_at(status);
                EXPECT_EQ(co_await outcome_of(id, change), outcome) << name_of(status) << " " << change;
                if (status == Status::running && change != "cancel")
                    running.push_back(id);
            }
        for (const auto& id : running)
            co_await service_->cancel(id, me_);
        Filter filter;
        filter.status = Status::running;  // forks of those
        const auto forks = (co_await service_->list("me", filter)).value();
        for (const auto& fork : forks.executions)
            co_await service_->cancel(fork.id, me_);
    });
}

TEST_P(ExecutionTransitions, ARetryGoesOnFromTheFailedNodeAndAnAnswerFromTheQuestion)
{
    work();
    play([&]() -> Task<void> {
        for (const auto& [status, change] :
             std::map<Status, std::string>{{Status::failed, "retry"}, {Status::waiting, "resume"}}) {
            const auto id = co_await standing_at(status);
            EXPECT_EQ(co_await outcome_of(id, change), "done");
            EXPECT_EQ((co_await ended(id)).status, Status::succeeded) << change;
            std::map<std::string, int> visits;
            for (const auto& step : co_await steps(id))
                ++visits[step.node_id];
            EXPECT_EQ(visits.at("first"), 1) << change;
        }
    });
}

TEST_P(ExecutionTransitions, AFailedStepTellsTheNodesOwnCodeAndHowOftenItWasTried)
{
    work();
    play([&]() -> Task<void> {
        const auto all = co_await steps(co_await standing_at(Status::failed));
        EXPECT_EQ(all.size(), 2u);
        EXPECT_EQ(all.back().status, "failed");
        EXPECT_EQ(all.back().error.value_or(Json()), (Json{{"code", "away"}, {"message", "Away."}}));
        EXPECT_EQ(all.back().attempts, 3);
    });
}

TEST_P(ExecutionTransitions, RightsAreThoseOfTheBeginningAndAreNeverWidened)
{
    const auto as = [this](std::vector<std::string> permissions) {
        auto caller = me_;
        caller.permissions = std::move(permissions);
        return caller;
    };
    work();
    play([&]() -> Task<void> {
        StartRequest request;
        request.flow = "course";
        request.message = "fails";
        const auto begun =
            (co_await service_->start(as({"flows:execute", "tools:execute"}), request)).value().execution;
        EXPECT_EQ((co_await ended(begun.id)).status, Status::failed);
        EXPECT_TRUE(facts_of_run(begun.id).rights->may("tools:execute"));
        const auto fork = (co_await service_->fork(begun.id, as({"flows:execute"}), {"second", {}})).value();
        co_await ended(fork.id);
        EXPECT_FALSE(facts_of_run(fork.id).rights->may("tools:execute")) << "a fork has the rights of who makes it";
        EXPECT_TRUE(co_await service_->retry(begun.id, as({"flows:execute"})));
        EXPECT_EQ((co_await ended(begun.id)).status, Status::succeeded);
        EXPECT_EQ(facts_of_run(begun.id).retries, 1);
        EXPECT_FALSE(facts_of_run(begun.id).rights->may("tools:execute")) << "who retries gives no more than their own";

        const auto weak = (co_await service_->start(as({"flows:execute"}), request)).value().execution;
        EXPECT_EQ((co_await ended(weak.id)).status, Status::failed);
        EXPECT_TRUE(co_await service_->retry(weak.id, as({"flows:execute", "tools:execute"})));
        co_await ended(weak.id);
        EXPECT_FALSE(facts_of_run(weak.id).rights->may("tools:execute")) << "a retry adds nothing";
    });
}

TEST_P(ExecutionTransitions, ABoundKeySetsGoingOnlyWhatItOpensAndWhatBeganBound)
{
    work();
    play([&]() -> Task<void> {
        auto bound = me_, other = me_;
        bound.models = {"flow:slug-course"};
        other.models = {"flow:another", "mock"};
        const auto failed = co_await standing_at(Status::failed);
        const auto waiting = co_await standing_at(Status::waiting);
        EXPECT_EQ((co_await service_->retry(failed, other)).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service_->fork(failed, other, {"first", {}})).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service_->resume(waiting, other, {"", "", Json(1)})).error().code(), Errc::not_found);
        EXPECT_EQ((co_await service_->retry(failed, bound)).error().reason(), "model_not_permitted");
        EXPECT_EQ((co_await service_->fork(failed, bound, {"first", {}})).error().reason(), "model_not_permitted");
        EXPECT_TRUE(co_await service_->resume(waiting, bound, {"", "", Json(1)}));
        StartRequest request;
        request.flow = "course";
        request.message = "fails";
        const auto own = (co_await service_->start(bound, request)).value().execution;
        EXPECT_EQ((co_await ended(own.id)).status, Status::failed);
        EXPECT_EQ(facts_of_run(own.id).rights->models, bound.models);
        EXPECT_TRUE(co_await service_->retry(own.id, bound));
        EXPECT_TRUE(co_await service_->fork(own.id, bound, {"first", {}}));
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, ExecutionTransitions, testing::ValuesIn(test::all_drivers()), test::driver_name);

namespace {

// Flows with a published version 1 or none, and a draft, version 2; each names others as its sub-flows.
class TwoVersions final : public FlowSource {
public:
    void add(const std::string& id, bool published, const std::string& calls = "", const std::string& model = "")
    {
        auto document = std::make_shared<flows::Document>();
        flows::Node node;
        node.kind = calls.empty() ? "llm" : "subflow";
        node.config = OrderedJson::object();
        if (!calls.empty())
            node.config["flow"] = calls;
        if (!model.empty())
            node.config["model"] = model;
        document->nodes.push_back(node);
        flows_[id] = {published, document};
    }
    Task<Result<RunnableFlow>> find(Caller caller, std::string id, std::string version) override
    {
        asked_with_models = asked_with_models || caller.models.has_value();
        const auto& [published, document] = flows_.at(id);
        if (version != "draft" && !published)
            co_return Error(Errc::not_found, "The flow is not published.").reason("flow_not_published");
        if (version == "draft" && !caller.may_edit)
            co_return Error(Errc::permission_denied, "Drafts run only for those who may edit flows.");
        RunnableFlow flow;
        flow.id = id;
        flow.version = version == "draft" ? 2 : 1;
        flow.published = flow.version == 1;
        flow.document = document;
        co_return flow;
    }
    Task<Result<RunnableFlow>> pinned(std::string, std::int64_t) override { co_return Error(Errc::internal, ""); }

    bool asked_with_models = false;

private:
    std::map<std::string, std::pair<bool, std::shared_ptr<flows::Document>>> flows_;
};

class ExecutionPins : public testing::Test {
protected:
    Result<Json> pins_of(const std::string& id, const std::string& version, bool may_edit = true)
    {
        Result<Json> pins = Json();
        test::run([&]() -> Task<void> {
            Caller caller{"me", rights.models, may_edit, {}};
            const auto flow = co_await source.find(caller, id, version);
            pins = co_await find_pins(source, caller, flow.value(), rights);
        });
        return pins;
    }
    TwoVersions source;
    flows::Rights rights;
};

}  // namespace

TEST_F(ExecutionPins, ASubFlowWithoutAVersionIsThePublishedOneElseTheDraftOfWhoMayEdit)
{
    source.add("published", true);
    source.add("draft-only", false);
    source.add("a", true, "published");
    source.add("b", true, "draft-only");
    EXPECT_EQ(pins_of("a", "published").value(), (Json{{"published@", {{"id", "published"}, {"version", 1}}}}));
    EXPECT_EQ(pins_of("b", "published").value(), (Json{{"draft-only@", {{"id", "draft-only"}, {"version", 2}}}}));
    EXPECT_EQ(pins_of("b", "published", false).error().code(), Errc::permission_denied);
}

TEST_F(ExecutionPins, ABoundKeyRunsAPublishedFlowWithTheSubFlowsAndModelsItWasPublishedWith)
{
    source.add("inner", true, "", "mock-inner");
    source.add("loose", false, "", "mock-loose");
    source.add("outer", true, "inner", "mock-outer");
    source.add("open", true, "loose");
    rights.models = {"flow:outer", "own"};
    ASSERT_TRUE(pins_of("outer", "published"));
    for (const auto* model : {"own", "mock-inner", "mock-outer", ""})
        EXPECT_TRUE(rights.may_ask(model)) << model;
    EXPECT_FALSE(rights.may_ask("mock-loose"));
    ASSERT_TRUE(pins_of("open", "published"));
    EXPECT_FALSE(rights.may_ask("mock-loose")) << "a draft gives a key no models";
    rights.models = {"flow:outer", "own"};
    ASSERT_TRUE(pins_of("outer", "draft"));
    EXPECT_FALSE(rights.may_ask("mock-outer"));
    EXPECT_TRUE(source.asked_with_models);
}

}  // namespace dure::executions

// FlowService: saves and their versions, ETags, saving by name, publishing, owners, events that replay to what was.
#include <gtest/gtest.h>

#include <thread>

#include "flows/service_fixture.hpp"

namespace dure::flows {
namespace {

using Codes = std::vector<std::string>;

TEST_P(FlowServiceTest, ACreatedFlowComesBackAsItWasDrawn)
{
    const auto change = create(flow_text("상담 Flow", "안녕 {{start.message}}", R"(,"mine":{"b":1,"a":null})"));
    ASSERT_TRUE(change.flow) << problems_json(change.problems).dump();
    const auto& record = change.flow->record;
    EXPECT_EQ(record.slug, "상담-flow");
    EXPECT_EQ(record.version, 1);
    EXPECT_EQ(etag_of(record), "\"1\"");
    const auto found = find(record.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->document, change.flow->document);
    const auto document = OrderedJson::parse(found->document);
    EXPECT_EQ(document.at("nodes").at(1).at("data").at("config").at("text"), "안녕 {{start.message}}");
    EXPECT_EQ(document.at("extra").dump(), R"({"mine":{"b":1,"a":null}})");
    EXPECT_EQ(found->saved_at, clock_.now());
}

TEST_P(FlowServiceTest, AWrongDocumentStoresNothingAndNamesEveryProblem)
{
    const auto change =
        create(R"({"name":"","nodes":[{"id":"a","type":"nothing"}],"edges":[{"source":"a","target":"b"}]})");
    EXPECT_FALSE(change.flow);
    const auto found = codes(change.problems);
    for (const auto* code : {"field_range", "kind_unknown", "edge_dangling", "start_missing"})
        EXPECT_NE(std::find(found.begin(), found.end(), code), found.end()) << code;
    EXPECT_EQ(call([&](FlowService& s) { return s.list(caller(), {}); })->total, 0);
}

TEST_P(FlowServiceTest, BodiesThatAreNoDocumentsSayWhy)
{
    struct Case {
        std::string body, code;
    };
    const std::vector<Case> cases{{"", "json_invalid"},
                                  {"{", "json_invalid"},
                                  {"[]", "field_type"},
                                  {R"({"name":"a","name":"b"})", "duplicate_key"},
                                  {std::string(100, '[') + std::string(100, ']'), "too_deep"},
                                  {"{\"name\":\"\xff\"}", "json_invalid"}};
    const auto id = made(flow_text("a")).id;
    for (const auto& [body, code] : cases) {
        SCOPED_TRACE(body);
        EXPECT_EQ(codes(create(body).problems), Codes{code});
        EXPECT_EQ(codes(update(id, body)->problems), Codes{code});
        EXPECT_EQ(codes(save(body)->change.problems), Codes{code});
        EXPECT_EQ(codes(call([&](FlowService& s) { return s.validate(caller(), body); }).value()), Codes{code});
    }
    EXPECT_EQ(find(id)->version, 1);
}

TEST_P(FlowServiceTest, AnUpdateReplacesTheKeysItNamesAndKeepsTheOthers)
{
    const auto id = made(flow_text("a", "one", R"(,"tags":["x"],"description":"d")")).id;
    const auto change = update(id, R"({"name":"b","tags":null,"id":"taken","version":99})");
    ASSERT_TRUE(change && change->flow);
    EXPECT_EQ(change->flow->record.id, id);
    EXPECT_EQ(change->flow->record.name, "b");
    EXPECT_EQ(change->flow->record.slug, "a") << "a slug is an address and stays";
    EXPECT_EQ(change->flow->record.version, 2);
    const auto document = OrderedJson::parse(change->flow->document);
    EXPECT_EQ(document.at("tags"), OrderedJson::array());
    EXPECT_EQ(document.at("description"), "d");
    EXPECT_EQ(document.at("nodes").size(), 2u);
    EXPECT_EQ(
        OrderedJson::parse(call([&](FlowService& s) { return s.find_version(caller(), id, 1); })->document).at("name"),
        "a");
}

TEST_P(FlowServiceTest, TheTypeOfAFlowCannotChange)
{
    const auto id = made(flow_text("a")).id;
    EXPECT_EQ(codes(update(id, R"({"flow_type":"chatflow"})")->problems), Codes{"field_range"});
    EXPECT_EQ(update(id, "{}", {{}, FlowType::chatflow}).error().code(), Errc::not_found);
    EXPECT_TRUE(update(id, R"({"flow_type":"agentflow"})", {{}, FlowType::agentflow})->flow);
}

TEST_P(FlowServiceTest, IfMatchRefusesAnEditOfAnOlderVersionAndTellsTheCurrentOne)
{
    const auto id = made(flow_text("a")).id;
    ASSERT_TRUE(update(id, R"({"name":"b"})", {"\"1\""})->flow);
    for (const auto* header : {"\"1\"", "W/\"2\"", "2", "\"x\"", "\"12\""}) {
        const auto refused = update(id, R"({"name":"c"})", {header});
        EXPECT_FALSE(refused->flow) << header;
        EXPECT_EQ(refused->current_etag, "\"2\"") << header;
    }
    EXPECT_EQ(find(id)->record.name, "b");
    for (const auto* header : {"\"7\", \"2\"", "*"})
        EXPECT_TRUE(update(id, R"({"name":"d"})", {std::string(header) == "*" ? "*" : header})->flow) << header;
    EXPECT_EQ(remove(id)->flow->record.id, id);
}

TEST_P(FlowServiceTest, WithoutIfMatchNoneOfManySavesAtOnceIsLost)
{
    const auto id = made(flow_text("a")).id;
    const int writers = 24;
    std::vector<std::thread> threads;
    std::atomic<int> done{0};
    for (int i = 0; i < writers; ++i)
        threads.emplace_back([&, i] {
            const auto body = "{\"mine" + std::to_string(i) + "\":" + std::to_string(i) + "}";
            test::run([&]() -> Task<void> {
                const auto change = co_await service_->update(caller(), id, body, {});
                done += change && change->flow ? 1 : 0;
            });
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(done, writers);
    const auto flow = find(id);
    EXPECT_EQ(flow->version, 1 + writers);
    EXPECT_EQ(OrderedJson::parse(flow->document).at("extra").size(), std::size_t{writers}) << "each covered the one before it";
}

TEST_P(FlowServiceTest, OfTwoEditsOfOneVersionWithIfMatchExactlyOneIsStored)
{
    const auto id = made(flow_text("a")).id;
    std::vector<std::thread> threads;
    std::atomic<int> stored{0}, refused{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            test::run([&]() -> Task<void> {
                const auto change = co_await service_->update(caller(), id, R"({"name":"b"})", {"\"1\""});
                (change && change->flow ? stored : refused) += 1;
            });
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(stored, 1);
    EXPECT_EQ(refused, 3);
    EXPECT_EQ(find(id)->version, 2);
}

TEST_P(FlowServiceTest, ATakenSlugGetsTheEndOfTheIdBehindIt)
{
    const auto first = made(flow_text("Same Name"));
    const auto second = create(flow_text("same name!"), FlowType::agentflow, "lee");
    ASSERT_TRUE(second.flow);
    const auto& record = second.flow->record;
    EXPECT_EQ(first.slug, "same-name");
    EXPECT_EQ(record.slug, "same-name-" + record.id.substr(record.id.size() - 8));
}

TEST_P(FlowServiceTest, SomebodyElsesFlowIsNotThereForAnyCall)
{
    const auto id = made(flow_text("mine")).id;
    ASSERT_TRUE(publish(id)->flow);
    const auto lee = caller("lee");
    EXPECT_EQ(find(id, "lee").error().code(), Errc::not_found);
    EXPECT_EQ(update(id, R"({"name":"x"})", {}, "lee").error().code(), Errc::not_found);
    const auto gone = [&](auto work) { EXPECT_EQ(call(work).error().code(), Errc::not_found); };
    gone([&](FlowService& s) { return s.remove(lee, id, {}); });
    gone([&](FlowService& s) { return s.publish(lee, id, {}, {}); });
    gone([&](FlowService& s) { return s.unpublish(lee, id, {}); });
    gone([&](FlowService& s) { return s.restore(lee, id, 1, {}); });
    gone([&](FlowService& s) { return s.versions(lee, id, {}); });
    gone([&](FlowService& s) { return s.find_version(lee, id, 1); });
    gone([&](FlowService& s) { return s.diff(lee, id, 1, 1); });
    EXPECT_EQ(runnable(id, "", lee).error().code(), Errc::not_found);
    EXPECT_EQ(runnable("mine", "", lee).error().code(), Errc::not_found);
    EXPECT_TRUE(call([&](FlowService& s) { return s.published(lee); })->empty());
    EXPECT_EQ(call([&](FlowService& s) { return s.list(lee, {}); })->total, 0);
}

TEST_P(FlowServiceTest, RestoringMakesAnOldDocumentTheNewestVersion)
{
    const auto id = made(flow_text("a", "first")).id;
    ASSERT_TRUE(update(id, "{" + drawing("second") + "}")->flow);
    const auto restored = call([&](FlowService& s) { return s.restore(caller(), id, 1, {"\"2\""}); });
    ASSERT_TRUE(restored->flow);
    EXPECT_EQ(restored->flow->record.version, 3);
    const auto first = call([&](FlowService& s) { return s.find_version(caller(), id, 1); });
    EXPECT_EQ(restored->flow->document, first->document);
    const auto missing = call([&](FlowService& s) { return s.restore(caller(), id, 9, {}); });
    EXPECT_EQ(missing.error().code(), Errc::not_found);
    const auto page = call([&](FlowService& s) { return s.versions(caller(), id, {1, 2}); });
    EXPECT_EQ(page->total, 3);
    ASSERT_EQ(page->versions.size(), 2u);
    EXPECT_EQ(page->versions.front().version, 3);
    EXPECT_EQ(page->versions.front().saved_by, "kim");
}

TEST_P(FlowServiceTest, SavingTheSameNameAgainIsANewVersionAndAnotherNameANewFlow)
{
    const auto body = [](const std::string& name, const std::string& text) {
        return R"({"name":")" + name + R"(","description":"d","flow_data":{)" + drawing(text) + "}}";
    };
    const auto first = save(body("여행", "one"));
    ASSERT_TRUE(first && first->change.flow) << problems_json(first->change.problems).dump();
    EXPECT_TRUE(first->file_written);
    const auto second = save(body("여행", "two"));
    EXPECT_EQ(second->change.flow->record.id, first->change.flow->record.id);
    EXPECT_EQ(second->change.flow->record.version, 2);
    EXPECT_NE(save(body("여행 2", "one"))->change.flow->record.id, first->change.flow->record.id);
    EXPECT_EQ(second->change.flow->record.flow_type, "agentflow");
}

TEST_P(FlowServiceTest, ManySavesOfANewNameAtOnceMakeOneFlow)
{
    std::vector<std::thread> threads;
    std::atomic<int> done{0};
    const int writers = 24;
    for (int i = 0; i < writers; ++i)
        threads.emplace_back([&, i] {
            const auto body = R"({"name":"shared","flow_data":{)" + drawing("text " + std::to_string(i)) + "}}";
            test::run([&]() -> Task<void> {
                const auto saved = co_await service_->save_by_name(caller(), body);
                done += saved && saved->change.flow ? 1 : 0;
            });
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(done, writers);
    const auto page = call([&](FlowService& s) { return s.list(caller(), {}); });
    ASSERT_EQ(page->total, 1);
    EXPECT_EQ(page->flows.front().version, writers);
}

TEST_P(FlowServiceTest, ANameOfAnotherTypeIsNotSavedOver)
{
    made(R"({"name":"talk"})", FlowType::chatflow);
    const auto saved = save(R"({"name":"talk","flow_data":{)" + drawing("x") + "}}");
    EXPECT_FALSE(saved->change.flow);
    EXPECT_EQ(codes(saved->change.problems), Codes{"field_range"});
    EXPECT_TRUE(save(R"({"name":"talk","flow_type":"chatflow","flow_data":{)" + drawing("x") + "}}")->change.flow);
}

TEST_P(FlowServiceTest, ASaveWithoutADrawingNamesTheField)
{
    EXPECT_EQ(codes(save(R"({"name":"x"})")->change.problems), Codes{"field_missing"});
    EXPECT_EQ(codes(save(R"({"name":"x","flow_data":[]})")->change.problems), Codes{"field_type"});
    EXPECT_EQ(codes(save(R"({"flow_data":{}})")->change.problems), Codes{"field_missing"});
}

TEST_P(FlowServiceTest, WhatCannotRunIsAWarningOfASaveAndIsNotPublished)
{
    struct Case {
        std::string body, code, node;
    };
    const std::vector<Case> cases{
        {R"({"name":"empty","orchestration_type":"hierarchical"})", "start_missing", ""},
        {calling("calls it", "empty"), "start_missing", ""},
    };
    const auto told = [](const Problems& problems, const Case& one, Level level) {
        return std::count_if(problems.list().begin(), problems.list().end(), [&](const Problem& problem) {
            return problem.code == one.code && problem.node_id == one.node && problem.level == level;
        });
    };
    for (const auto& one : cases) {
        const auto saved = create(one.body);
        ASSERT_TRUE(saved.flow) << one.body;
        EXPECT_EQ(told(saved.problems, one, Level::warning), 1) << one.body;
        const auto validated = call(
            [&](FlowService& s) { return s.validate(caller(), R"({"flow_type":"agentflow",)" + one.body.substr(1)); });
        EXPECT_EQ(told(*validated, one, Level::warning), 1) << one.body;
        const auto refused = publish(saved.flow->record.id);
        EXPECT_FALSE(refused->flow) << one.body;
        EXPECT_EQ(told(refused->problems, one, Level::error), 1) << one.body;
        EXPECT_EQ(find(saved.flow->record.id)->record.published_version, std::nullopt);
    }
}

TEST_P(FlowServiceTest, AModelIsFoundByItsNameWhateverAListOfModelsShows)
{
    auto bound = caller();
    bound.models = {"mock", "flow:second", "flow:gone", "flow:first"};
    const auto found = [&](const Caller& who, const std::string& slug) {
        const auto flow = call([&](FlowService& s) { return s.find_published(who, slug); }).value();
        return flow ? flow->name : std::string("none");
    };
    for (const auto* name : {"first", "second", "third"})
        ASSERT_TRUE(publish(made(flow_text(name)).id)->flow);
    made(flow_text("draft"));
    EXPECT_EQ(found(caller(), "third"), "third");
    EXPECT_EQ(found(bound, "first"), "first");
    EXPECT_EQ(found(bound, "third"), "none");
    EXPECT_EQ(found(caller(), "draft"), "none");
    EXPECT_EQ(found(caller("lee"), "first"), "none");
    std::vector<std::string> listed;
    for (const auto& flow : call([&](FlowService& s) { return s.published(bound); }).value())
        listed.push_back(flow.slug);
    EXPECT_EQ(listed, (std::vector<std::string>{"second", "first"}));
}

TEST_P(FlowServiceTest, AKeyBoundToModelsCannotPublishWhatWouldOpenItMore)
{
    const auto flow = made(flow_text("bound"));
    auto bound = caller();
    bound.models = {"flow:bound"};
    const auto refused = call([&](FlowService& s) { return s.publish(bound, flow.id, {}, {}); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::permission_denied);
    EXPECT_EQ(refused.error().reason(), "model_not_permitted");
    EXPECT_EQ(find(flow.id)->record.published_version, std::nullopt);
    EXPECT_TRUE(publish(flow.id)->flow);
}

TEST_P(FlowServiceTest, EveryVersionCanBeReplayedExactly)
{
    const auto id = made(flow_text("a", "one", R"(,"mine":{"gone":1,"kept":null})")).id;
    ASSERT_TRUE(
        update(id, "{" + drawing("two", R"(,"viewport":{"x":1,"y":2,"zoom":1},"extra":{"kept":null})") + "}")->flow);
    ASSERT_TRUE(publish(id, 1)->flow);
    ASSERT_TRUE(call([&](FlowService& s) { return s.restore(caller(), id, 1, {}); })->flow);
    ASSERT_TRUE(call([&](FlowService& s) { return s.unpublish(caller(), id, {}); })->flow);
    std::vector<std::string> texts;
    for (int version = 1; version <= 3; ++version)
        texts.push_back(call([&](FlowService& s) { return s.find_version(caller(), id, version); })->document);
    ASSERT_TRUE(remove(id)->flow);

    events::EventService events(*database_, *bus_);
    const auto replay = [&](std::int64_t version) {
        std::optional<Result<events::Replayed>> out;
        test::run([&]() -> Task<void> {
            out.emplace(co_await events.replay({"kim"}, {id, "Workflow"}, {version, {}}, Deadline::never()));
        });
        return std::move(out->value());
    };
    // created, updated, published, restored, unpublished, deleted
    const std::vector<int> version_after{1, 2, 2, 3, 3, 3};
    for (std::size_t i = 0; i < version_after.size(); ++i) {
        SCOPED_TRACE(i);
        const auto state = replay(static_cast<std::int64_t>(i) + 1).state;
        EXPECT_EQ(state.at("version"), version_after[i]);
        EXPECT_EQ(state.at("document"), Json::parse(texts[static_cast<std::size_t>(version_after[i] - 1)]));
        EXPECT_EQ(state.at("published_version"), i == 2 || i == 3 ? Json(1) : Json(nullptr));
        EXPECT_EQ(state.at("restored_from"), i >= 3 ? Json(1) : Json(nullptr));
        EXPECT_EQ(state.at("deleted_at").is_null(), i != 5);
        EXPECT_EQ(state.at("slug"), "a");
    }
    std::vector<std::string> types;
    test::run([&]() -> Task<void> {
        const auto page = (co_await events.of_aggregate({"kim"}, {id, "Workflow"}, {})).value();
        for (const auto& event : page.events) {
            types.push_back(event.event_type);
            EXPECT_EQ(event.metadata.at("request_id"), "request");
        }
    });
    EXPECT_EQ(types, (Codes{"WorkflowCreated", "WorkflowUpdated", "WorkflowPublished", "WorkflowRestored",
                            "WorkflowUnpublished", "WorkflowDeleted"}));
}

TEST_P(FlowServiceTest, ListsCountWhatTheFilterFinds)
{
    for (const auto* name : {"여행 계획", "여행 상담", "other"})
        made(flow_text(name));
    ListRequest request;
    request.filter.search = "여행";
    request.page.page_size = 1;
    const auto page = call([&](FlowService& s) { return s.list(caller(), request); });
    EXPECT_EQ(page->total, 2);
    ASSERT_EQ(page->flows.size(), 1u);
    EXPECT_EQ(page->flows.front().name, "여행 상담");
}

TEST_P(FlowServiceTest, TotalsFollowEveryChangeAlsoOfAnotherReplica)
{
    FlowService other({*database_, *journal_, settings_, clock_, logger_, &known_});
    ListRequest active, tagged;
    active.filter.is_active = true;
    tagged.filter.tags = {"x"};
    const auto totals = [&] {
        std::vector<std::int64_t> out;
        for (const auto& request : {ListRequest{}, active, tagged})
            out.push_back(call([&](FlowService& s) { return s.list(caller(), request); })->total);
        return out;
    };
    const auto elsewhere = [&](auto work) {
        test::run([&]() -> Task<void> {
            const auto change = co_await work(other);
            EXPECT_TRUE(change && change->flow);
        });
    };
    using Totals = std::vector<std::int64_t>;
    EXPECT_EQ(totals(), (Totals{0, 0, 0}));
    const auto id = made(flow_text("a")).id;
    EXPECT_EQ(totals(), (Totals{1, 1, 0}));
    elsewhere([&](FlowService& s) { return s.update(caller(), id, R"({"tags":["x"],"is_active":false})", {}); });
    EXPECT_EQ(totals(), (Totals{1, 0, 1}));
    elsewhere([&](FlowService& s) { return s.create(caller(), FlowType::agentflow, flow_text("b")); });
    EXPECT_EQ(totals(), (Totals{2, 1, 1}));
    elsewhere([&](FlowService& s) { return s.remove(caller(), id, {}); });
    EXPECT_EQ(totals(), (Totals{1, 1, 0}));
    EXPECT_EQ(totals(), (Totals{1, 1, 0}));
}

INSTANTIATE_TEST_SUITE_P(Drivers, FlowServiceTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::flows

// What executions start from: versions by rights, published flows, keys bound to a flow; what blocks a publication.
#include <gtest/gtest.h>

#include "flows/service_fixture.hpp"

namespace dure::flows {
namespace {

using Codes = std::vector<std::string>;

class RunnableFlows : public FlowServiceTest {};

TEST_P(RunnableFlows, TheSlugRunsThePublishedVersionAndTheIdTheNewestForItsEditor)
{
    const auto id = made(flow_text("triage", "one")).id;
    EXPECT_EQ(runnable("triage").error().reason(), "flow_not_published");
    ASSERT_TRUE(publish(id)->flow);
    ASSERT_TRUE(update(id, "{" + drawing("two") + "}")->flow);
    const auto published = runnable("triage");
    ASSERT_TRUE(published);
    EXPECT_EQ(published->id, id);
    EXPECT_EQ(published->version, 1);
    EXPECT_TRUE(published->published);
    EXPECT_EQ(published->document->find_node("out")->config.at("text"), "one");
    EXPECT_EQ(runnable(id)->version, 2);
    EXPECT_FALSE(runnable(id)->published);
    EXPECT_EQ(runnable(id, "published")->version, 1);
    EXPECT_EQ(runnable("triage", "draft")->version, 2);
    EXPECT_EQ(runnable("triage", "2")->version, 2);
    EXPECT_EQ(runnable("triage", "3").error().code(), Errc::not_found);
    for (const auto* wrong : {"latest", "0", "-1", "1.5", "99999999999999999999"})
        EXPECT_EQ(runnable(id, wrong).error().code(), Errc::invalid_argument) << wrong;
}

TEST_P(RunnableFlows, DraftsRunOnlyForThoseWhoMayEdit)
{
    const auto id = made(flow_text("triage", "one")).id;
    auto reader = caller();
    reader.may_edit = false;
    EXPECT_EQ(runnable(id, "", reader).error().reason(), "flow_not_published");
    EXPECT_EQ(runnable(id, "draft", reader).error().code(), Errc::permission_denied);
    EXPECT_EQ(runnable(id, "1", reader).error().code(), Errc::permission_denied);
    ASSERT_TRUE(publish(id)->flow);
    ASSERT_TRUE(update(id, R"({"description":"newer"})")->flow);
    EXPECT_EQ(runnable(id, "", reader)->version, 1);
    EXPECT_EQ(runnable(id, "1", reader)->version, 1);
    EXPECT_EQ(runnable(id, "2", reader).error().code(), Errc::permission_denied);
}

TEST_P(RunnableFlows, AKeyBoundToAFlowRunsJustThatFlow)
{
    ASSERT_TRUE(publish(made(flow_text("one")).id)->flow);
    ASSERT_TRUE(publish(made(flow_text("two")).id)->flow);
    auto bound = caller();
    bound.models = {"flow:one"};
    EXPECT_TRUE(runnable("one", "", bound));
    EXPECT_EQ(runnable("two", "", bound).error().code(), Errc::not_found);
    const auto models = call([&](FlowService& s) { return s.published(bound); });
    ASSERT_EQ(models->size(), 1u);
    EXPECT_EQ(models->front().slug, "one");
    auto other = caller();
    other.models = {"mock"};
    EXPECT_EQ(runnable("one", "", other).error().code(), Errc::not_found);
}

TEST_P(RunnableFlows, AKeyOfADeletedFlowOpensNothingUntilItsOwnerUsesTheSlugAgain)
{
    const auto id = made(flow_text("one")).id;
    ASSERT_TRUE(publish(id)->flow);
    auto bound = caller();
    bound.models = {"flow:one"};
    ASSERT_TRUE(remove(id)->flow);
    EXPECT_EQ(runnable("one", "", bound).error().code(), Errc::not_found);
    EXPECT_TRUE(call([&](FlowService& s) { return s.published(bound); })->empty());
    const auto theirs = create(flow_text("one"), FlowType::agentflow, "lee");   // takes the free slug
    ASSERT_TRUE(call([&](FlowService& s) { return s.publish(caller("lee"), theirs.flow->record.id, {}, {}); })->flow);
    EXPECT_EQ(theirs.flow->record.slug, "one");
    EXPECT_EQ(runnable("one", "", bound).error().code(), Errc::not_found) << "a key never opens the flow of another";
}

TEST_P(RunnableFlows, AnInactiveFlowDoesNotRunAndIsNoModel)
{
    const auto id = made(flow_text("one")).id;
    ASSERT_TRUE(publish(id)->flow);
    ASSERT_TRUE(update(id, R"({"is_active":false})")->flow);
    EXPECT_EQ(runnable("one").error().reason(), "flow_inactive");
    EXPECT_EQ(runnable(id).error().code(), Errc::conflict);
    EXPECT_TRUE(call([&](FlowService& s) { return s.published(caller()); })->empty());
}

TEST_P(RunnableFlows, APinnedVersionStaysWhateverBecomesOfTheFlow)
{
    const auto id = made(flow_text("one", "first")).id;
    ASSERT_TRUE(update(id, "{" + drawing("second") + "}")->flow);
    ASSERT_TRUE(remove(id)->flow);
    service_.emplace(FlowService::Parts{*database_, *journal_, settings_, clock_, logger_, &known_});  // nothing cached
    const auto pinned = call([&](FlowService& s) { return s.pinned(id, 1); });
    ASSERT_TRUE(pinned);
    EXPECT_EQ(pinned->document->find_node("out")->config.at("text"), "first");
    EXPECT_EQ(call([&](FlowService& s) { return s.pinned(id, 3); }).error().code(), Errc::not_found);
    EXPECT_EQ(runnable(id).error().code(), Errc::not_found);
}

TEST_P(RunnableFlows, UnpublishingTakesTheModelAway)
{
    const auto id = made(flow_text("one")).id;
    ASSERT_TRUE(publish(id)->flow);
    EXPECT_EQ(call([&](FlowService& s) { return s.published(caller()); })->size(), 1u);
    const auto change = call([&](FlowService& s) { return s.unpublish(caller(), id, {}); });
    EXPECT_FALSE(change->flow->record.published_version);
    EXPECT_TRUE(call([&](FlowService& s) { return s.published(caller()); })->empty());
    EXPECT_EQ(runnable("one").error().reason(), "flow_not_published");
}

TEST_P(RunnableFlows, UnknownNamesWarnAtASaveAndBlockAPublication)
{
    const std::string body =
        R"({"name":"names","nodes":[{"id":"start","type":"start"},
        {"id":"ask","type":"llm","data":{"config":{"provider":"mock","model":"no-model","prompt":"x","knowledge":{"ids":["k"]}}}},
        {"id":"use","type":"tool","data":{"config":{"tool":"no-tool"}}},
        {"id":"sub","type":"subflow","data":{"config":{"flow":"no-flow"}}},
        {"id":"out","type":"reply","data":{"config":{"text":"x"}}}],
        "edges":[{"source":"start","target":"ask"},{"source":"ask","target":"use"},{"source":"use","target":"sub"},{"source":"sub","target":"out"}]})";
    const auto change = create(body);
    ASSERT_TRUE(change.flow) << problems_json(change.problems).dump();
    const Codes unknown{"model_unknown", "knowledge_unknown", "tool_unknown", "flow_unknown"};
    EXPECT_EQ(codes(change.problems, Level::warning), unknown);
    EXPECT_EQ(change.problems.list()[0].node_id, "ask");
    EXPECT_EQ(change.problems.list()[0].location, (std::vector<std::string>{"nodes", "1", "data", "config", "model"}));
    const auto refused = publish(change.flow->record.id);
    EXPECT_FALSE(refused->flow);
    EXPECT_EQ(codes(refused->problems, Level::error), unknown);
    EXPECT_FALSE(find(change.flow->record.id)->record.published_version);
}

TEST_P(RunnableFlows, KnownNamesAndNamesThatAreComputedSayNothing)
{
    const auto other = made(flow_text("other"));
    const std::string body =
        R"({"name":"names","nodes":[{"id":"start","type":"start"},
        {"id":"ask","type":"llm","data":{"config":{"model":"mock","prompt":"x"}}},
        {"id":"work","type":"agent","data":{"config":{"model":"{{vars.model}}","tools":["calculator"]}}},
        {"id":"use","type":"tool","data":{"config":{"tool":"{{vars.tool}}"}}},
        {"id":"sub","type":"subflow","data":{"config":{"flow":")" +
        other.id + R"("}}},{"id":"out","type":"reply","data":{"config":{"text":"x"}}}],
        "edges":[{"source":"start","target":"ask"},{"source":"ask","target":"work"},{"source":"work","target":"use"},{"source":"use","target":"sub"},{"source":"sub","target":"out"}]})";
    const auto change = create(body);
    ASSERT_TRUE(change.flow);
    EXPECT_EQ(codes(change.problems), Codes{});
    EXPECT_TRUE(publish(change.flow->record.id)->flow);
}

TEST_P(RunnableFlows, AnUnsupportedNodeBlocksPublishingAndNotSaving)
{
    const std::string body =
        R"({"name":"imported","nodes":[{"id":"start","type":"start"},{"id":"x","type":"unsupported","data":{"config":{"reason":"code"}}},
        {"id":"out","type":"reply","data":{"config":{"text":"x"}}}],"edges":[{"source":"start","target":"x"},{"source":"x","target":"out"}]})";
    const auto change = create(body);
    ASSERT_TRUE(change.flow);
    EXPECT_EQ(codes(change.problems, Level::warning), Codes{"unsupported_node"});
    const auto refused = publish(change.flow->record.id);
    EXPECT_FALSE(refused->flow);
    EXPECT_EQ(codes(refused->problems, Level::error), Codes{"unsupported_node"});
}

TEST_P(RunnableFlows, SubFlowsThatLeadBackAreRefusedWhenTheyAreSaved)
{
    const auto a = made(flow_text("a"));
    const auto b = made(calling("b", "a", "draft"));
    const auto c = made(calling("c", b.id, "draft"));
    for (const auto& [what, version] :
         std::vector<std::pair<std::string, std::string>>{{"a", "draft"}, {a.id, ""}, {"b", "draft"}, {c.id, "1"}}) {
        const auto change = update(a.id, calling("a", what, version));
        EXPECT_FALSE(change->flow) << what;
        EXPECT_EQ(codes(change->problems, Level::error), Codes{"subflow_cycle"}) << what;
        EXPECT_EQ(change->problems.list()[0].node_id, "sub");
    }
    EXPECT_EQ(find(a.id)->version, 1);
}

TEST_P(RunnableFlows, SubFlowsMayBeNestedFiveDeep)
{
    made(flow_text("n0"));
    for (int i = 1; i <= 5; ++i)
        ASSERT_TRUE(create(calling("n" + std::to_string(i), "n" + std::to_string(i - 1))).flow) << i;
    const auto change = create(calling("n6", "n5"));
    EXPECT_FALSE(change.flow);
    EXPECT_EQ(codes(change.problems, Level::error), Codes{"nesting"});
}

TEST_P(RunnableFlows, AVersionOfASubFlowMustBeThere)
{
    made(flow_text("a"));
    EXPECT_EQ(codes(create(calling("p", "a", "published")).problems), Codes{"flow_unknown"});
    EXPECT_EQ(codes(create(calling("n", "a", "2")).problems), Codes{"flow_unknown"});
    EXPECT_EQ(codes(create(calling("d", "a", "draft")).problems), Codes{});
    const auto lee = create(calling("theirs", "a"), FlowType::agentflow, "lee");
    EXPECT_EQ(codes(lee.problems), Codes{"flow_unknown"}) << "flows of others are not there";
}

TEST_P(RunnableFlows, ModelsToolsAndKnowledgeThatAreNotThereAreErrorsOfARun)
{
    struct Case {
        std::string node, reason;
    };
    for (const auto& [node, reason] : std::vector<Case>{
             {R"("type":"llm","data":{"config":{"model":"gone","prompt":"p"}})", "model_unknown"},
             {R"("type":"tool","data":{"config":{"tool":"gone"}})", "tool_unknown"},
             {R"("type":"agent","data":{"config":{"tools":["calculator","gone"]}})", "tool_unknown"},
             {R"("type":"llm","data":{"config":{"prompt":"p","knowledge":{"ids":["gone"]}}})", "knowledge_unknown"},
             {R"("type":"llm","data":{"config":{"provider":"gone","prompt":"p"}})", "model_unknown"},
             {R"("type":"llm","data":{"config":{"prompt":"p","memory":{"type":"vector"}}})", "kind_not_available"},
             {R"("type":"agent","data":{"config":{"memory":{"type":"hybrid"}}})", "kind_not_available"},
         }) {
        const auto saved = create(R"({"name":"n","nodes":[{"id":"s","type":"start"},{"id":"x",)" + node +
                                  R"(}],"edges":[{"source":"s","target":"x"}]})");
        ASSERT_TRUE(saved.flow) << node;
        const auto refused = runnable(saved.flow->record.id);
        ASSERT_FALSE(refused) << node;
        EXPECT_EQ(refused.error().reason(), reason);
        ASSERT_EQ(refused.error().extra().problems.size(), 1u) << node;
        EXPECT_EQ(refused.error().extra().problems.front().location.at(1), "1") << node;
        EXPECT_TRUE(call([&](FlowService& s) { return s.pinned(saved.flow->record.id, 1); }))
            << "what has begun goes on: " << node;
    }
}

TEST_P(RunnableFlows, SettingsThatThisServerCannotMeetWarnAtASaveAndBlockTheRest)
{
    using Place = std::vector<std::string>;
    struct Case {
        FlowType type;
        std::string settings, code;
        Place place;
    };
    for (const auto& [type, settings, code, place] : std::vector<Case>{
             {FlowType::chatflow,
              R"("memory_config":{"type":"vector"})",
              "kind_not_available",
              {"memory_config", "type"}},
             {FlowType::chatflow,
              R"("memory_config":{"type":"hybrid"})",
              "kind_not_available",
              {"memory_config", "type"}},
             {FlowType::chatflow, R"("rag_config":{"enabled":true})", "kind_not_available", {"rag_config", "enabled"}},
             {FlowType::chatflow,
              R"("rag_config":{"enabled":true,"knowledgebase_ids":["k"]})",
              "knowledge_unknown",
              {"rag_config", "knowledgebase_ids", "0"}},
             {FlowType::chatflow,
              R"("chat_config":{"llm_provider":"gone"})",
              "model_unknown",
              {"chat_config", "llm_provider"}},
             {FlowType::agentflow,
              R"("nodes":[{"id":"a","type":"agent"}],"supervisor_config":{"llm_provider":"gone","llm_model":""})",
              "model_unknown",
              {"supervisor_config", "llm_provider"}},
         }) {
        const auto saved = create(R"({"name":"n",)" + settings + "}", type);
        ASSERT_TRUE(saved.flow) << settings << problems_json(saved.problems).dump();
        EXPECT_EQ(codes(saved.problems, Level::warning), Codes{code}) << settings;
        EXPECT_EQ(saved.problems.list().front().location, place) << settings;
        const auto refused = publish(saved.flow->record.id);
        EXPECT_FALSE(refused->flow) << settings;
        EXPECT_EQ(codes(refused->problems, Level::error), Codes{code}) << settings;
        EXPECT_EQ(runnable(saved.flow->record.id).error().reason(), code) << settings;
    }
    for (const auto* settings :
         {R"("memory_config":{"type":"summary"})", R"("rag_config":{"enabled":false,"top_k":3})",
          R"("rag_config":{"top_k":3})", R"("chat_config":{"llm_provider":"mock","llm_model":""})"}) {
        const auto saved = create(std::string(R"({"name":"n",)") + settings + "}", FlowType::chatflow);
        ASSERT_TRUE(saved.flow) << settings;
        EXPECT_EQ(codes(saved.problems), Codes{}) << settings;
        EXPECT_TRUE(publish(saved.flow->record.id)->flow) << settings;
    }
}

INSTANTIATE_TEST_SUITE_P(Drivers, RunnableFlows, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace
}  // namespace dure::flows

// The selector: the labelled questions of tests/data find their tools; what is compared once is remembered; an embedding model
// is used when there is one, and stood in for when it fails.
#include "dure/tools/selector.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <fstream>
#include <map>

#include "dure/http/client.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/metrics/registry.hpp"
#include "support/openai_script.hpp"
#include "tools/select/feature_index.hpp"

namespace dure::tools {
namespace selector_test {

using dure::test::RecordedRequest;
using dure::test::Script;
using Names = std::vector<std::string>;

class DescribedTool final : public Tool {
public:
    DescribedTool(std::string name, std::string description)
    {
        definition_.name = std::move(name);
        definition_.description = std::move(description);
        definition_.parameters = Json{{"type", "object"}};
    }
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    std::string why_unavailable() const override { return unavailable; }
    std::string permission() const override { return needs; }
    bool acts() const override { return asks; }
    Task<Result<Json>> execute(const Json&, const Caller&, Deadline) override { co_return Json("done"); }

    std::string unavailable;
    std::string needs;
    bool asks = false;

private:
    model::ToolDefinition definition_;
};

class SelectorTest : public ::testing::Test {
protected:
    SelectorTest() { caller.may_execute = true; }
    void SetUp() override { cores.start(); }
    void TearDown() override
    {
        client.close_idle();
        cores.stop();
        cores.join();
    }

    // models.embeddings = "vectors", at the scripted upstream.
    void use_embedding_model()
    {
        config::Provider provider;
        provider.name = "up";
        provider.base_url = upstream.base() + "/v1";
        settings.providers.push_back(provider);
        config::Model entry;
        entry.id = "vectors";
        entry.kind = "embedding";
        entry.targets = {"up/vectors"};
        entry.attempts = 1;
        settings.model.push_back(entry);
        settings.models.embeddings = "vectors";
    }
    Selector& selector()
    {
        if (!selector_) {
            gateway_ = std::make_unique<llm::Gateway>(cores, client, metrics, logger, settings);
            selector_ = std::make_unique<Selector>(*gateway_, registry, logger, limits);
        }
        return *selector_;
    }
    DescribedTool& add(std::string name, std::string description)
    {
        auto tool = std::make_unique<DescribedTool>(std::move(name), std::move(description));
        auto& added = *tool;
        registry.add(std::move(tool));
        return added;
    }
    Selection select(std::string_view question, std::size_t most = 5)
    {
        auto task = selector().select(question, most, caller, Deadline::after(std::chrono::seconds(20)));
        return boost::asio::co_spawn(cores.at(0), std::move(task), boost::asio::use_future).get();
    }
    Names names(std::string_view question, std::size_t most = 5)
    {
        Names all;
        for (const auto& near : select(question, most).tools)
            all.push_back(near.tool->definition().name);
        return all;
    }
    // How many texts the model was asked for, by request.
    std::vector<std::size_t> asked() const
    {
        std::vector<std::size_t> counts;
        for (const auto& request : upstream.requests())
            counts.push_back(Json::parse(request.body).at("input").size());
        return counts;
    }
    // Answers with the vector (weather, money): how often a text speaks of them.
    void answer_with_vectors()
    {
        upstream.handle([](const RecordedRequest& request) {
            const auto body = Json::parse(request.body);
            auto data = Json::array();
            for (const auto& text : body.at("input")) {
                const auto& words = text.get_ref<const std::string&>();
                const bool weather = words.find("sky") != std::string::npos;
                data.push_back({{"object", "embedding"},
                                {"index", data.size()},
                                {"embedding", {weather ? 2.0 : 0.1, weather ? 0.1 : 3.0}}});
            }
            const Json answer{{"object", "list"},
                              {"data", data},
                              {"model", "vectors"},
                              {"usage", {{"prompt_tokens", 4}, {"total_tokens", 4}}}};
            return Script{dure::test::send(dure::test::http_answer(200, "application/json", answer.dump()))};
        });
    }

    dure::test::ScriptedUpstream upstream;
    Cores cores{1};
    http::Client client{cores, http::ClientOptions{}};
    metrics::Registry metrics;
    Logger logger{Logger::Options{LogLevel::error, true, ""}};
    config::Settings settings;
    Registry registry{logger, settings.tools};
    Selector::Limits limits;
    Caller caller;

private:
    std::unique_ptr<llm::Gateway> gateway_;
    std::unique_ptr<Selector> selector_;
};

struct Recall {
    std::size_t asked = 0;
    std::size_t found = 0;
    double value() const { return static_cast<double>(found) / static_cast<double>(asked); }
};

Json labelled(const std::string& file)
{
    return Json::parse(std::ifstream(std::string(DURE_SOURCE_DIR) + "/tests/data/" + file));
}

// product G8, issue 4: at least 60 questions over at least 25 tools, top-5 recall at least 0.95.
class LabelledQuestions : public SelectorTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(LabelledQuestions, FindTheirToolsAmongTheNearestFive)
{
    const auto data = labelled(GetParam());
    ASSERT_GE(data.at("tools").size(), 25u);
    ASSERT_GE(data.at("queries").size(), 60u);
    for (const auto& tool : data.at("tools"))
        add(tool.at("name").get<std::string>(), tool.at("description").get<std::string>());
    std::map<std::string, Recall> recall;
    for (const auto& query : data.at("queries")) {
        const auto near = names(query.at("text").get<std::string>());
        const bool found = std::find(near.begin(), near.end(), query.at("tool").get<std::string>()) != near.end();
        for (const auto& part :
             {std::string("all"), query.at("set").get<std::string>(), query.at("language").get<std::string>()}) {
            ++recall[part].asked;
            recall[part].found += found;
        }
        EXPECT_TRUE(found || query.at("set") == "held_out") << query;
    }
    for (const auto& [part, one] : recall) {
        std::printf("%s: top-5 recall of '%s' %.3f over %zu questions\n", GetParam(), part.c_str(), one.value(),
                    one.asked);
        RecordProperty("recall_" + part, std::to_string(one.value()));
    }
    EXPECT_GE(recall.at("all").value(), 0.95);
    EXPECT_GE(recall.at("held_out").value(), 0.9);
    EXPECT_GE(recall.at("ko").value(), 0.9);
    EXPECT_GE(recall.at("en").value(), 0.9);
}

INSTANTIATE_TEST_SUITE_P(Files, LabelledQuestions,
                         ::testing::Values("tool_queries.json", "tool_queries_other.json", "tool_queries_oblique.json",
                                           "tool_queries_plain.json"),
                         [](const auto& file) {
                             const auto name =
                                 std::string_view(file.param).substr(0, std::string_view(file.param).find('.'));
                             return std::string(name);
                         });

TEST_F(SelectorTest, RanksByNearnessAndGivesAtMostWhatIsAsked)
{
    add("mail", "Send an e-mail to somebody.");
    add("forecast", "Weather forecast for a city.");
    add("rates", "환율 조회");
    const auto selection = select("내일 날씨 어때?", 2);
    ASSERT_EQ(selection.tools.size(), 2u);
    EXPECT_EQ(selection.tools[0].tool->definition().name, "forecast");
    EXPECT_GT(selection.tools[0].score, selection.tools[1].score);
    EXPECT_LE(selection.tools[0].score, 1.0f);
    EXPECT_GE(selection.tools[1].score, 0.0f);
    EXPECT_EQ(selection.model, "local");
    EXPECT_EQ(names("달러 환율", 1), Names{"rates"});
    EXPECT_EQ(names("달러 환율", 10).size(), 3u);
    EXPECT_EQ(names("달러 환율", 0).size(), 0u);
}

TEST_F(SelectorTest, AQuestionWithoutMeaningGivesToolsInTheOrderOfTheRegistry)
{
    for (const auto* name : {"one", "two", "three"})
        add(name, "x");
    for (const auto* question : {"", "  ", "?!", "\xff\xfe", "zzqqxx"})
        EXPECT_EQ(names(question, 2), (Names{"one", "two"})) << question;
    EXPECT_EQ(registry.all().size(), 3u);
}

TEST_F(SelectorTest, WithoutToolsThereIsNothingToSelect)
{
    EXPECT_TRUE(select("weather").tools.empty());
}

TEST_F(SelectorTest, OnlyToolsTheCallerMayUseNowAreGiven)
{
    add("off", "Weather forecast").unavailable = "not configured";
    add("secret", "Weather forecast").needs = "tools:manage";
    add("deletes", "Weather forecast").asks = true;
    add("open", "Weather forecast");
    EXPECT_EQ(names("weather"), Names{"open"});
    caller.permissions = {"tools:manage"};
    EXPECT_EQ(names("weather"), (Names{"secret", "open"}));
    caller.approves = true;
    EXPECT_EQ(names("weather"), (Names{"secret", "deletes", "open"}));
    caller.may_execute = false;
    EXPECT_TRUE(names("weather").empty());
}

TEST_F(SelectorTest, AChangeOfTheToolsIsSeenAtOnce)
{
    add("mail", "Send an e-mail.");
    EXPECT_EQ(names("weather in Seoul"), Names{"mail"});
    std::vector<std::shared_ptr<Tool>> more;
    more.push_back(std::make_shared<DescribedTool>("forecast", "날씨 예보"));
    registry.replace("files", std::move(more));
    EXPECT_EQ(names("weather in Seoul"), (Names{"forecast", "mail"}));
    registry.replace("files", {});
    EXPECT_EQ(names("weather in Seoul"), Names{"mail"});
}

TEST_F(SelectorTest, TheEndOfALongQuestionIsRead)
{
    add("mail", "Send an e-mail.");
    add("translate", "텍스트를 다른 언어로 번역합니다.");
    std::string text;
    while (text.size() < 100'000)
        text += "가나다라 lorem ipsum ";
    EXPECT_EQ(names(text + "\n이걸 영어로 번역해줘", 1), Names{"translate"});
}

TEST_F(SelectorTest, AnEmbeddingModelIsAskedOnceForDescriptionsAndOnceForAQuestion)
{
    use_embedding_model();
    answer_with_vectors();
    add("money", "Exchange rates");
    add("clouds", "What the sky brings");
    const auto first = select("how is the sky", 2);
    EXPECT_EQ(first.model, "vectors");
    EXPECT_EQ(first.usage.prompt_tokens, 4);  // of the question alone
    ASSERT_EQ(first.tools.size(), 2u);
    EXPECT_EQ(first.tools[0].tool->definition().name, "clouds");
    EXPECT_NEAR(first.tools[0].score, 1.0f, 1e-5f);
    EXPECT_EQ(asked(), (std::vector<std::size_t>{2, 1}));
    EXPECT_EQ(select("how is the sky", 1).usage.prompt_tokens, 0);
    EXPECT_EQ(names("how much is it", 1), Names{"money"});
    EXPECT_EQ(asked(), (std::vector<std::size_t>{2, 1, 1}));
}

TEST_F(SelectorTest, AReloadPaysForNewDescriptionsOnly)
{
    use_embedding_model();
    answer_with_vectors();
    add("money", "Exchange rates");
    select("how is the sky");
    std::vector<std::shared_ptr<Tool>> more;
    more.push_back(std::make_shared<DescribedTool>("clouds", "What the sky brings"));
    registry.replace("files", std::move(more));
    EXPECT_EQ(names("how is the sky", 1), Names{"clouds"});
    EXPECT_EQ(asked(), (std::vector<std::size_t>{1, 1, 1, 1}));
}

TEST_F(SelectorTest, ManyDescriptionsGoInSeveralRequests)
{
    use_embedding_model();
    answer_with_vectors();
    for (int i = 0; i < 130; ++i)
        add("tool_" + std::to_string(i), "Number " + std::to_string(i));
    EXPECT_EQ(select("sky").model, "vectors");
    EXPECT_EQ(asked(), (std::vector<std::size_t>{64, 64, 2, 1}));
}

TEST_F(SelectorTest, AFailingEmbeddingModelIsStoodInForAndLeftAloneForAWhile)
{
    use_embedding_model();
    upstream.handle([](const RecordedRequest&) {
        return Script{dure::test::send(dure::test::http_answer(500, "application/json", "{}"))};
    });
    add("mail", "Send an e-mail.");
    add("forecast", "Weather forecast");
    const auto selection = select("날씨", 1);
    EXPECT_EQ(selection.model, "local");
    ASSERT_EQ(selection.tools.size(), 1u);
    EXPECT_EQ(selection.tools[0].tool->definition().name, "forecast");
    const auto requests = upstream.requests().size();
    EXPECT_EQ(select("날씨", 1).model, "local");
    EXPECT_EQ(upstream.requests().size(), requests);
}

TEST_F(SelectorTest, AnEmbeddingModelThatIsBackIsUsedAgain)
{
    limits.pause = std::chrono::milliseconds(0);
    use_embedding_model();
    answer_with_vectors();
    add("clouds", "What the sky brings");
    upstream.enqueue(
        Script{dure::test::send(dure::test::http_answer(400, "application/json", R"({"error":{"message":"no"}})"))});
    EXPECT_EQ(select("sky").model, "local");
    EXPECT_EQ(select("sky").model, "vectors");
}

TEST_F(SelectorTest, ASilentEmbeddingModelCostsItsLimitOnly)
{
    limits.descriptions = std::chrono::milliseconds(50);
    use_embedding_model();
    upstream.handle([](const RecordedRequest&) { return Script{dure::test::hang()}; });
    add("forecast", "Weather forecast");
    const auto selection = select("날씨");
    EXPECT_EQ(selection.model, "local");
    EXPECT_EQ(selection.tools.size(), 1u);
}

TEST(FeatureIndex, SpellsNamesOut)
{
    const std::pair<const char*, const char*> cases[] = {{"get_weather", "get weather"},
                                                         {"getPet", "get Pet"},
                                                         {"track-parcel2", "track parcel2"},
                                                         {"HTTPGet", "HTTPGet"},
                                                         {"", ""}};
    for (const auto& [name, words] : cases)
        EXPECT_EQ(spelled_out(name), words);
}

TEST(FeatureIndex, AWordOfFewToolsCountsMoreThanOneOfMany)
{
    const FeatureIndex index({{"a", "report customer"}, {"b", "report parcels"}, {"c", "report"}, {"d", "report"}});
    const auto near = index.nearness("report customer");
    EXPECT_GT(near[0], near[1]);
    EXPECT_NEAR(FeatureIndex({{"a", "b"}}).nearness("").at(0), 0.0f, 1e-9f);
    EXPECT_TRUE(FeatureIndex({}).nearness("anything").empty());
}

}  // namespace selector_test
}  // namespace dure::tools

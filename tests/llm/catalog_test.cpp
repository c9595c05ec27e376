// What the entries of models say of their targets, and how an answer of the mock at the end of a chain is marked.
#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace catalogs {

class CatalogTest : public UpstreamCases {
protected:
    void add_model(const std::string& id, std::vector<std::string> targets, std::int64_t input_price)
    {
        config::Model model;
        model.id = id;
        model.targets = std::move(targets);
        model.prices.input = input_price;
        settings.model.push_back(std::move(model));
    }
    std::int64_t cost_of(const std::string& model)
    {
        record = {};
        upstream.enqueue(completion_script("answer"));
        const auto result =
            relay(model, R"({"model":"x","messages":[{"role":"user","content":"hi"}]})", false, false, sink, record);
        EXPECT_TRUE(result) << result.error().message();
        const auto& usage = record.completion.usage;
        EXPECT_GT(usage.prompt_tokens, 0);
        return usage.cost_nano.value_or(0) / std::max<std::int64_t>(1, usage.prompt_tokens);
    }
};

// Prices are nano-dollars for a million tokens.
TEST_F(CatalogTest, TwoModelsOfOneTargetHaveTheirOwnPrices)
{
    settings.model.at(0).prices.input = 1'000'000'000;
    add_model("dearer", {"up/upstream-gpt"}, 3'000'000'000);
    EXPECT_EQ(cost_of("gpt"), 1000);
    EXPECT_EQ(cost_of("dearer"), 3000);
}

TEST_F(CatalogTest, ATargetOfAChainIsDescribedByTheModelThatHasNoOther)
{
    chain();
    settings.model.at(0).prices.input = 1'000'000'000;
    add_model("alone", {"up/upstream-gpt"}, 3'000'000'000);
    EXPECT_EQ(cost_of("gpt"), 3000);
}

TEST_F(CatalogTest, AnAnswerOfTheMockIsMarkedAlsoWhenTheFirstTargetIsNotTriedAtAll)
{
    settings.model.at(0).targets.push_back("mock/mock");
    upstream.enqueue(error_script(401, "wrong key", "invalid_request_error", "invalid_api_key"));
    for (const int attempts : {2, 1}) {   // the second time the provider's key is off
        ASSERT_TRUE(whole_now());
        EXPECT_EQ(record.completion.attempts, attempts);
        EXPECT_EQ(record.completion.answered_by, "mock/mock");
        EXPECT_TRUE(record.from_mock_fallback);
        EXPECT_EQ(Json::parse(record.body).at("model"), "mock");
    }
    ASSERT_TRUE(stream_now());
    EXPECT_TRUE(record.from_mock_fallback);
}

TEST_F(CatalogTest, TheMockThatWasAskedForIsNoFallback)
{
    add_model("offline", {"mock/mock", "up/upstream-gpt"}, 0);
    ASSERT_TRUE(relay("offline", case_whole, false, false, sink, record));
    EXPECT_FALSE(record.from_mock_fallback);
    EXPECT_EQ(Json::parse(record.body).at("model"), "offline");
}

}  // namespace catalogs

}  // namespace dure::llm::test

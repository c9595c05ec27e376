// What the gateway reserves for a call and what it settles to, however the call ends: whole, cut, failed, cached, cancelled, refused.
#include "llm/call_spending.hpp"

#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "llm/gateway_fixture.hpp"
#include "support/openai_script.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::llm::test {

namespace {

using namespace dure::test;
using namespace std::chrono_literals;

// Keeps what it is asked for and told; refuses when told to.
class KeepingBudget final : public model::Budget {
public:
    bool limits(const model::Spender& spender) const override { return spender.role != "free"; }
    Task<Result<std::unique_ptr<model::Reservation>>> reserve(model::Spender spender, model::Wish wish) override
    {
        spenders.push_back(std::string(spender.user_id) + "/" + std::string(spender.key_id) + "/" +
                           std::string(spender.role));
        wishes.push_back(wish);
        if (refuses)
            co_return Error(Errc::rate_limited, "used up")
                .reason("budget_exceeded")
                .retry_after(std::chrono::seconds(9));
        ++open;
        co_return std::unique_ptr<model::Reservation>(std::make_unique<Kept>(*this, left.value_or(wish.most)));
    }
    Task<std::optional<model::TokenLevel>> level(model::Spender) override { co_return std::nullopt; }

    std::vector<std::string> spenders;
    std::vector<model::Wish> wishes;
    std::vector<model::Spend> settled;
    std::optional<model::Spend> left;  // what is granted; all of the wish
    int open = 0;
    bool refuses = false;

private:
    struct Kept final : model::Reservation {
        Kept(KeepingBudget& budget, model::Spend granted) : owner(budget), held(granted) {}
        ~Kept() override { --owner.open; }
        void settle(const model::Spend& used) override { owner.settled.push_back(used); }
        model::Spend amount() const override { return held; }
        KeepingBudget& owner;
        const model::Spend held;
    };
};

class CallsWithABudget : public GatewayTest {
protected:
    CallsWithABudget()
    {
        budget = &limited;
        add_upstream(upstream.base());
        auto& model = settings.model.at(0);
        model.prices.input = 1'000'000'000;
        model.prices.output = 10'000'000'000;
        model.max_output = 100;
        settings.breaker.failures = 0;
    }
    ~CallsWithABudget() override { forget_gateway(); }

    Result<void> ask(const std::string& rest = "", bool streamed = false)
    {
        body = R"({"model":"gpt","messages":[{"role":"user","content":"hi"}])" + rest + "}";
        record = {};
        return relay("gpt", body, streamed, false, sink, record);
    }
    static constexpr std::int64_t prompt = 1;   // "hi": what is said, not the JSON around it (§8)

    ScriptedUpstream upstream;
    KeepingBudget limited;
    KeepingSink sink;
    RelayRecord record;
    std::string body;
};

TEST_F(CallsWithABudget, ReservePromptAndAnswerAndSettleToWhatTheProviderSays)
{
    upstream.enqueue(completion_script("answer"));
    ASSERT_TRUE(ask());
    ASSERT_EQ(limited.wishes.size(), 1U);
    const auto& wish = limited.wishes.front();
    EXPECT_EQ(wish.most.tokens, prompt + 100) << "the model's max_output";
    EXPECT_EQ(wish.least.tokens, prompt + 1);
    EXPECT_EQ(wish.most.cost_nano, prompt * 1000 + 100 * 10'000);
    EXPECT_THAT(limited.settled, testing::ElementsAre(model::Spend{12, 7 * 1000 + 5 * 10'000}));
    EXPECT_EQ(limited.open, 0);
}

// Else many at once would pass the limit together: what is settled is what was used.
TEST_F(CallsWithABudget, WhatALimitLeavesBoundsTheAnswerThatNamesNoLength)
{
    const auto sent = [&] { return Json::parse(upstream.requests().back().body); };
    upstream.enqueue(completion_script("answer"));
    ASSERT_TRUE(ask());
    EXPECT_FALSE(sent().contains("max_tokens")) << "all of the wish was granted";
    limited.left = model::Spend{prompt + 40, 10'000'000};
    upstream.enqueue(completion_script("answer"));
    ASSERT_TRUE(ask());
    EXPECT_EQ(sent().value("max_tokens", 0), 40);
    limited.left = model::Spend{1'000'000, prompt * 1000 + 7 * 10'000};
    upstream.enqueue(completion_script("answer"));
    ASSERT_TRUE(ask());
    EXPECT_EQ(sent().value("max_tokens", 0), 7) << "by what it costs";
    upstream.enqueue(completion_script("answer"));
    model::Completion into;
    ASSERT_TRUE(complete(asking("hi", "gpt"), into));
    EXPECT_EQ(sent().value("max_tokens", 0), 7);
}

TEST_F(CallsWithABudget, ABoundOfTheClientIsReservedForEachChoice)
{
    upstream.enqueue(completion_script("answer"));
    body = R"({"model":"gpt","max_tokens":30,"n":2,"messages":[{"role":"user","content":"hi"}]})";
    RelayRequest request{"gpt", body, false, false, 30, 2};
    const auto call = context();
    on_core([&]() -> Task<void> { EXPECT_TRUE(co_await gateway().relay(request, call, sink, record)); });
    EXPECT_EQ(limited.wishes.front().least, limited.wishes.front().most);
    EXPECT_EQ(limited.wishes.front().most.tokens, prompt + 60);
}

TEST_F(CallsWithABudget, TypedRequestsCountMessagesToolsAndTheirBound)
{
    upstream.enqueue(completion_script("answer"));
    auto request = asking("How warm is it in Seoul?", "gpt");
    request.max_tokens = 50;
    model::Completion into;
    ASSERT_TRUE(complete(request, into));
    EXPECT_EQ(limited.wishes.front().most.tokens, 6 + 50);
    upstream.enqueue(completion_script("answer"));
    request.tools = {weather_tool()};
    ASSERT_TRUE(complete(request, into));
    EXPECT_GT(limited.wishes.back().most.tokens, 6 + 50 + 30);
}

TEST_F(CallsWithABudget, ImagesCountAsImagesNotByTheirBytes)
{
    upstream.enqueue(completion_script("answer"));
    body =
        R"({"model":"gpt","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
        std::string(400'000, 'A') + R"("}}]}]})";
    ASSERT_TRUE(relay("gpt", body, false, false, sink, record));
    EXPECT_LT(limited.wishes.front().least.tokens, 1100);
    EXPECT_GT(limited.wishes.front().least.tokens, 1000);
}

TEST_F(CallsWithABudget, TheDearestTargetThatMayAnswerIsReserved)
{
    add_upstream(upstream.base(), "second", "dear");
    settings.model.at(1).prices.output = 50'000'000'000;
    settings.model.at(1).targets = {"second/x"};
    settings.model.at(0).targets.push_back("second/upstream-gpt");
    upstream.enqueue(completion_script("answer"));
    ASSERT_TRUE(ask());
    EXPECT_EQ(limited.wishes.front().most.cost_nano, prompt * 1000 + 100 * 10'000) << "both are of this model";
}

TEST_F(CallsWithABudget, ACallThatFailsBeforeAnyTokenGivesAllBack)
{
    settings.model.at(0).attempts = 1;
    upstream.enqueue(error_script(400, "no", "invalid_request_error"));
    EXPECT_FALSE(ask());
    EXPECT_THAT(limited.settled, testing::ElementsAre(model::Spend{}));
    EXPECT_EQ(limited.open, 0);
}

TEST_F(CallsWithABudget, ACutStreamIsChargedWhatCame)
{
    upstream.enqueue({send(sse_head()), send(chunk(role_chunk() + text_chunk("half of an answer"))), reset()});
    EXPECT_FALSE(ask(R"(,"stream":true)", true));
    ASSERT_EQ(limited.settled.size(), 1U);
    EXPECT_EQ(limited.settled.front().tokens, record.completion.usage.total());
    EXPECT_GT(limited.settled.front().tokens, prompt);
    EXPECT_EQ(limited.settled.front().cost_nano, record.completion.usage.cost_nano);
}

TEST_F(CallsWithABudget, ACancelledCallIsSettledOnItsWayOut)
{
    upstream.enqueue(
        {send(sse_head()), send(chunk(role_chunk() + text_chunk("the beginning of"))), await_peer_close()});
    (void)gateway();
    body = R"({"model":"gpt","stream":true,"messages":[{"role":"user","content":"hi"}]})";
    const RelayRequest request{"gpt", body, true, false, std::nullopt, 1};
    const auto call = context();
    boost::asio::cancellation_signal leave;
    std::promise<void> left;
    sink.on_output = [&] {
        boost::asio::post(cores.at(0), [&] { leave.emit(boost::asio::cancellation_type::terminal); });
    };
    auto task = [&]() -> Task<void> { (void)co_await gateway().relay(request, call, sink, record); };
    boost::asio::co_spawn(
        cores.at(0), task(),
        boost::asio::bind_cancellation_slot(leave.slot(), [&](std::exception_ptr) { left.set_value(); }));
    left.get_future().get();
    ASSERT_EQ(limited.settled.size(), 1U);
    EXPECT_GT(limited.settled.front().tokens, prompt);
    EXPECT_EQ(limited.open, 0);
}

TEST_F(CallsWithABudget, WhatFailedAttemptsCostIsChargedToo)
{
    settings.model.at(0).targets.push_back("up/other");
    const Json failed = {
        {"error", {{"message", "broken"}, {"type", "server_error"}}},
        {"usage", {{"prompt_tokens", 7}, {"completion_tokens", 0}, {"total_tokens", 7}, {"cost", 0.000001}}}};
    upstream.handle([&](const RecordedRequest& request) -> Script {
        if (request.body.find("other") != std::string::npos)
            return completion_script("answer");
        return {send(http_answer(200, "application/json", failed.dump()))};
    });
    ASSERT_TRUE(ask());
    ASSERT_EQ(limited.settled.size(), 1U);
    EXPECT_EQ(limited.settled.front().tokens, 12);
    EXPECT_EQ(limited.settled.front().cost_nano, record.completion.usage.cost_nano);
}

TEST_F(CallsWithABudget, AnAnswerFromTheCacheReservesNothing)
{
    settings.model.at(0).cache = "exact";
    upstream.enqueue(completion_script("answer"));
    ASSERT_TRUE(ask());
    limited.refuses = true;
    ASSERT_TRUE(ask());
    EXPECT_EQ(record.cache_hit, true);
    EXPECT_EQ(limited.wishes.size(), 1U);
    EXPECT_EQ(limited.settled.size(), 1U);
}

TEST_F(CallsWithABudget, ARefusedCallAsksNoProvider)
{
    limited.refuses = true;
    const auto refused = ask(R"(,"stream":true)", true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), "budget_exceeded");
    EXPECT_EQ(refused.error().extra().retry_after, 9s);
    EXPECT_EQ(upstream.request_count(), 0);
    EXPECT_EQ(sink.writes, 0) << "before the head";
    EXPECT_TRUE(limited.settled.empty());
    const auto call = context();
    const auto messages = asking("four").messages;
    on_core([&]() -> Task<void> { EXPECT_FALSE(co_await gateway().room_for("gpt", messages, call)); });
    EXPECT_EQ(limited.wishes.back().most, (model::Spend{2, 11'000}));
}

TEST_F(CallsWithABudget, WhoIsChargedGoesAlongAndWhoHasNoLimitIsNotAskedFor)
{
    upstream.handle([](const RecordedRequest&) { return completion_script("answer"); });
    auto call = context();
    call.key_id = "key-1";
    call.role = "developer";
    model::Completion into;
    ASSERT_TRUE(complete(asking("hi", "gpt"), into, call));
    EXPECT_THAT(limited.spenders, testing::ElementsAre("user-1/key-1/developer"));
    call.role = "free";
    ASSERT_TRUE(complete(asking("hi", "gpt"), into, call));
    EXPECT_EQ(limited.spenders.size(), 1U);
}

TEST_F(CallsWithABudget, EmbeddingsOfAProviderAreChargedAndTheBuiltInOnesAreNot)
{
    settings.model.at(0).kind = "embedding";
    upstream.enqueue({send(http_answer(200, "application/json",
                                       Json{{"object", "list"},
                                            {"data", {{{"index", 0}, {"embedding", {0.5, 0.5}}}}},
                                            {"usage", {{"prompt_tokens", 3}, {"total_tokens", 3}}}}
                                           .dump()))});
    EmbeddingRequest request;
    request.model = "gpt";
    request.input = {"eight by"};
    const auto call = context();
    on_core([&]() -> Task<void> { EXPECT_TRUE(co_await gateway().embed(request, call)); });
    EXPECT_EQ(limited.wishes.front().most, (model::Spend{2, 2000}));
    EXPECT_THAT(limited.settled, testing::ElementsAre(model::Spend{3, 3000}));
    request.model = "local";
    on_core([&]() -> Task<void> { EXPECT_TRUE(co_await gateway().embed(request, call)); });
    EXPECT_EQ(limited.wishes.size(), 1U);
}

TEST_F(CallsWithABudget, PartsOfEmbeddingsThatWereAnsweredArePaidAlsoWhenTheCallFails)
{
    settings.model.at(0).kind = "embedding";
    settings.model.at(0).attempts = 1;
    Json data = Json::array();
    for (int i = 0; i < 256; ++i)
        data.push_back({{"index", i}, {"embedding", {0.5}}});
    const Json answer{{"data", data}, {"usage", {{"prompt_tokens", 500}}}};
    upstream.enqueue({send(http_answer(200, "application/json", answer.dump()))});
    upstream.enqueue(error_script(400, "no", "invalid_request_error"));
    EmbeddingRequest request;
    request.model = "gpt";
    request.input.assign(300, "eight by");
    const auto call = context();
    on_core([&]() -> Task<void> { EXPECT_FALSE(co_await gateway().embed(request, call)); });
    EXPECT_THAT(limited.settled, testing::ElementsAre(model::Spend{0, 500'000}));
    EXPECT_EQ(attempts.rows().at(0).cost_nano, 500'000);
    EXPECT_EQ(limited.open, 0);
}

}  // namespace
}  // namespace dure::llm::test

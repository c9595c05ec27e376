// The built-in embedder: near texts lie nearer than far ones, and nothing depends on chance.
#include <gtest/gtest.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <cmath>
#include <memory>

#include "llm/gateway_fixture.hpp"
#include "llm/embedder.hpp"

namespace dure::llm::test {

namespace {

double closeness(std::string_view a, std::string_view b)
{
    const auto left = local_embedding(a);
    const auto right = local_embedding(b);
    double sum = 0;
    for (std::size_t i = 0; i < left.size(); ++i)
        sum += static_cast<double>(left[i]) * right[i];
    return sum;
}

TEST(LocalEmbedder, SimilarTextsAreCloserThanUnrelatedOnes)
{
    struct Case {
        const char* text;
        const char* near;
        const char* far;
    };
    const Case cases[] = {{"오늘 서울 날씨가 어때?", "서울의 오늘 날씨 알려 줘", "김치찌개를 맛있게 끓이는 방법"},
                          {"계산기를 사용해서 계산해 줘", "계산을 도와주는 계산기", "내일 비행기를 예약하고 싶어요"},
                          {"How do I reset my password?", "password reset help", "the weather in Paris is sunny"},
                          {"먹었습니다", "먹었어요", "달렸습니까"}};
    for (const auto& one : cases)
        EXPECT_GT(closeness(one.text, one.near), closeness(one.text, one.far) + 0.1) << one.text;
}

TEST(LocalEmbedder, KoreanAndEnglishOfOneTopicMeet)
{
    struct Case {
        const char* text;
        const char* near;
        const char* far;
    };
    const Case cases[] = {{"내일 비 올까요?", "weather forecast for a city", "exchange rates of currencies"},
                          {"달러 환율", "exchange rates of currencies", "weather forecast for a city"},
                          {"translate this sentence into Korean", "문장을 번역합니다", "음악을 재생합니다"},
                          {"play a song", "음악을 재생합니다", "문장을 번역합니다"}};
    for (const auto& one : cases)
        EXPECT_GT(closeness(one.text, one.near), closeness(one.text, one.far) + 0.1) << one.text;
}

TEST(LocalEmbedder, VectorsHaveLengthOneAndAreTheSameEveryTime)
{
    const auto vector = local_embedding("안녕하세요 hello");
    double square = 0;
    for (const auto value : vector)
        square += static_cast<double>(value) * value;
    EXPECT_EQ(vector.size(), local_dimensions);
    EXPECT_NEAR(square, 1.0, 1e-5);
    EXPECT_EQ(vector, local_embedding("안녕하세요 hello"));
    EXPECT_EQ(local_embedding("HELLO"), local_embedding("hello"));
}

TEST(LocalEmbedder, BrokenUtf8AndSignsDoNotHarm)
{
    for (const std::string text : {"\xff\xfe", "\xe2\x82", "...", " ", "\xf0\x9f\x99"})
        for (const auto value : local_embedding(text))
            EXPECT_TRUE(std::isfinite(value));
}

class LocalEmbeddings : public GatewayTest {};

TEST_F(LocalEmbeddings, AreServedInOrderWithUsage)
{
    EmbeddingRequest request;
    request.model = "local";
    request.input = {"하나", "two"};
    on_core([&]() -> Task<void> {
        const auto answer = co_await gateway().embed(request, context());
        EXPECT_TRUE(answer.has_value());
        if (!answer)
            co_return;
        EXPECT_EQ(answer->vectors.size(), 2u);
        EXPECT_EQ(answer->vectors[1], local_embedding("two"));
        EXPECT_EQ(answer->usage.prompt_tokens, 3);
        EXPECT_EQ(answer->answered_by, "mock/local");
        EXPECT_EQ(answer->attempts, 1);
    });
}

TEST_F(LocalEmbeddings, HaveALengthAlsoWhereATextHasNoWords)
{
    EmbeddingRequest request;
    request.model = "local";
    request.input = {"!!!", " ", "두 낱말"};
    on_core([&]() -> Task<void> {
        for (const std::int64_t dimensions : {256, 1}) {
            request.dimensions = dimensions;
            const auto answer = co_await gateway().embed(request, context());
            EXPECT_TRUE(answer.has_value());
            if (!answer)
                co_return;
            for (const auto& vector : answer->vectors) {
                double square = 0;
                for (const auto value : vector)
                    square += static_cast<double>(value) * value;
                EXPECT_NEAR(square, 1.0, 1e-5) << dimensions;
            }
        }
    });
}

// Goes to the end of the core's queue again and again.
struct Turn {
    boost::asio::any_io_executor executor;
    std::shared_ptr<int> turns;
    void operator()() const
    {
        if (++*turns < 3)
            boost::asio::post(executor, *this);
    }
};

TEST_F(LocalEmbeddings, LetOthersHaveTheirTurnBetweenTexts)
{
    EmbeddingRequest request;
    request.model = "local";
    request.input.assign(5, std::string(64 << 10, ' '));
    on_core([&]() -> Task<void> {
        const Turn turn{co_await boost::asio::this_coro::executor, std::make_shared<int>(0)};
        boost::asio::post(turn.executor, turn);
        EXPECT_TRUE(co_await gateway().embed(request, context()));
        EXPECT_EQ(*turn.turns, 3);
    });
}

TEST_F(LocalEmbeddings, WrongRequestsAreRefused)
{
    EmbeddingRequest unknown;
    unknown.model = "mock";
    unknown.input = {"x"};
    EmbeddingRequest empty;
    empty.model = "local";
    EmbeddingRequest blank = empty;
    blank.input = {""};
    EmbeddingRequest tokens = empty;
    tokens.token_input = OrderedJson::parse("[1,2]");
    EmbeddingRequest wide = empty;
    wide.input = {"x"};
    wide.dimensions = 9999;
    EmbeddingRequest long_text = empty;
    long_text.input = {std::string((128 << 10) + 1, 'x')};
    EmbeddingRequest too_much = empty;
    too_much.input.assign(17, std::string(128 << 10, ' '));
    const std::pair<EmbeddingRequest, Errc> cases[] = {{unknown, Errc::not_found},
                                                       {long_text, Errc::invalid_argument},
                                                       {too_much, Errc::invalid_argument},
                                                       {empty, Errc::invalid_argument},
                                                       {blank, Errc::invalid_argument},
                                                       {tokens, Errc::invalid_argument},
                                                       {wide, Errc::invalid_argument}};
    for (const auto& [request, code] : cases)
        on_core([&]() -> Task<void> {
            const auto answer = co_await gateway().embed(request, context());
            EXPECT_FALSE(answer.has_value());
            if (!answer)
                EXPECT_EQ(answer.error().code(), code);
        });
}

}  // namespace

}  // namespace dure::llm::test

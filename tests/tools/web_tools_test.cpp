// Weather and search against scripted servers in Open-Meteo's and SearXNG's forms, and an HTTP tool over the wire.
#include "tools/web_tools.hpp"

#include <gmock/gmock.h>

#include "dure/tools/registry.hpp"
#include "support/run_on_core.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::tools {
namespace {

using dure::test::http_answer;
using dure::test::Script;
using dure::test::send;

class WebToolsTest : public testing::Test {
protected:
    WebToolsTest() { cores_.start(); }

    Result<Json> run(Tool& tool, Json arguments)
    {
        std::optional<Result<Json>> result;
        dure::test::run_on_core(cores_, [&]() -> Task<void> {
            result.emplace(co_await tool.execute(arguments, {}, Deadline::after(std::chrono::seconds(5))));
        });
        return std::move(*result);
    }
    static Script json(std::string_view body) { return {send(http_answer(200, "application/json", body))}; }

    dure::test::ScriptedUpstream upstream_;
    Cores cores_{1};
    http::Client client_{cores_, http::ClientOptions()};
    http::EgressPolicy policy_ =
        http::EgressPolicy::make({{"127.0.0.1:" + std::to_string(upstream_.port())}, {80, 443}, {}, 0}).value();
};

constexpr std::string_view seoul =
    R"({"results":[{"id":1835848,"name":"서울특별시","latitude":37.566,"longitude":126.9784,
    "country":"대한민국","admin1":"서울"}]})";
constexpr std::string_view forecast = R"({"timezone":"Asia/Seoul","current_units":{"temperature_2m":"°C"},
    "current":{"time":"2026-11-21T15:00","temperature_2m":8.4,"weather_code":61},
    "daily_units":{"temperature_2m_max":"°C"},
    "daily":{"time":["2026-11-21","2026-11-22"],"weather_code":[61,null],"temperature_2m_max":[9.1,11.0]}})";

TEST_F(WebToolsTest, WeatherOfAKoreanCity)
{
    const auto tool = make_weather({upstream_.base(), ""}, {client_, policy_});
    EXPECT_EQ(tool->why_unavailable(), "");
    upstream_.enqueue(json(seoul));
    upstream_.enqueue(json(forecast));
    const auto result = run(*tool, {{"location", "서울"}, {"days", 2}});
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ((*result)["location"]["name"], "서울특별시");
    EXPECT_EQ((*result)["current"]["temperature_2m"], 8.4);
    EXPECT_EQ((*result)["current"]["weather"], "rain");
    EXPECT_EQ((*result)["daily"],
              Json::parse(R"([{"date":"2026-11-21","weather_code":61,"weather":"rain","temperature_2m_max":9.1},
        {"date":"2026-11-22","temperature_2m_max":11.0}])"));
    const auto requests = upstream_.requests();
    EXPECT_EQ(requests.at(0).target, "/v1/search?name=%EC%84%9C%EC%9A%B8&count=1&language=ko&format=json");
    EXPECT_THAT(requests.at(1).target, testing::StartsWith("/v1/forecast?latitude=37.566&longitude=126.9784&current="));
    EXPECT_THAT(requests.at(1).target, testing::EndsWith("&timezone=auto&forecast_days=2"));
}

TEST_F(WebToolsTest, PlacesAreTriedWithoutTheirSuffix)
{
    const auto tool = make_weather({upstream_.base(), ""}, {client_, policy_});
    upstream_.enqueue(json(R"({"generationtime_ms":0.5})"));
    upstream_.enqueue(json(seoul));
    upstream_.enqueue(json(forecast));
    ASSERT_TRUE(run(*tool, {{"location", "부산광역시"}}));
    EXPECT_THAT(upstream_.requests().at(1).target, testing::HasSubstr("name=%EB%B6%80%EC%82%B0&"));
    EXPECT_THAT(place_spellings("서울특별시"), testing::ElementsAre("서울특별시", "서울"));
    EXPECT_THAT(place_spellings(" 전주시 "), testing::ElementsAre("전주시", "전주"));
    EXPECT_THAT(place_spellings("대구"), testing::ElementsAre("대구"));
    EXPECT_THAT(place_spellings("청도"), testing::ElementsAre("청도"));
    EXPECT_THAT(place_spellings("Seoul, Korea"), testing::ElementsAre("Seoul, Korea", "Seoul"));
}

TEST_F(WebToolsTest, NothingIsInventedWhereTheServersSayNothing)
{
    const auto tool = make_weather({upstream_.base(), ""}, {client_, policy_});
    upstream_.enqueue(json("{}"));
    EXPECT_THAT(run(*tool, {{"location", "없는곳"}}).error().message(), testing::HasSubstr("없는곳"));
    for (const char* answer : {"[]", "{}", "no", R"({"error":true,"reason":"x"})"}) {
        upstream_.enqueue(json(seoul));
        upstream_.enqueue(json(answer));
        EXPECT_FALSE(run(*tool, {{"location", "서울"}})) << answer;
    }
    upstream_.enqueue({send(http_answer(500, "text/plain", "broken"))});
    EXPECT_FALSE(run(*tool, {{"location", "서울"}}));
}

TEST_F(WebToolsTest, SearchGivesTheBestResults)
{
    const auto tool = make_search(upstream_.base() + "/", {client_, policy_});
    upstream_.enqueue(
        json(R"({"query":"두레","results":[{"title":"두레","url":"https://a.example/","content":"마을","engine":"x"},
        {"title":"no address"},{"title":"둘","url":"https://b.example/"},{"title":"셋","url":"https://c.example/"}]})"));
    const auto result = run(*tool, {{"query", "두레 &x"}, {"max_results", 2}});
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ((*result)["results"], Json::parse(R"([{"title":"두레","url":"https://a.example/","excerpt":"마을"},
        {"title":"둘","url":"https://b.example/","excerpt":""}])"));
    EXPECT_EQ(upstream_.requests().at(0).target, "/search?q=%EB%91%90%EB%A0%88%20%26x&format=json");
    upstream_.enqueue({send(http_answer(403, "text/html", "json is switched off"))});
    EXPECT_FALSE(run(*tool, {{"query", "x"}}));
    upstream_.enqueue(json(R"({"answers":[]})"));
    EXPECT_FALSE(run(*tool, {{"query", "x"}}));
}

TEST_F(WebToolsTest, WithoutConfigurationTheyAreNotAvailable)
{
    EXPECT_THAT(make_weather({"", ""}, {client_, policy_})->why_unavailable(), testing::HasSubstr("tools.weather_url"));
    EXPECT_THAT(make_search("", {client_, policy_})->why_unavailable(), testing::HasSubstr("tools.search_url"));
}

TEST_F(WebToolsTest, APrivateServerNeedsAnException)
{
    const auto closed = http::EgressPolicy::make({{}, {80, 443}, {}, 0}).value();
    const auto tool = make_search(upstream_.base(), {client_, closed});
    const auto result = run(*tool, {{"query", "x"}});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "egress");
    EXPECT_EQ(upstream_.accepted(), 0);
}

TEST(Weather, CodesHaveWords)
{
    EXPECT_EQ(weather_word(0), "clear sky");
    EXPECT_EQ(weather_word(63), "rain");
    EXPECT_EQ(weather_word(95), "thunderstorm");
    EXPECT_EQ(weather_word(42), "unknown");
}

}  // namespace
}  // namespace dure::tools

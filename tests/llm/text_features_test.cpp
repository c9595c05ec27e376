// What a text is made of: words in their basic form, and the topics of the lexicon they stand for.
#include <gtest/gtest.h>

#include <algorithm>

#include "dure/base/error.hpp"
#include "dure/llm/text_features.hpp"
#include "llm/text/topics.hpp"

namespace dure::llm::test {

namespace text_features_test {

Letters stem(std::string_view text)
{
    return stem_of(words_of(text).at(0));
}

bool shares(std::string_view a, std::string_view b, FeatureKind kind)
{
    const auto left = text_features(a);
    const auto right = text_features(b);
    return std::any_of(left.begin(), left.end(), [&](const auto& one) {
        return one.kind == kind &&
               std::any_of(right.begin(), right.end(), [&](const auto& other) { return other.id == one.id; });
    });
}

// The strengths of the topics found in a text, by their place in the lexicon.
std::vector<float> topics_in(const Topics& topics, std::string_view text)
{
    std::vector<float> found(topics.size(), 0.0f);
    topics.find(words_of(text), [&](const TopicHint& hint) { found[hint.topic] += hint.strength; });
    return found;
}

}  // namespace text_features_test

using namespace text_features_test;

TEST(Words, AreSplitAtSignsAndWhereWritingSystemsMeet)
{
    const std::pair<const char*, std::size_t> cases[] = {{"KTX표", 2}, {"9인치", 2},           {"10cm", 2},
                                                         {"pm10", 1},  {"get_weather-now", 3}, {"17%", 2},
                                                         {"", 0},      {" .,!? ", 0},          {"日本語", 1}};
    for (const auto& [text, count] : cases)
        EXPECT_EQ(words_of(text).size(), count) << text;
}

TEST(Words, OfComposedAndDecomposedHangulAreTheSame)
{
    EXPECT_EQ(words_of("한글").at(0).letters, words_of("\u1112\u1161\u11ab\u1100\u1173\u11af").at(0).letters);
}

TEST(Stems, OfOneWordInItsFormsAreTheSame)
{
    const std::vector<std::vector<const char*>> families = {
        {"예약", "예약을", "예약해줘", "예약하고", "예약했어요", "예약합니다"},
        {"서울", "서울에서", "서울로", "서울까지", "서울은"},
        {"ship", "ships", "shipped", "shipping", "Shipping"},
        {"make", "makes", "making"},
        {"change", "changed", "changing", "changes"},
        {"merge", "merged"},
        {"drive", "driving"},
        {"open", "opened", "opening"},
        {"plan", "planned", "plans"},
        {"sell", "selling"},
        {"book", "booked", "booking"},
        {"holiday", "holidays"},
        {"query", "queries"}};
    for (const auto& family : families)
        for (const auto* form : family)
            EXPECT_EQ(stem(form), stem(family.front())) << form;
}

TEST(Stems, OfDifferentWordsDiffer)
{
    const std::pair<const char*, const char*> cases[] = {
        {"plan", "plane"}, {"not", "note"}, {"rat", "rate"}, {"car", "care"}, {"new", "news"}};
    for (const auto& [one, other] : cases)
        EXPECT_NE(stem(one), stem(other)) << other;
}

TEST(Stems, OfShortWordsStayWhole)
{
    for (const auto* word : {"bus", "gas", "red", "ring", "this"})
        EXPECT_EQ(stem(word), words_of(word).at(0).letters) << word;
    EXPECT_EQ(stem("회의"), words_of("회의").at(0).letters);
}

TEST(TopicLexicon, FindsWordsPhrasesAndKoreanWordsInsideOfOthers)
{
    const Topics topics("# a comment\n\nweather\n= weather, 날씨\n~ rain, 비\nclock\n= time zone, 시차\n");
    ASSERT_EQ(topics.size(), 2u);
    const std::pair<const char*, std::vector<float>> cases[] = {
        {"weather", {1, 0}},  {"오늘날씨어때", {1, 0}}, {"비가 와", {0.5f, 0}},
        {"rains", {0.5f, 0}}, {"time zones", {0, 1}},   {"time", {0, 0}},
        {"나비", {0, 0}},     {"시차는 날씨", {1, 1}},  {"날씬해", {1, 0}} /* any final consonant */,
        {"", {0, 0}}};
    for (const auto& [text, found] : cases)
        EXPECT_EQ(topics_in(topics, text), found) << text;
}

TEST(TopicLexicon, TheLongestWordInsideIsTaken)
{
    const Topics topics("rest\n= 휴일\nholiday\n= 공휴일\n");
    EXPECT_EQ(topics_in(topics, "대체공휴일이"), (std::vector<float>{0, 1}));
    EXPECT_EQ(topics_in(topics, "휴일에"), (std::vector<float>{1, 0}));
}

TEST(TopicLexicon, RefusesABrokenFile)
{
    EXPECT_THROW(Topics("= words before a topic\n"), InvariantBroken);
    EXPECT_THROW(Topics("topic\n= one two three four five\n"), InvariantBroken);
    EXPECT_THROW(Topics("topic\n= a, , b\n"), InvariantBroken);
}

TEST(TextFeatures, JoinLanguagesByTopicOnly)
{
    EXPECT_TRUE(shares("날씨", "weather", FeatureKind::topic));
    EXPECT_FALSE(shares("날씨", "weather", FeatureKind::word));
    EXPECT_FALSE(shares("환율", "weather", FeatureKind::topic));
    EXPECT_TRUE(shares("보냈어", "보낸", FeatureKind::piece));
}

TEST(TextFeatures, AreAscendingAndOnceEach)
{
    const auto features = text_features("send e-mail, send mail: 메일을 보내고 메일을 읽는다");
    ASSERT_FALSE(features.empty());
    for (std::size_t i = 1; i < features.size(); ++i)
        EXPECT_LT(features[i - 1].id, features[i].id);
    for (const auto& feature : features)
        EXPECT_GT(feature.weight, 0.0f);
}

TEST(TextFeatures, TakeAnyBytes)
{
    for (const std::string text : {"\xff\xfe", "\xe2\x82", "...", " ", "\xf0\x9f\x99", "\xed\xa0\x80", "가\xff나"})
        for (const auto& feature : text_features(text))
            EXPECT_GT(feature.weight, 0.0f);
    EXPECT_TRUE(text_features("?!.").empty());
    EXPECT_TRUE(text_features("").empty());
}

}  // namespace dure::llm::test

// Reading a request for embeddings, and the headers of its answer.
#include "api/chat/embeddings.hpp"

#include <gtest/gtest.h>

#include "api/chat/openai_stream.hpp"

namespace dure::api {
namespace {

TEST(EmbeddingInputTest, FieldsThatAreNotOursAreKeptAsTheyWereWritten)
{
    const auto read = read_embedding(
        R"({"input":"x","us\u0065r":"\u0075","foo": {"a" : 1.0},"dimensions":2,"dure_x":1,"model":"m","encoding_format":"base64"})");
    ASSERT_TRUE(read.has_value());
    const std::vector<std::pair<std::string, std::string>> kept = {{"user", R"("\u0075")"}, {"foo", R"({"a" : 1.0})"}};
    EXPECT_EQ(read->request.extra, kept);
    EXPECT_EQ(read->request.dimensions, 2);
    EXPECT_TRUE(read->base64);
}

TEST(EmbeddingAnswerTest, NamesWhoAnsweredAndAfterHowManyTries)
{
    model::EmbeddingAnswer answer;
    EXPECT_TRUE(answer_headers(answer).empty());
    answer.answered_by = "up/모델";
    answer.attempts = 2;
    const QueryParameters expected = {{"x-dure-model", "up/%EB%AA%A8%EB%8D%B8"}, {"x-dure-attempts", "2"}};
    EXPECT_EQ(answer_headers(answer), expected);
}

}  // namespace
}  // namespace dure::api

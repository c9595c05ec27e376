// Bodies of refused requests: what they are taken for, and what of them the client is told.
#include "llm/failure.hpp"

#include <gtest/gtest.h>

namespace dure::llm {

namespace {

TEST(Failure, IsReadFromABodyWithHalfACharacterToo)
{
    const auto failure =
        classify_answer(400, R"({"error":{"message":"too long: abc\ud83d","code":"context_length_exceeded"}})");
    EXPECT_EQ(failure.kind, FailureClass::context_length);
    EXPECT_EQ(failure.message, "too long: abc\uFFFD");
}

TEST(Failure, NamesTheFieldWhenItIsAPlaceInTheRequest)
{
    const std::pair<const char*, const char*> rows[] = {{"temperature", "temperature"},
                                                        {"messages[0]", "messages[0]"},
                                                        {"messages.0.content", "messages.0.content"},
                                                        {"see https://provider.example/help", ""},
                                                        {"a sentence. Or two", ""},
                                                        {"", ""}};
    for (const auto& [given, told] : rows)
        EXPECT_EQ(classify_answer(400, R"({"error":{"message":"no","type":"invalid_request_error","param":")" +
                                           std::string(given) + "\"}}")
                      .param,
                  told);
}

}  // namespace

}  // namespace dure::llm

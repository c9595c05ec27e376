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

// As providers say it: OpenAI, vLLM, Anthropic, others.
TEST(Failure, FindsTheParameterThatIsNotTaken)
{
    const std::pair<const char*, const char*> rows[] = {
        {R"({"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model."}})", "max_tokens"},
        {R"({"error":{"message":"seed: Extra inputs are not permitted"}})", "seed"},
        {R"({"error":{"message":"body.seed: Extra inputs are not permitted"}})", "seed"},
        {R"({"error":{"message":"output_config.effort: Extra inputs are not permitted"}})", "output_config.effort"},
        {R"({"object":"error","message":"[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'x'}]"})",
         "max_completion_tokens"},
        {R"({"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]})", "seed"},
        {R"({"detail":"stream_options is not supported"})", "stream_options"},
        {R"({"error":{"message":"max_tokens is not supported, use max_completion_tokens","param":"max_tokens"}})", "max_tokens"},
        {R"({"error":{"message":"temperature is not supported","param":"temperature"}})", "temperature"},
        {R"({"error":{"message":"property 'seed' is unsupported"}})", "seed"},
        {R"({"error":{"message":"'max_tokens' is not supported by this model"}})", "max_tokens"},
        {R"({"error":{"message":"This model does not support parameters: ['temperature']"}})", "temperature"},
        {R"({"error":{"message":"`temperature` is deprecated for this model."}})", "temperature"}};
    for (const auto& [body, param] : rows) {
        const auto failure = classify_answer(400, body);
        EXPECT_EQ(failure.kind, FailureClass::unsupported_param) << body;
        EXPECT_EQ(failure.param, param) << body;
    }
    for (const auto* body : {R"({"error":{"message":"This model does not support images of the user"}})",
                             R"({"error":{"message":"max_tokens must be at least 1","param":"max_tokens"}})",
                             R"({"error":{"message":"tools are not supported","param":"tools"}})"})
        EXPECT_EQ(classify_answer(400, body).kind, FailureClass::bad_request) << body;
}

TEST(Failure, AModelTakenOutOfServiceIsMissing)
{
    EXPECT_EQ(classify_answer(410, R"({"error":{"message":"This model was retired in May."}})").kind,
              FailureClass::model_missing);
    EXPECT_EQ(classify_answer(410, R"({"error":{"message":"x","code":"context_length_exceeded"}})").kind,
              FailureClass::context_length)
        << "what the body says comes first";
}

TEST(Failure, TellsWhatAFastApiServerSaid)
{
    const auto listed = classify_answer(422, R"({"detail":[{"loc":["body","messages",0,"role"],"msg":"Input should be 'user'"}]})");
    EXPECT_EQ(listed.kind, FailureClass::bad_request);
    EXPECT_EQ(listed.message, "Input should be 'user'");
    EXPECT_EQ(listed.param, "messages.0.role");
    EXPECT_EQ(classify_answer(400, R"({"detail":"no such thing"})").message, "no such thing");
    for (const auto* odd : {R"({"detail":[]})", R"({"detail":[1]})", R"({"detail":{"loc":1}})", R"({"detail":[{"loc":[null,{}]}]})"})
        EXPECT_EQ(classify_answer(422, odd).kind, FailureClass::bad_request) << odd;
}

TEST(Failure, AModeratedPromptIsNoMatterOfTheKey)
{
    const auto failure = classify_answer(
        403, R"({"error":{"code":403,"message":"Input flagged","metadata":{"reasons":["harassment"],"flagged_input":"bad"}}})");
    EXPECT_EQ(failure.kind, FailureClass::content_filter);
    EXPECT_EQ(failure.message, "Input flagged");
    EXPECT_EQ(classify_answer(403, R"({"error":{"code":403,"message":"no","metadata":{}}})").kind, FailureClass::auth);
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

// Each would be a set of labels of its own, and a provider has as many as it likes.
TEST(Failure, WordsOfAProviderAreNoLabelsOfMetrics)
{
    Failure refused(FailureClass::bad_request, "no");
    refused.code = "made_up_17";
    const auto error = to_error(refused);
    EXPECT_EQ(error.reason(), "made_up_17");
    EXPECT_EQ(error_type_of(error), "bad_request");
    EXPECT_EQ(error_type_of(to_error(Failure(FailureClass::auth, ""))), "upstream_auth");
    EXPECT_EQ(error_type_of(Error(Errc::rate_limited, "x").reason("budget_exceeded")), "budget_exceeded");
    EXPECT_EQ(error_type_of(Error(Errc::unavailable, "x").reason("new")), "unavailable");
}

}  // namespace

}  // namespace dure::llm

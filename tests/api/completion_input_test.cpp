// The checks of a chat completion request: what is refused, and by which name.
#include "api/chat/completion_input.hpp"

#include <gtest/gtest.h>

namespace dure::api {
namespace {

Result<chat::CompletionCall> read_completion(const std::string& body)
{
    return api::read_completion(body, schema::JsonIndex(schema::JsonView(body)));
}

std::string with(const std::string& member)
{
    return R"({"model":"m","messages":[{"role":"user","content":"q"}])" + (member.empty() ? "" : "," + member) + "}";
}

TEST(CompletionInput, AProblemNamesItsField)
{
    struct Case {
        std::string body;
        std::string_view param;
    };
    const std::vector<Case> cases = {
        {"[]", ""},
        {R"({"messages":[]})", "model"},
        {R"({"model":7,"messages":[]})", "model"},
        {R"({"model":"m"})", "messages"},
        {R"({"model":"m","messages":null})", "messages"},
        {R"({"model":"m","messages":{}})", "messages"},
        {R"({"model":"m","messages":[]})", "messages"},
        {R"({"model":"m","messages":["x"]})", "messages[0]"},
        {R"({"model":"m","messages":[{"content":"x"}]})", "messages[0].role"},
        {R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"king"}]})", "messages[1].role"},
        {R"({"model":"m","messages":[{"role":"user","content":7}]})", "messages[0].content"},
        {R"({"model":"m","messages":[{"role":"user"}]})", "messages[0].content"},
        {R"({"model":"m","messages":[{"role":"system"},{"role":"user","content":null}]})", "messages[1].content"},
        {with(R"("temperature":2.5)"), "temperature"},
        {with(R"("temperature":"warm")"), "temperature"},
        {with(R"("top_p":-0.1)"), "top_p"},
        {with(R"("n":0)"), "n"},
        {with(R"("n":1.5)"), "n"},
        {with(R"("max_tokens":0)"), "max_tokens"},
        {with(R"("max_completion_tokens":"many")"), "max_completion_tokens"},
        {with(R"("stream":"yes")"), "stream"},
        {with(R"("stream_options":true)"), "stream_options"},
        {with(R"("stop":["a","b","c","d","e"])"), "stop"},
        {with(R"("stop":[1])"), "stop"},
        {with(R"("logit_bias":{"1":200})"), "logit_bias"},
        {with(R"("logit_bias":{"1":"x"})"), "logit_bias"},
        {with(R"("tools":{})"), "tools"},
        {with(R"("tool_choice":7)"), "tool_choice"},
        {with(R"("response_format":"json")"), "response_format"},
        {with(R"("response_format":{})"), "response_format"},
        {with(R"("response_format":{"type":1})"), "response_format"},
        {with(R"("reasoning_effort":5)"), "reasoning_effort"},
        {with(R"("user":[])"), "user"},
        {R"({"model":"m","messages":[{"role":"user","content":[5]}]})", "messages[0].content[0].type"},
        {R"({"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]})", "messages[0].content[0].type"},
        {R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text"}]}]})",
         "messages[0].content[1].text"},
        {R"({"model":"m","messages":[{"role":"tool","content":[{"type":"text","text":null}]}]})",
         "messages[0].content[0].text"},
        {R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
         "messages[0].content[0].image_url"},
        {with(R"("frequency_penalty":3)"), "frequency_penalty"},
        {with(R"("dure_strategy":7)"), "dure_strategy"},
        {with(R"("presence_penalty":-3)"), "presence_penalty"},
        {with(R"("top_logprobs":21)"), "top_logprobs"},
        {with(R"("seed":1.5)"), "seed"},
        {with(R"("logprobs":1)"), "logprobs"},
        {with(R"("parallel_tool_calls":0)"), "parallel_tool_calls"},
        {with(R"("logit_bias":[])"), "logit_bias"},
        {with(R"("t\u006fp_p":9)"), "top_p"},
    };
    for (const auto& [body, param] : cases) {
        const auto call = read_completion(body);
        ASSERT_FALSE(call) << body;
        EXPECT_EQ(call.error().code(), Errc::invalid_argument) << body;
        EXPECT_EQ(call.error().param(), param) << body;
    }
}

TEST(CompletionInput, ANumberOutOfItsRangeIsToldTheBoundThatItBreaks)
{
    const std::vector<std::pair<std::string, std::string>> cases = {
        {R"("max_tokens":0)", "max_tokens must be at least 1."},
        {R"("max_tokens":9223372036854775808)", "max_tokens must be at most 9007199254740992."},
        {R"("max_completion_tokens":1180591620717411303424)", "max_completion_tokens must be at most 9007199254740992."},
        {R"("seed":18446744073709551616)", "seed must be at most 9223372036854775807."},
        {R"("seed":-18446744073709551616)", "seed must be at least -9223372036854775808."},
        {R"("n":9223372036854775808)", "n must be between 1 and 128."},
    };
    for (const auto& [member, message] : cases) {
        const auto body = with(member);
        const auto call = read_completion(body);
        ASSERT_FALSE(call) << member;
        EXPECT_EQ(call.error().message(), message);
    }
}

TEST(CompletionInput, NullIsAbsentAndUnknownFieldsAreFine)
{
    const auto body = with(R"("temperature":null,"stream":null,"tools":null,"stop":null,"max_tokens":null,"n":null,
        "min_p":0.1,"user":{"name":"김"},"think":true,"metadata":{})");
    const auto call = read_completion(body);
    ASSERT_TRUE(call) << call.error().message();
    EXPECT_FALSE(call->stream);
    EXPECT_FALSE(call->tools);
    EXPECT_FALSE(call->temperature);
    EXPECT_EQ(call->n, 1);
}

TEST(CompletionInput, PartsOfEveryKindArePassedOn)
{
    for (const auto* part :
         {R"({"type":"text","text":""})", R"({"type":"image_url","image_url":{"url":"data:,","detail":"low"}})",
          R"({"type":"image_url","image_url":"https://images.example/a.png"})",
          R"({"type":"input_audio","input_audio":{"data":"","format":"wav"}})",
          R"({"type":"file","file":{"file_id":"f"}})",
          R"({"type":"video_url","video_url":{"url":"https://a.example"}})"}) {
        const auto body = std::string(R"({"model":"m","messages":[{"role":"user","content":[)") + part + "]}]}";
        EXPECT_TRUE(read_completion(body)) << part;
    }
}

TEST(CompletionInput, TheNewerTokenLimitWins)
{
    const auto body = with(R"("max_tokens":10,"max_completion_tokens":20)");
    EXPECT_EQ(read_completion(body)->max_tokens, 20);
    const auto old = with(R"("max_tokens":10)");
    EXPECT_EQ(read_completion(old)->max_tokens, 10);
}

TEST(CompletionInput, UsageIsAskedForOnStreamsOnly)
{
    const auto stream = with(R"("stream":true,"stream_options":{"include_usage":true})");
    EXPECT_TRUE(read_completion(stream)->include_usage);
    const auto whole = with(R"("stream_options":{"include_usage":true})");
    EXPECT_FALSE(read_completion(whole)->include_usage);
}

}  // namespace
}  // namespace dure::api

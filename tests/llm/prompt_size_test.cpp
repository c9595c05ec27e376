// What a client's body is taken to be long for estimates: the texts of its prompt, however they are written.
#include "llm/prompt_size.hpp"

#include <gtest/gtest.h>

#include "dure/schema/json_view.hpp"

namespace dure::llm {
namespace {

PromptSize size_of(const std::string& body)
{
    RelayRequest request;
    request.body = body;
    const auto size = prompt_size(request);
    const schema::JsonIndex members{schema::JsonView(body)};
    request.members = &members;
    EXPECT_EQ(prompt_size(request).tokens(), size.tokens()) << "whoever has looked for the members";
    return size;
}

PromptSize size_of_message(const std::string& members)
{
    return size_of(R"({"model":"a name that is long","messages":[{"role":"user",)" + members + R"(}],"user":"somebody"})");
}

std::string repeated(std::size_t times, const std::string& text)
{
    std::string all;
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

TEST(PromptSizeTest, AWordCountsByItsUtf8HoweverItIsEscaped)
{
    EXPECT_EQ(size_of_message(R"("content":")" + repeated(400, "가") + "\"").tokens(), 300);
    EXPECT_EQ(size_of_message(R"("content":")" + repeated(400, R"(\uAC00)") + "\"").tokens(), 300);
    EXPECT_EQ(size_of_message(R"("content":"hi there")").tokens(), 2);
    const std::pair<const char*, std::size_t> texts[] = {{R"(\u0041)", 1}, {R"(\u00e9)", 2}, {R"(\ud83d\ude00)", 4}, {R"(\ud83d)", 3},
                                                         {R"(\ud83d\u0041)", 4}, {R"(\n\"\\\/)", 4}, {R"()", 0}};
    for (const auto& [text, bytes] : texts)
        EXPECT_EQ(size_of_message(R"("content":")" + std::string(text) + "\"").bytes, bytes) << text;
}

TEST(PromptSizeTest, PartsCountByTheirTextsAndImagesAsImages)
{
    const auto size = size_of_message(
        R"("content":[{"type":"text","text":"four","cache_control":{"type":"ephemeral"}},{"text":"four","type":"text"},)"
        R"({"type":"refusal","refusal":"no"},{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
        std::string(4000, 'A') + R"("}},{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}])");
    EXPECT_EQ(size.bytes, 10u);
    EXPECT_EQ(size.images, 2);
    EXPECT_EQ(size.tokens(), 2003);
}

TEST(PromptSizeTest, CallsThoughtsAndRefusalsThatAreSentAreOfThePrompt)
{
    EXPECT_EQ(size_of_message(R"("content":null,"tool_calls":[{"id":"call_1","type":"function","function":)"
                              R"({"name":"sum","arguments":"{\"a\":1}"}}])")
                  .bytes,
              10u);
    EXPECT_EQ(size_of_message(R"("content":"a","reasoning_content":"bc","refusal":"def","name":"x","tool_call_id":"y")").bytes,
              6u);
    EXPECT_EQ(size_of_message(R"("content":null,"function_call":{"name":"f","arguments":{ "a" : 1 }})").bytes, 8u);
}

TEST(PromptSizeTest, ToolsCountAsThoseOfATypedRequest)
{
    CompletionRequest typed;
    typed.messages.resize(1);
    typed.messages[0].content = "q";
    typed.tools = {{"weather", "Says how warm it is in 서울", Json::parse(R"({"type":"object","properties":{"가":{"type":"string"}}})"), false}};
    const auto written = size_of(
        R"({"tools":[{"type":"function","function":{"name":"weather","description":"Says how warm it is in \uc11c\uc6b8","parameters":)"
        R"({ "type": "object", "properties": {"\uac00": {"type": "string"}} } }}],"messages":[{"role":"user","content":"q"}]})");
    EXPECT_EQ(written.bytes, prompt_size(typed).bytes);
    EXPECT_EQ(size_of(R"({"functions":[{"name":"f","description":"gh","parameters":{}}]})").bytes, 5u);
}

TEST(PromptSizeTest, WhatIsNotKnownCountsByItsBytesAndAFileAsAnImage)
{
    EXPECT_EQ(size_of_message(R"("content":[{"type":"new", "text":"ab"}])").bytes, 26u);
    EXPECT_EQ(size_of_message(R"("content":{"a":[1, 2]})").bytes, 11u);
    EXPECT_EQ(size_of(R"({"tools":[{"type":"search"},7]})").bytes, 18u);
    const auto file = size_of_message(R"("content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,)" +
                                      std::string(40'000, 'A') + R"("}}])");
    EXPECT_EQ(file.images, 1);
    EXPECT_LT(file.bytes, 60u);
}

TEST(PromptSizeTest, NoShapeIsRefused)
{
    for (const std::string body :
         {"", "[]", "{}", "{\"messages\":", R"({"messages":[{"content":"abc\)", R"({"messages":[{"content":"\u12)", R"({"messages":{"a":1}})",
          R"({"messages":[1,null,"text",[{}],{}]})", R"({"messages":null,"tools":{},"functions":3})",
          R"({"messages":[{"content":[1,null,"x",[2],{"type":5,"text":6}],"tool_calls":[null,{"function":null},{"function":[]}]}]})",
          R"({"messages":[{"content":"\ud83d\u"},{"content":"\ud83d\)"})
        EXPECT_LE(size_of(body).bytes, body.size()) << body;
}

}  // namespace
}  // namespace dure::llm

// The Anthropic dialect: requests and answers without sockets, and the provider against a scripted one.
#include <gmock/gmock.h>

#include "dure/http/sse.hpp"
#include "llm/anthropic/answer.hpp"
#include "llm/anthropic/request.hpp"
#include "llm/gateway_fixture.hpp"
#include "support/openai_script.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::llm::test {

namespace {

using namespace dure::test;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

anthropic::TranslatedRequest translated(const char* request, bool sampling = false)
{
    anthropic::RequestOptions options;
    options.model = "claude";
    options.max_output = 1000;
    options.sampling = sampling;
    auto made = anthropic::translate_request(OrderedJson::parse(request), options);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return made ? std::move(*made) : anthropic::TranslatedRequest();
}

Json plain(const OrderedJson& document)
{
    return Json::parse(document.dump());
}

TEST(AnthropicRequest, MessagesBecomeSystemAndAlternatingTurns)
{
    const auto made = translated(R"({"messages":[
        {"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"user","content":[{"type":"text","text":""},
         {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]},
        {"role":"developer","content":"late rule"},
        {"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
         {"id":"b","type":"function","function":{"name":"g","arguments":""}}]},
        {"role":"tool","tool_call_id":"a","content":"1"},{"role":"user","content":"and?"},{"role":"tool","tool_call_id":"b","content":"2"}]})");
    EXPECT_EQ(plain(made.body["system"]),
              Json::parse(R"([{"type":"text","text":"be brief"},{"type":"text","text":"late rule"}])"));
    EXPECT_EQ(plain(made.body["messages"]), Json::parse(R"([
        {"role":"user","content":[{"type":"text","text":"hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
          {"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"x":1}},{"type":"tool_use","id":"b","name":"g","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"}]},
          {"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"2"}]},{"type":"text","text":"and?"}]}])"));
    EXPECT_EQ(made.body["max_tokens"], 1000);
}

TEST(AnthropicRequest, ParametersAreMapped)
{
    const auto made = translated(
        R"({"messages":[{"role":"user","content":"x"}],"max_tokens":9,"max_completion_tokens":7,"stop":["a"," ",""],
        "temperature":0.5,"seed":3,"user":"me@example.com","dure_x":1,"parallel_tool_calls":false,"tool_choice":"required",
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","$defs":{"q":{}},"additionalProperties":false},"strict":true}}]})");
    EXPECT_EQ(made.body["max_tokens"], 7);
    EXPECT_EQ(plain(made.body["stop_sequences"]), Json::parse(R"(["a"])"));
    EXPECT_EQ(plain(made.body["tool_choice"]), Json::parse(R"({"type":"any","disable_parallel_tool_use":true})"));
    EXPECT_EQ(plain(made.body["tools"]), Json::parse(R"([{"name":"f","description":"d",
        "input_schema":{"type":"object","$defs":{"q":{}},"additionalProperties":false},"strict":true}])"));
    EXPECT_FALSE(made.body.contains("temperature"));
    EXPECT_THAT(made.body["metadata"]["user_id"].get<std::string>(), Not(HasSubstr("example")));
    EXPECT_THAT(made.dropped, ElementsAre("temperature", "seed"));
}

TEST(AnthropicRequest, MarksOfTheCacheStay)
{
    const std::string mark = R"("cache_control":{"type":"ephemeral","ttl":"1h"})";
    const auto text = R"([{"type":"text","text":"x",)" + mark + "}]";
    const auto request = R"({"messages":[{"role":"system","content":)" + text + R"(},{"role":"user","content":)" + text +
                         R"(}],"tools":[{"type":"function","function":{"name":"f"},)" + mark + "}]}";
    const auto made = translated(request.c_str());
    const auto expected = Json::parse(text);
    const auto body = plain(made.body);
    EXPECT_EQ(body["system"], expected);
    EXPECT_EQ(body["messages"][0]["content"], expected);
    EXPECT_EQ(body["tools"][0].value("cache_control", Json()), expected[0]["cache_control"]) << body;
}

TEST(AnthropicRequest, ToolChoicesOfEveryKind)
{
    const std::pair<const char*, const char*> rows[] = {
        {R"("auto")", R"({"type":"auto"})"},
        {"null", "null"},
        {R"("auto","parallel_tool_calls":false)", R"({"type":"auto","disable_parallel_tool_use":true})"},
        {R"(null,"parallel_tool_calls":false)", R"({"type":"auto","disable_parallel_tool_use":true})"},
        {R"("none","parallel_tool_calls":false)", R"({"type":"none"})"},
        {R"("none")", R"({"type":"none"})"},
        {R"("required")", R"({"type":"any"})"},
        {R"({"type":"function","function":{"name":"f"}})", R"({"type":"tool","name":"f"})"}};
    for (const auto& [choice, expected] : rows) {
        const auto made =
            translated((R"({"messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":)" +
                        std::string(choice) + "}")
                           .c_str());
        EXPECT_EQ(plain(made.body.value("tool_choice", OrderedJson())), Json::parse(expected)) << choice;
    }
}

TEST(AnthropicRequest, SamplingAndThinkingDependOnTheVersion)
{
    const char* request = R"({"messages":[],"max_tokens":4000,"temperature":1.7,"top_k":4,"reasoning_effort":"high"})";
    const auto newer = translated(request);
    EXPECT_EQ(plain(newer.body["thinking"]), Json::parse(R"({"type":"adaptive"})"));
    EXPECT_EQ(newer.body["output_config"]["effort"], "high");
    const auto older = translated(request, true);
    EXPECT_EQ(plain(older.body["thinking"]), Json::parse(R"({"type":"enabled","budget_tokens":2000})"));
    EXPECT_FALSE(older.body.contains("temperature")) << "not together with thinking";
    const auto sampled = translated(R"({"messages":[],"temperature":1.7,"top_k":4})", true);
    EXPECT_EQ(sampled.body["temperature"], 1.0);
    EXPECT_EQ(sampled.body["top_k"], 4);
}

TEST(AnthropicRequest, ASchemaIsAFormatOrAForcedTool)
{
    const char* request =
        R"({"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}})";
    EXPECT_EQ(plain(translated(request).body["output_config"]["format"]),
              Json::parse(R"({"type":"json_schema","schema":{"type":"object"}})"));
    const auto older = translated(request, true);
    EXPECT_FALSE(older.answer_tool.empty());
    EXPECT_EQ(older.body["tool_choice"]["name"], older.answer_tool);
    EXPECT_EQ(plain(older.body["tools"][0]["input_schema"]), Json::parse(R"({"type":"object"})"));
}

TEST(AnthropicRequest, ThinkingOfAnEarlierTurnGoesBackUnchanged)
{
    const auto made = translated(R"({"messages":[{"role":"assistant","content":"x","reasoning_details":[
        {"type":"reasoning.text","text":"t","signature":"s"},{"type":"reasoning.encrypted","data":"d"},{"type":"reasoning.text","text":"unsigned"}]}]})");
    EXPECT_EQ(plain(made.body["messages"][0]["content"]),
              Json::parse(R"([{"type":"thinking","thinking":"t","signature":"s"},
        {"type":"redacted_thinking","data":"d"},{"type":"text","text":"x"}])"));
}

TEST(AnthropicRequest, WhatCannotBeTranslatedIsNamed)
{
    const std::pair<const char*, const char*> rows[] = {
        {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"[1]"}}]}]})",
         "messages[0].tool_calls[0].function.arguments"},
        {R"({"messages":[{"role":"user","content":[{"type":"input_audio"}]}]})", "messages[0].content[0]"},
        {R"({"messages":[{"role":"king","content":"x"}]})", "messages[0].role"},
        {R"({"messages":[{"role":"system","content":[{"type":"image_url","image_url":"u"}]}]})", "messages[0].content"},
        {R"({"messages":5})", "messages"},
        {R"({"messages":[],"tools":[{"type":"custom"}]})", "tools[0]"},
        {R"({"messages":[],"tools":[{"function":{"name":"f"}}],"tool_choice":"maybe"})", "tool_choice"}};
    for (const auto& [request, param] : rows) {
        const auto made = anthropic::translate_request(OrderedJson::parse(request), anthropic::RequestOptions());
        ASSERT_FALSE(made) << request;
        EXPECT_EQ(made.error().param(), param);
    }
}

std::string event(const Json& document)
{
    return "event: " + document.value("type", "") + "\ndata: " + document.dump() + "\n\n";
}

std::string message_start()
{
    return event(Json::parse(
        R"({"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":1}}})"));
}

std::string text_block(int index, const std::vector<std::string>& texts)
{
    auto all =
        event({{"type", "content_block_start"}, {"index", index}, {"content_block", {{"type", "text"}, {"text", ""}}}});
    for (const auto& text : texts)
        all += event(
            {{"type", "content_block_delta"}, {"index", index}, {"delta", {{"type", "text_delta"}, {"text", text}}}});
    return all + event({{"type", "content_block_stop"}, {"index", index}});
}

std::string ending(const char* reason)
{
    return event({{"type", "message_delta"}, {"delta", {{"stop_reason", reason}}}, {"usage", {{"output_tokens", 7}}}}) +
           event({{"type", "message_stop"}});
}

Script as_stream(const std::string& events)
{
    return {send(sse_head() + chunk(events) + last_chunk())};
}

class Anthropic : public GatewayTest {
protected:
    Anthropic()
    {
        add_upstream(upstream.base());
        settings.providers.at(0).dialect = "anthropic";
    }
    Result<void>
    stream_now(const std::string& body = R"({"model":"gpt","stream":true,"messages":[{"role":"user","content":"hi"}]})")
    {
        record = {};
        sink.bytes.clear();
        return relay("gpt", body, true, true, sink, record);
    }
    ScriptedUpstream upstream;
    KeepingSink sink;
    RelayRecord record;
};

TEST_F(Anthropic, AStreamBecomesChunksAndUsageCountsTheCacheIn)
{
    upstream.enqueue(as_stream(message_start() + event({{"type", "ping"}}) + message_start() +
                               text_block(0, {"Hel", "lo"}) + event({{"type", "brand_new"}}) + ending("end_turn")));
    const auto result = stream_now();
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(record.completion.text, "Hello");
    EXPECT_EQ(record.completion.finish_reason, "stop");
    EXPECT_EQ(record.completion.usage.prompt_tokens, 16);
    EXPECT_EQ(record.completion.usage.cached_tokens, 4);
    EXPECT_EQ(record.completion.usage.cache_write_tokens, 2);
    EXPECT_EQ(record.completion.usage.completion_tokens, 7);
    EXPECT_THAT(sink.bytes, HasSubstr("\"total_tokens\":23"));
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
    const auto sent = upstream.requests().at(0);
    EXPECT_EQ(sent.target, "/v1/messages");
    EXPECT_EQ(sent.header("x-api-key"), "sk-provider-secret-1");
    EXPECT_EQ(sent.header("anthropic-version"), "2026-10-21");
    EXPECT_EQ(Json::parse(sent.body)["model"], "upstream-gpt");
}

TEST_F(Anthropic, OfABrokenStreamThePromptIsWhatTheStartSaidAndTheOutputWhatCame)
{
    const auto part = text_block(0, {"twenty characters ab"});
    upstream.enqueue({send(sse_head() + chunk(message_start() + part)), reset()});
    const auto result = stream_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "stream_interrupted");
    const auto& usage = record.completion.usage;
    EXPECT_EQ(usage.prompt_tokens, 16);
    EXPECT_EQ(usage.cached_tokens, 4);
    EXPECT_EQ(usage.completion_tokens, 5) << "not the 1 of the start";
    EXPECT_TRUE(usage.estimated);
    EXPECT_THAT(sink.bytes, Not(HasSubstr("total_tokens")));
}

TEST_F(Anthropic, EveryByteMayComeAlone)
{
    const auto events = message_start() + text_block(0, {"안녕", "하세요"}) + ending("max_tokens");
    upstream.enqueue({send(sse_head()), send_split(chunk(events) + last_chunk())});
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "안녕하세요");
    EXPECT_EQ(record.completion.finish_reason, "length");
}

TEST_F(Anthropic, ToolBlocksMayInterleaveAndEmptyInputIsAnObject)
{
    const auto start = [](int index, const char* id) {
        return event({{"type", "content_block_start"},
                      {"index", index},
                      {"content_block", {{"type", "tool_use"}, {"id", id}, {"name", "f"}, {"input", Json::object()}}}});
    };
    const auto piece = [](int index, const char* text) {
        return event({{"type", "content_block_delta"},
                      {"index", index},
                      {"delta", {{"type", "input_json_delta"}, {"partial_json", text}}}});
    };
    const auto stop = [](int index) { return event({{"type", "content_block_stop"}, {"index", index}}); };
    upstream.enqueue(as_stream(message_start() + text_block(0, {"so"}) + start(1, "a") + start(2, "b") + piece(1, "") +
                               piece(2, "{\"y\"") + piece(1, "{\"x\":") + piece(2, ":2}") + piece(1, "1}") + stop(2) +
                               stop(1) + start(3, "c") + stop(3) + ending("tool_use")));
    ASSERT_TRUE(stream_now());
    ASSERT_EQ(record.completion.tool_calls.size(), 3u);
    EXPECT_EQ(record.completion.tool_calls[0].arguments, R"({"x":1})");
    EXPECT_EQ(record.completion.tool_calls[1].arguments, R"({"y":2})");
    EXPECT_EQ(record.completion.tool_calls[2].arguments, "{}");
    EXPECT_EQ(record.completion.finish_reason, "tool_calls");
}

TEST_F(Anthropic, ThinkingIsReasoningAndItsSignatureIsKept)
{
    const auto delta = [](const Json& change) {
        return event({{"type", "content_block_delta"}, {"index", 0}, {"delta", change}});
    };
    const auto thoughts =
        as_stream(message_start() +
                  event({{"type", "content_block_start"},
                         {"index", 0},
                         {"content_block", {{"type", "thinking"}, {"thinking", ""}}}}) +
                  delta({{"type", "thinking_delta"}, {"thinking", "hm"}}) +
                  delta({{"type", "signature_delta"}, {"signature", "sig"}}) +
                  event({{"type", "content_block_stop"}, {"index", 0}}) + text_block(1, {"done"}) + ending("end_turn"));
    upstream.enqueue(thoughts);
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.reasoning, "hm");
    EXPECT_THAT(sink.bytes,
                HasSubstr("\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"signature\":\"sig\""));
    EXPECT_TRUE(record.completion.reasoning_details.empty()) << "the client has them and sends them back";
    upstream.enqueue(thoughts);
    KeepingSink watched;
    model::Completion answer;
    ASSERT_TRUE(stream(asking("hi", "gpt"), watched, answer));
    ASSERT_EQ(answer.reasoning_details.size(), 1u) << "for the next turn of whoever keeps the conversation";
    EXPECT_EQ(answer.reasoning_details[0]["signature"], "sig");
}

TEST_F(Anthropic, BlocksOfUnknownKindsSayNothingWhateverTheirPiecesAreCalled)
{
    std::string events = message_start();
    int index = 0;
    for (const char* kind : {"mystery", "server_tool_use", "tool_use"})
        for (const auto& [piece, member] : std::vector<std::pair<std::string, std::string>>{
                 {"text_delta", "text"}, {"thinking_delta", "thinking"}, {"signature_delta", "signature"}}) {
            events += event({{"type", "content_block_start"},
                             {"index", index},
                             {"content_block", {{"type", kind}, {"id", "t"}, {"name", "f"}, {"text", "LEAK"}}}});
            events += event({{"type", "content_block_delta"},
                             {"index", index},
                             {"delta", {{"type", piece}, {member, "LEAK"}}}});
            events += event({{"type", "content_block_stop"}, {"index", index++}});
        }
    upstream.enqueue(as_stream(events + text_block(index, {"said"}) + ending("end_turn")));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "said");
    EXPECT_EQ(record.completion.reasoning, "");
    EXPECT_THAT(sink.bytes, Not(HasSubstr("LEAK")));
}

TEST_F(Anthropic, ARefusalIsAContentFilterWithItsExplanation)
{
    upstream.enqueue(as_stream(
        message_start() + text_block(0, {"I"}) +
        event(Json::parse(
            R"({"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"explanation":"not allowed"}},"usage":{"output_tokens":1}})")) +
        event({{"type", "message_stop"}})));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.finish_reason, "content_filter");
    EXPECT_EQ(record.completion.refusal, "not allowed");
}

TEST_F(Anthropic, AStopReasonWithoutMessageStopIsWholeAndNothingIsInterrupted)
{
    upstream.enqueue(as_stream(message_start() + text_block(0, {"x"}) +
                               event({{"type", "message_delta"}, {"delta", {{"stop_reason", "end_turn"}}}})));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.finish_reason, "stop");
    upstream.enqueue(as_stream(message_start() + text_block(0, {"x"})));
    const auto cut = stream_now();
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().reason(), "stream_interrupted");
}

TEST_F(Anthropic, ErrorsInTheStreamAreClassified)
{
    const auto error =
        event(Json::parse(R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"));
    upstream.enqueue(as_stream(message_start() + error));
    upstream.enqueue(as_stream(message_start() + text_block(0, {"second try"}) + ending("end_turn")));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "second try");
    upstream.enqueue(as_stream(message_start() + text_block(0, {"part"}) + error));
    const auto broken = stream_now();
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().reason(), "upstream_overloaded");
    EXPECT_EQ(record.completion.text, "part");
}

TEST_F(Anthropic, WholeAnswersJoinTheirTexts)
{
    upstream.enqueue({send(
        http_answer(200, "application/json", R"({"type":"message","id":"msg_2","model":"claude","role":"assistant",
        "content":[{"type":"text","text":"one "},{"type":"tool_use","id":"t","name":"f","input":{"a":1}},{"type":"text","text":"two"}],
        "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":5}})"))});
    ASSERT_TRUE(
        relay("gpt", R"({"model":"gpt","messages":[{"role":"user","content":"x"}]})", false, false, sink, record));
    const auto body = Json::parse(record.body);
    EXPECT_EQ(body["model"], "gpt");
    EXPECT_EQ(body["choices"][0]["message"]["content"], "one two");
    EXPECT_TRUE(body["choices"][0]["message"].at("refusal").is_null()) << "named as OpenAI does";
    EXPECT_EQ(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], R"({"a":1})");
    EXPECT_EQ(body["choices"][0]["finish_reason"], "tool_calls");
    EXPECT_EQ(body["usage"]["total_tokens"], 8);
    EXPECT_EQ(record.completion.usage.prompt_tokens, 3);
}

// What providers cut between the halves of a character (llm-upstreams §2.4).
TEST_F(Anthropic, HalvesOfCharactersAreJoinedOrReplacedWhereverTheyStand)
{
    const auto piece = [](int index, const char* type, const char* key, const char* text) {
        return std::string(R"(data: {"type":"content_block_delta","index":)") + std::to_string(index) +
               R"(,"delta":{"type":")" + type + R"(",")" + key + R"(":")" + text + "\"}}\n\n";
    };
    const auto start = [](int index, const Json& block) {
        return event({{"type", "content_block_start"}, {"index", index}, {"content_block", block}});
    };
    const auto stop = [](int index) { return event({{"type", "content_block_stop"}, {"index", index}}); };
    upstream.enqueue(as_stream(
        message_start() + start(0, {{"type", "thinking"}, {"thinking", ""}}) +
        piece(0, "thinking_delta", "thinking", "\\ud83d") + piece(0, "thinking_delta", "thinking", "\\ude42") +
        piece(0, "signature_delta", "signature", "s") + stop(0) + start(1, {{"type", "text"}, {"text", ""}}) +
        piece(1, "text_delta", "text", "a\\ud83d") + piece(1, "text_delta", "text", "\\ude42b\\ude42") + stop(1) +
        start(2, {{"type", "tool_use"}, {"id", "t"}, {"name", "f"}, {"input", Json::object()}}) +
        piece(2, "input_json_delta", "partial_json", R"({\"x\":\"\ud83d)") +
        piece(2, "input_json_delta", "partial_json", R"(\ude42\"})") + stop(2) + ending("tool_use")));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "a🙂b\uFFFD");
    EXPECT_EQ(record.completion.reasoning, "🙂");
    EXPECT_THAT(sink.bytes, HasSubstr(R"("type":"reasoning.text","text":"🙂")"));
    ASSERT_EQ(record.completion.tool_calls.size(), 1u);
    EXPECT_EQ(record.completion.tool_calls[0].arguments, R"({"x":"🙂"})");
    EXPECT_THAT(sink.bytes, Not(HasSubstr("\xf4\x8f"))) << "no mark of ours goes out";
    upstream.enqueue({send(http_answer(200, "application/json", R"({"type":"message","id":"m","role":"assistant",
        "content":[{"type":"text","text":"a\ud83d"},{"type":"text","text":"b"}],"stop_reason":"end_turn"})"))});
    ASSERT_TRUE(
        relay("gpt", R"({"model":"gpt","messages":[{"role":"user","content":"x"}]})", false, false, sink, record));
    EXPECT_EQ(Json::parse(record.body)["choices"][0]["message"]["content"], "a\uFFFDb");
}

TEST_F(Anthropic, StatusesEndAsTheirClass)
{
    struct Row {
        int status;
        const char* type;
        const char* reason;
        int attempts;
    };
    const Row rows[] = {{401, "authentication_error", "upstream_auth", 1},
                        {402, "billing_error", "upstream_quota", 1},
                        {403, "permission_error", "upstream_auth", 1},
                        {404, "not_found_error", "upstream_model_missing", 1},
                        {429, "rate_limit_error", "rate_limit_exceeded", 1},
                        {500, "api_error", "upstream_error", 2},
                        {529, "overloaded_error", "upstream_overloaded", 2},
                        {400, "invalid_request_error", "invalid_request_error", 1}};
    for (const auto& row : rows) {
        forget_gateway();
        const auto before = upstream.request_count();
        const Json body = {
            {"type", "error"}, {"error", {{"type", row.type}, {"message", "no"}}}, {"request_id", "req_1"}};
        upstream.handle([&](const RecordedRequest&) {
            return Script{send(http_answer(row.status, "application/json", body.dump()))};
        });
        const auto result = stream_now();
        ASSERT_FALSE(result) << row.status;
        if (row.status != 400)
            EXPECT_EQ(result.error().reason(), row.reason);
        EXPECT_EQ(upstream.request_count() - before, row.attempts) << row.status;
    }
}

TEST_F(Anthropic, TypedRequestsOfTheAgentWorkToo)
{
    upstream.enqueue(as_stream(message_start() + text_block(0, {"typed"}) + ending("end_turn")));
    model::Completion completion;
    ASSERT_TRUE(stream(asking("hi", "gpt"), sink, completion));
    EXPECT_EQ(completion.text, "typed");
    EXPECT_EQ(completion.usage.completion_tokens, 7);
}

TEST_F(Anthropic, SeveralChoicesAreRefusedByName)
{
    const auto refused =
        stream_now(R"({"model":"gpt","stream":true,"n":2,"messages":[{"role":"user","content":"hi"}]})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().param(), "n");
    EXPECT_EQ(upstream.request_count(), 0);
}

}  // namespace

}  // namespace dure::llm::test

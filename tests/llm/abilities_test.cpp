// What a model's entry says a target can do, and what the gateway does about what it cannot: roles, limits, choices, schemas.
#include "dure/schema/json_view.hpp"
#include "llm/answer_form.hpp"
#include "llm/openai/message_edits.hpp"
#include "llm/price.hpp"
#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace abilities {

const std::string person_format =
    R"("response_format":{"type":"json_schema","json_schema":{"name":"person","schema":{"type":"object","required":["age"],"properties":{"age":{"type":"integer"}}}}})";
const std::string person = R"({"age": 3})";
const std::string nobody = R"({"name": "kim"})";

class Abilities : public UpstreamCases {
protected:
    config::Model& gpt() { return settings.model.at(0); }
    Result<void> ask(const std::string& fields, bool streamed = false)
    {
        record = {};
        sink.bytes.clear();
        const auto body = R"({"model":"gpt","messages":[{"role":"user","content":"x"}],)" + fields + "}";
        return relay("gpt", body, streamed, false, sink, record);
    }
    Json sent(std::size_t number) const { return Json::parse(upstream.requests().at(number).body); }
    static Script streamed_answer(const std::string& text)
    {
        return stream_script({role_chunk(), text_chunk(text.substr(0, 4)), text_chunk(text.substr(4)),
                              finish_chunk("stop"), usage_chunk()});
    }
};

TEST_F(Abilities, ASchemaGoesInWordsWhereItCannotBeDemandedAndTheAnswerIsChecked)
{
    gpt().json_schema = false;
    upstream.enqueue(completion_script(nobody));
    upstream.enqueue(completion_script(person));
    ASSERT_TRUE(ask(person_format));
    EXPECT_EQ(record.completion.text, person);
    EXPECT_THAT(record.body, HasSubstr("age"));
    ASSERT_EQ(upstream.request_count(), 2) << "an answer that does not fit is asked for once more";
    for (const std::size_t number : {0u, 1u}) {
        EXPECT_EQ(sent(number)["response_format"], Json::parse(R"({"type":"json_object"})"));
        const auto messages = sent(number)["messages"];
        ASSERT_EQ(messages.size(), 2u);
        EXPECT_EQ(messages[0]["role"], "system");
        EXPECT_THAT(messages[0]["content"].get<std::string>(), HasSubstr(R"("required":["age"])"));
    }
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].failure, "protocol");
    EXPECT_GT(rows[0].prompt_tokens, 0) << "it was billed all the same";
}

TEST_F(Abilities, ABodyWhoseMembersAreKnownIsSentAsOneThatIsReadAnew)
{
    const std::string body =
        R"( {"model":"gpt", "messages" : [{"role":"developer","content":"q"}],"max_tokens":7 ,"n" : 1,)"
        R"("dure_strategy":"x","t\u006fp_p":0.5,"stream_options":{"more":1}} )";
    const schema::JsonIndex members{schema::JsonView(body)};
    RelayRequest request;
    request.model = "gpt";
    request.body = body;
    const auto call = context();
    for (const auto* known : {static_cast<const schema::JsonIndex*>(nullptr), &members}) {
        request.members = known;
        upstream.enqueue(completion_script("fine"));
        on_core([&]() -> Task<void> { (void)co_await gateway().relay(request, call, sink, record); });
    }
    EXPECT_EQ(upstream.requests().at(0).body, upstream.requests().at(1).body);
}

TEST_F(Abilities, ATargetThatDoesNotStreamIsAskedForAWholeAnswerThatIsStreamedOn)
{
    upstream.enqueue(error_script(400, "Unsupported value: 'stream' does not support true with this model.",
                                  "invalid_request_error", "unsupported_value"));
    upstream.handle([](const RecordedRequest&) { return completion_script("in one piece"); });
    ASSERT_TRUE(stream_now());
    EXPECT_THAT(sink.bytes, HasSubstr("in one piece"));
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
    EXPECT_FALSE(sent(1).contains("stream"));
    EXPECT_FALSE(sent(1).contains("stream_options"));
    EXPECT_TRUE(record.dropped_params.empty()) << "the client has its stream";
    model::Completion completion;
    ASSERT_TRUE(complete(asking("hi", "gpt"), completion));
    EXPECT_EQ(completion.text, "in one piece");
    EXPECT_EQ(upstream.request_count(), 3) << "it is remembered";
}

// llm-upstreams §3: OpenRouter as one target of our chain is asked for one model, else it would have a chain within the chain.
TEST_F(Abilities, AListOfModelsGoesOnlyToATargetThatStandsAlone)
{
    const std::string list = R"("models":["a/b","c/d"],"provider":{"order":["x"]})";
    upstream.handle([](const RecordedRequest&) { return completion_script("ok"); });
    ASSERT_TRUE(ask(list));
    EXPECT_EQ(sent(0)["models"], Json::array({"a/b", "c/d"}));
    forget_gateway();
    chain();
    ASSERT_TRUE(ask(list));
    EXPECT_FALSE(sent(1).contains("models"));
    EXPECT_EQ(sent(1)["provider"], Json::parse(R"({"order":["x"]})")) << "what else is its own goes through";
    EXPECT_EQ(record.dropped_params, std::vector<std::string>{"models"});
}

TEST_F(Abilities, NoAnswerThatFitsIsAnErrorNeverAWrongAnswer)
{
    gpt().json_schema = false;
    for (const bool streamed : {false, true}) {
        forget_gateway();
        const auto before = upstream.request_count();
        always(streamed ? streamed_answer("no JSON at all") : completion_script("no JSON at all"));
        const auto result = ask(person_format, streamed);
        expect_error(result, Errc::upstream_failed, "upstream_protocol_error");
        EXPECT_THAT(result.error().message(), HasSubstr("schema"));
        EXPECT_EQ(upstream.request_count() - before, 2);
        EXPECT_EQ(sink.bytes, "");
    }
}

TEST_F(Abilities, ADocumentComesWithoutTheFenceAroundIt)
{
    gpt().json_schema = false;
    const auto fenced = "Here it is:\n```json\n" + std::string(person) + "\n```\n";
    for (const bool streamed : {false, true}) {
        forget_gateway();
        always(streamed ? streamed_answer(fenced) : completion_script(fenced));
        ASSERT_TRUE(ask(person_format, streamed));
        EXPECT_EQ(record.completion.text, person);
        if (!streamed) {
            EXPECT_EQ(Json::parse(record.body)["choices"][0]["message"]["content"], person);
            continue;
        }
        EXPECT_THAT(sink.bytes, Not(HasSubstr("```")));
        EXPECT_THAT(sink.bytes, HasSubstr(dump(Json(person))));
        EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
    }
    CompletionRequest typed = asking("who?", "gpt");
    typed.extra = OrderedJson::parse("{" + person_format + "}");
    forget_gateway();
    always(streamed_answer(fenced));
    ASSERT_TRUE(stream(typed, sink, record.completion));
    EXPECT_EQ(sink.text, person);
}

TEST_F(Abilities, ASchemaThatNothingFitsTakesNoTargetFromOthers)
{
    gpt().json_schema = false;
    always(completion_script("words"));
    for (int i = 0; i < 12; ++i)
        EXPECT_FALSE(ask(person_format));
    EXPECT_TRUE(ask(R"("response_format":{"type":"text"})"));
}

TEST_F(Abilities, AStreamIsHeldBackUntilItsAnswerHasBeenChecked)
{
    gpt().json_schema = false;
    chain();
    upstream.enqueue(streamed_answer(nobody));
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("{\"age\":"))), reset()});
    other.enqueue(streamed_answer(person));
    ASSERT_TRUE(ask(person_format, true));
    EXPECT_EQ(record.completion.text, person);
    EXPECT_THAT(sink.bytes, Not(HasSubstr("kim"))) << "nothing of the answers that failed was shown";
    EXPECT_TRUE(sink.bytes.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
}

TEST_F(Abilities, WhatMustNotFollowASchemaIsNotChecked)
{
    gpt().json_schema = false;
    const std::pair<const char*, Script> rows[] = {
        {"a refusal", {send(http_answer(200, "application/json", completion_body("", "stop", {{"refusal", "no"}})))}},
        {"cut at its length", {send(http_answer(200, "application/json", completion_body("{\"age\"", "length")))}},
        {"tool calls",
         {send(http_answer(
             200, "application/json",
             completion_body("", "tool_calls", {{"tool_calls", Json::array({tool_call_json(0, "c", "f", "{}")})}})))}}};
    for (const auto& [name, script] : rows) {
        upstream.enqueue(script);
        EXPECT_TRUE(ask(person_format)) << name;
    }
    upstream.enqueue(completion_script("free text"));
    EXPECT_TRUE(ask(R"("response_format":{"type":"text"})"));
    EXPECT_EQ(sent(3)["response_format"]["type"], "text");
}

TEST_F(Abilities, ThatASchemaCannotBeDemandedIsLearnedFromTheRefusal)
{
    upstream.enqueue(error_script(
        400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "invalid_request_error"));
    upstream.enqueue(completion_script(person));
    ASSERT_TRUE(ask(person_format));
    EXPECT_EQ(sent(0)["response_format"]["type"], "json_schema");
    EXPECT_EQ(sent(1)["response_format"]["type"], "json_object");
    upstream.enqueue(completion_script(person));
    ASSERT_TRUE(ask(person_format));
    EXPECT_EQ(sent(2)["response_format"]["type"], "json_object") << "remembered";
}

TEST_F(Abilities, ASchemaThatCannotBeReadIsTheCallersFault)
{
    gpt().json_schema = false;
    const auto result =
        ask(R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"strange"}}})");
    expect_error(result, Errc::invalid_argument, "invalid_value");
    EXPECT_EQ(result.error().param(), "response_format");
    EXPECT_EQ(upstream.request_count(), 0);
}

TEST_F(Abilities, TypedRequestsAreCheckedToo)
{
    gpt().json_schema = false;
    auto request = asking("x", "gpt");
    request.extra = OrderedJson::parse("{" + person_format + "}");
    upstream.enqueue(completion_script(nobody));
    upstream.enqueue(completion_script(person));
    model::Completion completion;
    ASSERT_TRUE(complete(request, completion));
    EXPECT_EQ(completion.text, person);
    EXPECT_EQ(sent(0)["response_format"]["type"], "json_object");
    upstream.enqueue(streamed_answer(nobody));
    upstream.enqueue(streamed_answer(person));
    completion = {};
    ASSERT_TRUE(stream(request, sink, completion));
    EXPECT_EQ(sink.text, person);
}

TEST_F(Abilities, AnthropicTargetsAreHeldToASchemaToldInWordsBesideTools)
{
    settings.providers.at(0).dialect = "anthropic";
    settings.providers.at(0).version = "2023-06-01";
    const auto message = [](const std::string& text) {
        return Script{send(http_answer(200, "application/json",
                                       Json{{"type", "message"},
                                            {"id", "m"},
                                            {"content", Json::array({{{"type", "text"}, {"text", text}}})},
                                            {"stop_reason", "end_turn"},
                                            {"usage", {{"input_tokens", 1}, {"output_tokens", 2}}}}
                                           .dump()))};
    };
    upstream.enqueue(message(nobody));
    upstream.enqueue(message(person));
    ASSERT_TRUE(ask(R"("tools":[{"type":"function","function":{"name":"f"}}],)" + person_format));
    EXPECT_EQ(record.completion.text, person);
    EXPECT_THAT(sent(0)["system"][0]["text"].get<std::string>(), HasSubstr("\"age\""));
}

TEST(MessageEdits, JoinTheFirstSystemMessageOrStandBeforeTheOthers)
{
    const std::pair<const char*, const char*> rows[] = {
        {R"([{"role":"user","content":"x"}])",
         R"([{"role":"system","content":"be \"good\""},{"role":"user","content":"x"}])"},
        {R"([{"content":"old","role":"system"},{"role":"user","content":"x"}])",
         R"([{"content":"old\n\nbe \"good\"","role":"system"},{"role":"user","content":"x"}])"},
        {R"([{"role":"developer","content":"old"}])", R"([{"role":"system","content":"old\n\nbe \"good\""}])"},
        {R"([{"role":"system","content":""}])", R"([{"role":"system","content":"be \"good\""}])"},
        {R"([{"role":"system","content":[{"type":"text","text":"old"}]}])",
         R"([{"role":"system","content":[{"type":"text","text":"old"},{"type":"text","text":"be \"good\""}]}])"},
        {R"([{"role":"user","content":"x"},{"role":"system","content":"late"},{"role":"developer","content":"d"}])",
         R"([{"role":"system","content":"be \"good\""},{"role":"user","content":"x"},{"role":"system","content":"late"},{"role":"system","content":"d"}])"},
        {R"([])", R"([{"role":"system","content":"be \"good\""}])"},
    };
    for (const auto& [given, wanted] : rows) {
        const auto span = "\"messages\": " + std::string(given);
        const schema::JsonView messages(std::string_view(span).substr(span.find('[')));
        const auto made = openai::edited_messages(span, messages, {true, "be \"good\""});
        EXPECT_EQ(made, "\"messages\": " + std::string(wanted));
    }
}

TEST_F(Abilities, TheRoleDeveloperStaysWhereItIsKnown)
{
    const std::string body =
        R"({"model":"gpt","messages":[{"role":"developer","content":"d"},{"role":"user","content":"x"}]})";
    for (const bool known : {false, true}) {
        forget_gateway();
        gpt().developer_role = known;
        upstream.enqueue(completion_script("ok"));
        ASSERT_TRUE(relay("gpt", body, false, false, sink, record));
        EXPECT_EQ(Json::parse(upstream.requests().back().body)["messages"][0]["role"], known ? "developer" : "system");
    }
}

TEST_F(Abilities, AnyOtherModelTakesTheOlderLimit)
{
    upstream.enqueue(completion_script("a"));
    ASSERT_TRUE(ask(R"("max_completion_tokens":5)"));
    EXPECT_EQ(sent(0).value("max_tokens", 0), 5);
    EXPECT_FALSE(sent(0).contains("max_completion_tokens")) << "which Ollama and older servers do not look at";
}

TEST_F(Abilities, AReasoningModelTakesTheNewerLimitAndHasMoreTimeForItsFirstOutput)
{
    timeouts().first_output = 150ms;
    timeouts().first_output_reasoning = 10s;
    gpt().reasoning = true;
    upstream.enqueue(
        {send(sse_head()), pause(400ms),
         send(chunk(text_chunk("late")) + chunk(finish_chunk("stop")) + chunk(done_event()) + last_chunk())});
    ASSERT_TRUE(ask(R"("max_tokens":5)", true));
    EXPECT_EQ(record.completion.text, "late");
    EXPECT_EQ(sent(0).value("max_completion_tokens", 0), 5);
    EXPECT_FALSE(sent(0).contains("max_tokens"));
}

TEST_F(Abilities, ChoicesAndLogprobsGoOnlyWhereTheyAreKnown)
{
    chain();
    config::Model said;
    said.id = "plain";
    said.targets = {"up/upstream-gpt"};
    said.n = said.logprobs = false;
    settings.model.push_back(said);
    other.handle([](const RecordedRequest&) { return completion_script("ok"); });
    for (const auto& [field, param] : {std::pair("\"n\":2", "n"), std::pair("\"logprobs\":true", "logprobs")}) {
        ASSERT_TRUE(ask(field));
        EXPECT_EQ(record.completion.answered_by, "other/upstream-gpt");
        const auto refused =
            relay("plain", R"({"model":"plain","messages":[],)" + std::string(field) + "}", false, false, sink, record);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().reason(), "unsupported_parameter");
        EXPECT_EQ(refused.error().param(), param);
    }
    EXPECT_EQ(upstream.request_count(), 0);
}

TEST_F(Abilities, OfSeveralChoicesNoneIsLeftUnchecked)
{
    gpt().json_schema = false;
    const auto refused = ask("\"n\":2," + person_format);
    expect_error(refused, Errc::invalid_argument, "unsupported_parameter");
    EXPECT_EQ(upstream.request_count(), 0);
}

TEST_F(Abilities, TheApplicationsNameGoesOutUnderBothHeaders)
{
    settings.providers.at(0).headers = {{"HTTP-Referer", "https://dure.example"}, {"x-title", "Dure"}};
    upstream.enqueue(completion_script("ok"));
    ASSERT_TRUE(whole_now());
    const auto request = upstream.requests().at(0);
    EXPECT_EQ(request.header("X-Title"), "Dure");
    EXPECT_EQ(request.header("X-OpenRouter-Title"), "Dure");
    EXPECT_EQ(request.header("HTTP-Referer"), "https://dure.example");
}

TEST_F(Abilities, AnAnswerBeyondTheBoundIsAProtocolError)
{
    // A whole answer where a stream was asked for: bounded like any other.
    upstream.handle([](const RecordedRequest&) {
        return Script{send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 80000000\r\n\r\n"),
                      await_peer_close()};
    });
    for (const bool streamed : {false, true}) {
        forget_gateway();
        const auto result = ask("\"max_tokens\":5", streamed);
        expect_error(result, Errc::upstream_failed, "upstream_protocol_error");
    }
}

TEST(Price, MayBePerRequest)
{
    config::Prices prices;
    prices.request = 5'000'000;
    EXPECT_EQ(cost_nano({}, prices), 5'000'000);
    prices.input = 1'000'000'000;
    model::Usage usage;
    usage.prompt_tokens = 2;
    EXPECT_EQ(cost_nano(usage, prices), 5'002'000);
    EXPECT_NE(price_version(prices), price_version({.input = 1'000'000'000}));
}

}  // namespace abilities

}  // namespace dure::llm::test

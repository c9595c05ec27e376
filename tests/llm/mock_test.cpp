// The mock model: which tool it asks for, what it says, in which language, and the forms of its answers.
#include <gmock/gmock.h>

#include "dure/base/text.hpp"
#include "llm/gateway_fixture.hpp"
#include "llm/mock/instance.hpp"
#include "llm/mock/intent.hpp"

namespace dure::llm::test {

namespace {

using ::testing::HasSubstr;

struct IntentCase {
    const char* question;
    mock::Want want;
    const char* subject;
};

class MockIntent : public ::testing::TestWithParam<IntentCase> {};

TEST_P(MockIntent, IsReadFromTheQuestion)
{
    const auto intent = mock::read_intent(GetParam().question);
    EXPECT_EQ(intent.want, GetParam().want);
    EXPECT_EQ(intent.subject, GetParam().subject);
}

INSTANTIATE_TEST_SUITE_P(
    Questions, MockIntent,
    ::testing::Values(IntentCase{"서울에서 12 * (3 + 4)를 계산해 줘", mock::Want::calculation, "12 * (3 + 4)"},
                      IntentCase{"What is 12 * (3 + 4)?", mock::Want::calculation, "12 * (3 + 4)"},
                      IntentCase{"2+2", mock::Want::calculation, "2+2"},
                      IntentCase{"3 더하기 4는 얼마야?", mock::Want::calculation, "3  +  4"},
                      IntentCase{"what is 7 times 6", mock::Want::calculation, "7 * 6"},
                      IntentCase{"calculate sqrt(16) + 1.", mock::Want::calculation, "sqrt(16) + 1"},
                      IntentCase{"(1 + 2) * 3 계산", mock::Want::calculation, "(1 + 2) * 3"},
                      IntentCase{"12 × 3 = ?", mock::Want::calculation, "12 * 3"},
                      IntentCase{"What is -5 + 3?", mock::Want::calculation, "-5 + 3"},
                      IntentCase{"서울 날씨 어때?", mock::Want::weather, "서울"},
                      IntentCase{"What's the weather in Paris?", mock::Want::weather, "Paris"},
                      IntentCase{"weather in Reykjavik today", mock::Want::weather, "Reykjavik"},
                      IntentCase{"오늘은 2026-11-21 이야", mock::Want::nothing, ""},
                      IntentCase{"Call 555-1234", mock::Want::nothing, ""},
                      IntentCase{"안녕하세요", mock::Want::nothing, ""}, IntentCase{"", mock::Want::nothing, ""}));

class MockModel : public GatewayTest {};

TEST_F(MockModel, AsksForTheCalculatorAndThenSaysItsResultInTheUsersLanguage)
{
    const std::pair<std::string, std::string> cases[] = {{"서울에서 12 * (3 + 4)를 계산해 줘", "계산 결과는 84입니다."},
                                                         {"What is 12 * (3 + 4)?", "The result is 84."}};
    for (const auto& [question, sentence] : cases) {
        auto request = asking(question);
        request.tools = {weather_tool(), calculator_tool()};
        model::Completion first;
        ASSERT_TRUE(complete(request, first));
        EXPECT_EQ(first.finish_reason, "tool_calls");
        ASSERT_EQ(first.tool_calls.size(), 1u);
        EXPECT_EQ(first.tool_calls[0].name, "calculator");
        EXPECT_EQ(first.tool_calls[0].arguments, R"j({"expression":"12 * (3 + 4)"})j");
        EXPECT_TRUE(first.tool_calls[0].id.starts_with("call_"));

        model::Message call;
        call.role = model::Role::assistant;
        call.tool_calls = first.tool_calls;
        model::Message result;
        result.role = model::Role::tool;
        result.content = R"j({"expression":"12 * (3 + 4)","result":84})j";
        request.messages.push_back(call);
        request.messages.push_back(result);
        model::Completion second;
        ASSERT_TRUE(complete(request, second));
        EXPECT_EQ(second.text, sentence);
        EXPECT_EQ(second.finish_reason, "stop");
    }
}

TEST_F(MockModel, FillsEveryRequiredArgumentOfTheWeatherTool)
{
    auto request = asking("부산 날씨 알려 줘");
    request.tools = {calculator_tool(), weather_tool()};
    model::Completion answer;
    ASSERT_TRUE(complete(request, answer));
    ASSERT_EQ(answer.tool_calls.size(), 1u);
    EXPECT_EQ(Json::parse(answer.tool_calls[0].arguments), Json::parse(R"({"city":"부산","unit":"celsius"})"));
}

TEST_F(MockModel, ObeysToolChoice)
{
    auto request = asking("hello");
    request.tools = {calculator_tool(), weather_tool()};
    request.tool_choice = "required";
    model::Completion required;
    ASSERT_TRUE(complete(request, required));
    ASSERT_EQ(required.tool_calls.size(), 1u);

    request.tool_choice = OrderedJson::parse(R"({"type":"function","function":{"name":"get_weather"}})");
    model::Completion named;
    ASSERT_TRUE(complete(request, named));
    ASSERT_EQ(named.tool_calls.size(), 1u);
    EXPECT_EQ(named.tool_calls[0].name, "get_weather");

    request = asking("What is 1 + 1?");
    request.tools = {calculator_tool()};
    request.tool_choice = "none";
    model::Completion none;
    ASSERT_TRUE(complete(request, none));
    EXPECT_TRUE(none.tool_calls.empty());
    EXPECT_FALSE(none.text.empty());
}

TEST_F(MockModel, AnswersTheRouterPrompt)
{
    auto request = asking("12 * (3 + 4)를 계산해 줘");
    model::Message system;
    system.role = model::Role::system;
    system.content = "Answer with JSON {\"action\": …, \"selected_tool\": …, \"reasoning\": …}. Tools:\n"
                     "{\"name\":\"get_weather\",\"description\":\"weather\"}\n"
                     "{\"name\":\"calculator\",\"description\":\"math\"}\n";
    request.messages.insert(request.messages.begin(), system);
    model::Completion route;
    ASSERT_TRUE(complete(request, route));
    auto decision = Json::parse(route.text);
    EXPECT_EQ(decision["action"], "execute_tool");
    EXPECT_EQ(decision["selected_tool"], "calculator");

    model::Message result;
    result.role = model::Role::tool;
    result.content = "84";
    request.messages.push_back(result);
    model::Completion after;
    ASSERT_TRUE(complete(request, after));
    EXPECT_EQ(Json::parse(after.text)["action"], "direct_response");
}

TEST_F(MockModel, AnswersFromTheResultsOfSteps)
{
    const auto said = [&](const std::string& text) {
        model::Completion answer;
        EXPECT_TRUE(complete(asking(text), answer));
        return answer.text;
    };
    EXPECT_EQ(said("## 과제\n12*12 계산해줘\n\n## 지금까지의 결과\n### 12*12\n계산 결과는 144입니다."), "계산 결과는 144입니다.");
    EXPECT_EQ(said("## Task\n2+2\n\n## Results so far\n### add\nThe result is 4.\n\n### look\nFine."),
              "The result is 4.\nFine.");
    EXPECT_TRUE(said("## 과제\n안녕\n\n## 맡은 일\n-\n\n## 지금까지의 결과\n-").ends_with(": 안녕"));
    EXPECT_NE(said("## Task\n2+2\n\n## Results so far\n-").find("needs a calculator"), std::string::npos);
}

TEST_F(MockModel, StreamsWholeCharactersThatJoinToTheSameAnswer)
{
    const auto request = asking("안녕하세요, 만나서 반가워요 🙂");
    model::Completion whole;
    ASSERT_TRUE(complete(request, whole));
    KeepingSink sink;
    model::Completion streamed;
    ASSERT_TRUE(stream(request, sink, streamed));
    EXPECT_GT(sink.pieces.size(), 3u);
    for (const auto& piece : sink.pieces)
        EXPECT_TRUE(valid_utf8(piece.text)) << piece.text;
    EXPECT_EQ(sink.text, whole.text);
    EXPECT_EQ(streamed.text, whole.text);
    EXPECT_EQ(streamed.usage.total(), whole.usage.total());
    EXPECT_EQ(streamed.answered_by, "mock/mock");
}

TEST_F(MockModel, CutsAtMaxTokensAndStop)
{
    auto request = asking("tell me something long, please, about nothing in particular");
    request.max_tokens = 3;
    model::Completion cut;
    ASSERT_TRUE(complete(request, cut));
    EXPECT_EQ(cut.finish_reason, "length");
    EXPECT_LE(cut.usage.completion_tokens, 3);

    request.max_tokens.reset();
    request.extra = OrderedJson::parse(R"({"stop":["offline"]})");
    model::Completion stopped;
    ASSERT_TRUE(complete(request, stopped));
    EXPECT_EQ(stopped.finish_reason, "stop");
    EXPECT_EQ(stopped.text, "This is the ");
}

TEST_F(MockModel, AnswersStructuredFormats)
{
    auto request = asking("give me a person");
    request.extra = OrderedJson::parse(R"({"response_format":{"type":"json_schema","json_schema":{"name":"p","schema":
        {"type":"object","properties":{"name":{"type":"string","minLength":6},"age":{"type":"integer","minimum":18},
        "tags":{"type":"array","items":{"enum":["a","b"]},"minItems":2},"home":{"$ref":"#/$defs/home"}},
        "required":["name","age","tags","home"],
        "$defs":{"home":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}}}})");
    model::Completion answer;
    ASSERT_TRUE(complete(request, answer));
    const auto made = Json::parse(answer.text);
    EXPECT_GE(made["name"].get<std::string>().size(), 6u);
    EXPECT_GE(made["age"].get<int>(), 18);
    EXPECT_EQ(made["tags"].size(), 2u);
    EXPECT_TRUE(made["home"]["city"].is_string());

    request.extra = OrderedJson::parse(R"({"response_format":{"type":"json_object"}})");
    model::Completion object;
    ASSERT_TRUE(complete(request, object));
    EXPECT_TRUE(Json::parse(object.text).is_object());
}

TEST(MockInstance, IsBoundedForSchemasThatReferToThemselves)
{
    const auto schema = Json::parse(R"({"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}},"required":["a","b"]})");
    EXPECT_LT(mock::minimal_instance(schema).dump().size(), 100000u);
}

TEST(MockInstance, TheFirstItemsOfAListFollowTheirOwnSchemas)
{
    const auto first = R"([{"type":"integer","minimum":3},{"const":"x"}])";
    for (const auto& [schema, instance] : std::vector<std::pair<std::string, std::string>>{
             {R"({"type":"array","minItems":3,"items":{"type":"boolean"},"prefixItems":)", R"([3,"x",true])"},
             {R"({"minItems":1,"prefixItems":)", "[3]"},
             {R"({"type":"array","minItems":3,"additionalItems":{"type":"boolean"},"items":)", R"([3,"x",true])"},
             {R"({"type":"array","minItems":3,"prefixItems":)", R"([3,"x","mock"])"}})
        EXPECT_EQ(mock::minimal_instance(Json::parse(schema + first + "}")), Json::parse(instance)) << schema;
}

struct TaskCase {
    const char* task;
    const char* mark;
    const char* key;      // of the JSON object; empty: text
};

class MockTask : public GatewayTest, public ::testing::WithParamInterface<TaskCase> {};

TEST_P(MockTask, IsAnsweredInItsExactFormByNameAndByMark)
{
    const auto& wanted = GetParam();
    const std::string history = "\n<chat_history>\nUSER: 김치찌개 끓이는 법\nASSISTANT: …\n</chat_history>";
    OrderedJson body;
    body["model"] = "mock";
    body["messages"][0]["role"] = "user";
    for (const bool by_name : {true, false}) {
        body["messages"][0]["content"] = by_name ? "edited template" + history : "### Task:\n" + std::string(wanted.mark) + history;
        auto call = context();
        if (by_name)
            call.background_task = wanted.task;
        KeepingSink sink;
        RelayRecord record;
        ASSERT_TRUE(relay("mock", dump(body), false, false, sink, record, call));
        const auto answer = Json::parse(record.body);
        ASSERT_EQ(answer["choices"].size(), 1u);
        const auto content = answer["choices"][0]["message"]["content"].get<std::string>();
        if (*wanted.key == '\0')
            EXPECT_FALSE(content.empty());
        else
            EXPECT_TRUE(Json::parse(content).contains(wanted.key)) << content;
        if (std::string(wanted.task) == "title_generation")
            EXPECT_THAT(content, HasSubstr("김치찌개"));
    }
}

INSTANTIATE_TEST_SUITE_P(
    OpenWebUi, MockTask,
    ::testing::Values(TaskCase{"title_generation", "Generate a concise title", "title"},
                      TaskCase{"tags_generation", "Generate 1-3 broad tags", "tags"},
                      TaskCase{"follow_up_generation", "Suggest 3-5 relevant follow-up questions", "follow_ups"},
                      TaskCase{"query_generation", "necessity of generating search queries", "queries"},
                      TaskCase{"autocomplete_generation", "You are an autocompletion system", "text"},
                      TaskCase{"image_prompt_generation", "Generate a detailed prompt for am image", "prompt"},
                      TaskCase{"emoji_generation", "Your task is to reflect the speaker's likely facial expression", ""},
                      TaskCase{"context_compaction", "Summarize the conversation history that will be compacted", ""},
                      TaskCase{"moa_response_generation", "You have been provided with a set of responses", ""}));

TEST_F(MockModel, RelaysWholeAnswersWithTheAskedNumberOfChoices)
{
    KeepingSink sink;
    RelayRecord record;
    ASSERT_TRUE(relay("mock", R"({"model":"mock","n":3,"messages":[{"role":"user","content":"hi"}]})", false, false, sink,
                      record));
    const auto answer = Json::parse(record.body);
    EXPECT_EQ(answer["object"], "chat.completion");
    EXPECT_EQ(answer["model"], "mock");
    EXPECT_EQ(answer["choices"].size(), 3u);
    EXPECT_EQ(answer["choices"][2]["index"], 2);
    EXPECT_EQ(answer["usage"]["total_tokens"], record.completion.usage.total());
    EXPECT_FALSE(answer.contains("error"));
}

TEST_F(MockModel, RefusesWrongBodiesNamingTheField)
{
    const std::pair<const char*, const char*> cases[] = {
        {R"({"model":"mock"})", "messages"},
        {R"({"model":"mock","messages":[]})", "messages"},
        {R"({"model":"mock","messages":"x"})", "messages"},
        {R"({"model":"mock","n":0,"messages":[{"role":"user","content":"hi"}]})", "n"},
        {R"({"model":"mock","tools":{},"messages":[{"role":"user","content":"hi"}]})", "tools"}};
    for (const auto& [body, field] : cases) {
        KeepingSink sink;
        RelayRecord record;
        const auto result = relay("mock", body, false, false, sink, record);
        ASSERT_FALSE(result) << body;
        EXPECT_EQ(result.error().code(), Errc::invalid_argument);
        EXPECT_EQ(result.error().param(), field);
    }
}

TEST_F(MockModel, UnknownModelsAreNotFoundOnEveryRoad)
{
    model::Completion completion;
    KeepingSink sink;
    RelayRecord record;
    for (const auto& result : {complete(asking("x", "nope"), completion), stream(asking("x", "nope"), sink, completion),
                               relay("nope", "{}", true, false, sink, record)}) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code(), Errc::not_found);
        EXPECT_EQ(result.error().reason(), "model_not_found");
    }
    ASSERT_EQ(gateway().models().size(), 1u);
    EXPECT_EQ(gateway().models()[0].id, "mock");
    EXPECT_TRUE(gateway().embeds("local"));
    EXPECT_FALSE(gateway().embeds("mock"));
    ASSERT_EQ(gateway().embedders().size(), 1u);
    EXPECT_EQ(gateway().embedders()[0].id, "local");
    EXPECT_EQ(gateway().find_embedder("local")->id, "local");
    EXPECT_FALSE(gateway().find_embedder("mock"));
    EXPECT_FALSE(gateway().find_embedder("")) << "the default model answers chats";
}

TEST_F(MockModel, AReaderWhoHasGoneStopsTheStream)
{
    KeepingSink sink;
    sink.gone = true;
    model::Completion completion;
    const auto result = stream(asking("hello there, how are you?"), sink, completion);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Errc::cancelled);
    EXPECT_EQ(sink.pieces.size(), 1u);
    EXPECT_TRUE(completion.usage.estimated);
}

}  // namespace

}  // namespace dure::llm::test

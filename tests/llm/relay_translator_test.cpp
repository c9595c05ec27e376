// The relay without sockets: what a client sees of ordinary and strange upstream streams, however the bytes were split.
#include <gmock/gmock.h>

#include "dure/base/text.hpp"
#include "llm/relayed.hpp"

namespace dure::llm::test {

namespace {

using openai::RelayTranslator;

const std::string usage_line =
    "data: "
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"up\",\"choices\":[],\"usage\":"
    "{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12,\"cost\":0.5}}\n\n";
const std::string ordinary = role_line + event_of(R"({"content":"안녕 \"하"})") + event_of(R"({"content":"세\n요"})") +
                             event_of(R"({"content":" \ud83d\ude42"})") + event_of("{}", "\"stop\"") + usage_line +
                             done_line;

TEST(RelayTranslator, AnOrdinaryStreamPassesWithTheAskedModelAndWithoutUsage)
{
    const auto result = relayed(ordinary);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.text(), "안녕 \"하세\n요 🙂");
    EXPECT_EQ(result.completion.text, result.text());
    EXPECT_EQ(result.finishes(), std::vector<std::string>{"stop"});
    EXPECT_EQ(result.usages(), 0);
    EXPECT_EQ(result.done_marks(), 1u);
    EXPECT_TRUE(result.bytes.ends_with(done_line));
    EXPECT_EQ(result.completion.usage.prompt_tokens, 7);
    for (const auto& one : result.chunks())
        EXPECT_EQ(one["model"], "asked");
}

// A model asked for by the provider's own name: nothing of its chunks has to be replaced. Another time of making has to.
TEST(RelayTranslator, ChunksWithNothingToReplaceGoOutAsTheyCame)
{
    const auto later = [](std::string event) { return event.replace(event.find("17"), 2, "18"); };
    const auto first = event_of(R"({"content":"하나"})"), second = event_of(R"({"content":" \"둘\" "})");
    const auto thought = event_of(R"({"reasoning_content":"hm"})");
    model::Completion completion;
    RelayTranslator::Options options;
    options.model = "up";
    RelayTranslator translator(options, completion);
    std::string out;
    const std::pair<std::string, std::string> came_and_goes[] = {
        {role_line, role_line}, {first, first},          {second, second}, {thought, thought},
        {thought, thought},     {later(second), second}, {second, second}, {first, first},
    };
    for (const auto& [came, goes] : came_and_goes) {
        out.clear();
        translator.event({}, std::string_view(came).substr(6, came.size() - 8), out);
        EXPECT_EQ(out, goes);
    }
    EXPECT_EQ(completion.text, "하나 \"둘\"  \"둘\"  \"둘\" 하나");
    EXPECT_EQ(completion.reasoning, "hmhm");
}

TEST(RelayTranslator, UsageComesOnceAndLastWhenAskedFor)
{
    const auto result = relayed(ordinary, true);
    EXPECT_EQ(result.usages(), 1);
    const auto last = result.chunks().back();
    EXPECT_TRUE(last["choices"].empty());
    EXPECT_EQ(last["usage"]["total_tokens"], 12);
    EXPECT_EQ(last["usage"]["cost"], 0.5);
    const auto estimated =
        relayed(role_line + event_of(R"({"content":"12345678"})") + event_of("{}", "\"stop\"") + done_line, true);
    EXPECT_EQ(estimated.chunks().back()["usage"]["completion_tokens"], 2);
    EXPECT_EQ(estimated.chunks().back()["usage"]["prompt_tokens"], 10);
}

TEST(RelayTranslator, ChoicesThatNeverCameHaveNoEnd)
{
    const auto result = relayed(R"(data: {"choices":[{"index":3,"delta":{"content":"a"}}]})"
                                "\n\n" +
                                done_line);
    ASSERT_TRUE(result.complete);
    for (const auto& chunk : result.chunks())
        EXPECT_EQ(chunk.at("choices").at(0).at("index"), 3);
    EXPECT_EQ(result.finishes(), std::vector<std::string>{"stop"});
}

TEST(RelayTranslator, UsageWithoutNumbersIsAnEstimate)
{
    for (const auto* said : {R"(,"usage":null)", R"(,"usage":{"prompt_tokens":null,"completion_tokens":null})", ""}) {
        const auto result = relayed(
            role_line + event_of(R"({"content":"abcde"})") + event_of("{}", "\"stop\"", said) + done_line, true);
        EXPECT_EQ(result.chunks().back().at("usage"),
                  Json::parse(R"({"prompt_tokens":10,"completion_tokens":2,"total_tokens":12})"))
            << said;
    }
}

TEST(RelayTranslator, EverySplitGivesTheSameBytes)
{
    const auto expected = relayed(ordinary, true).bytes;
    for (std::size_t split = 0; split <= ordinary.size(); ++split)
        ASSERT_EQ(relayed(ordinary, true, split).bytes, expected) << split;
    EXPECT_EQ(relayed(ordinary, true, std::string_view::npos).bytes, expected);
}

TEST(RelayTranslator, CumulativeUsageOnEveryChunkIsRemovedAndTheLastOneCounts)
{
    std::string stream = role_line;
    for (int i = 1; i <= 4; ++i)
        stream += event_of(R"({"content":"x"})", i == 4 ? "\"stop\"" : "null",
                           ",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":" + std::to_string(i) + "}");
    EXPECT_EQ(relayed(stream + done_line).usages(), 0);
    const auto asked = relayed(stream + done_line, true);
    EXPECT_EQ(asked.usages(), 1);
    EXPECT_EQ(asked.completion.usage.completion_tokens, 4);
    const auto nulls = relayed(role_line + event_of(R"({"content":"x"})", "null", ",\"usage\":null") +
                               event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(nulls.usages(), 0);
    EXPECT_EQ(nulls.text(), "x");
}

TEST(RelayTranslator, ATokenAndWhatCameWithItStayOneEvent)
{
    const std::string head = R"(data: {"id":"c1","object":"chat.completion.chunk","created":17,"model":"up",)";
    const std::string probabilities = R"({"content":[{"token":"x","logprob":-0.5,"bytes":[120],"top_logprobs":[]}]})";
    const std::string details = R"([{"type":"reasoning.text","text":"hm","index":0}])";
    const struct {
        const char* name;
        std::string event;
        std::string choice;  // without its index
    } cases[] = {
        {"thinking and its details (OpenRouter)",
         event_of(R"({"content":"","reasoning":"hm","reasoning_details":)" + details + "}"),
         R"("delta":{"reasoning_content":"hm","reasoning_details":)" + details + R"(},"logprobs":null)"},
        {"log-probabilities and running usage (vLLM)",
         head + R"("choices":[{"index":0,"delta":{"content":"x"},"logprobs":)" + probabilities +
             R"(,"finish_reason":null,"stop_reason":null}],"usage":{"prompt_tokens":7,"completion_tokens":1}})" +
             "\n\n",
         R"("delta":{"content":"x"},"logprobs":)" + probabilities + R"(,"stop_reason":null)"},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.name);
        const auto chunks = relayed(role_line + one.event + event_of("{}", "\"stop\"") + done_line).chunks();
        ASSERT_EQ(chunks.size(), 3u) << "role, token, finish";
        EXPECT_EQ(chunks[1]["choices"],
                  Json::array({Json::parse("{\"index\":0," + one.choice + ",\"finish_reason\":null}")}));
        EXPECT_FALSE(chunks[1].contains("usage"));
    }
}

TEST(RelayTranslator, TheRoleComesFirstAlways)
{
    for (const auto& first :
         {event_of(R"({"content":"x"})"), event_of(R"({"role":"assistant","content":"x"})"),
          event_of(R"({"role":"assistant","content":null})") + event_of(R"({"content":"x"})"),
          event_of(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]})")}) {
        const auto chunks = relayed(first + done_line).chunks();
        ASSERT_FALSE(chunks.empty());
        EXPECT_EQ(chunks[0]["choices"][0]["delta"], Json::parse(R"({"role":"assistant","content":""})")) << first;
    }
}

struct CallCase {
    const char* name;
    std::vector<const char*> deltas;  // entries of tool_calls
    std::vector<std::pair<std::string, std::string>> calls;  // name, arguments
};

TEST(RelayTranslator, ToolCallQuirksAreMadeRegular)
{
    const CallCase cases[] = {
        {"regular",
         {R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}})",
          R"({"index":0,"function":{"arguments":"{\"x\""}})", R"({"index":0,"function":{"arguments":":1}"}})"},
         {{"f", R"({"x":1})"}}},
        {"no index",
         {R"({"id":"a","function":{"name":"f","arguments":"{}"}})",
          R"({"id":"b","function":{"name":"g","arguments":"{}"}})"},
         {{"f", "{}"}, {"g", "{}"}}},
        {"all zero indexes",
         {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})",
          R"({"index":0,"id":"b","function":{"name":"g","arguments":"[1"}})",
          R"({"index":0,"function":{"arguments":"]"}})"},
         {{"f", "{}"}, {"g", "[1]"}}},
        {"repeated id and name",
         {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{"}})",
          R"({"index":0,"id":"a","function":{"name":"f","arguments":"}"}})"},
         {{"f", "{}"}}},
        {"empty id later",
         {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{"}})",
          R"({"index":0,"id":"","function":{"name":"","arguments":"}"}})"},
         {{"f", "{}"}}},
        {"object arguments",
         {R"({"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}})"},
         {{"f", R"({"x":1})"}}},
        {"no id at all", {R"({"index":0,"function":{"name":"f","arguments":"{}"}})"}, {{"f", "{}"}}},
        {"no arguments", {R"({"index":0,"id":"a","function":{"name":"f"}})"}, {{"f", "{}"}}},
        {"not JSON is passed on",
         {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{oops"}})"},
         {{"f", "{oops"}}},
        {"starts at one", {R"({"index":1,"id":"a","function":{"name":"f","arguments":"{}"}})"}, {{"f", "{}"}}},
    };
    for (const auto& one : cases) {
        std::string stream = role_line;
        for (const auto* delta : one.deltas)
            stream += event_of("{\"tool_calls\":[" + std::string(delta) + "]}");
        const auto result = relayed(stream + event_of("{}", "\"stop\"") + done_line);
        EXPECT_EQ(result.finishes(), std::vector<std::string>{"tool_calls"}) << one.name;
        ASSERT_EQ(result.completion.tool_calls.size(), one.calls.size()) << one.name;
        model::Completion seen;  // what a client puts together
        for (const auto& sent : result.chunks())
            for (const auto& choice : sent["choices"])
                for (const auto& call : choice["delta"].value("tool_calls", Json::array())) {
                    model::Piece piece;
                    piece.tool_calls.push_back({call["index"].get<int>(), call.value("id", ""),
                                                call["function"].value("name", ""),
                                                call["function"].value("arguments", "")});
                    seen.append(piece);
                }
        for (std::size_t i = 0; i < one.calls.size(); ++i) {
            EXPECT_EQ(seen.tool_calls[i].name, one.calls[i].first) << one.name;
            EXPECT_EQ(seen.tool_calls[i].arguments, one.calls[i].second) << one.name;
            EXPECT_FALSE(seen.tool_calls[i].id.empty()) << one.name;
            EXPECT_EQ(result.completion.tool_calls[i].arguments, one.calls[i].second) << one.name;
        }
    }
}

TEST(RelayTranslator, FinishReasonsAreNormalised)
{
    const std::pair<const char*, const char*> cases[] = {
        {"\"stop\"", "stop"}, {"\"length\"", "length"}, {"\"content_filter\"", "content_filter"}, {"\"eos\"", "stop"}};
    for (const auto& [raw, wanted] : cases)
        EXPECT_EQ(relayed(role_line + event_of(R"({"content":"x"})") + event_of("{}", raw) + done_line).finishes(),
                  std::vector<std::string>{wanted});
    const auto empty = relayed(role_line + event_of(R"({"content":"x"})", "\"\"") + event_of("{}", "\"stop\"") +
                               event_of("{}", "\"length\"") + done_line);
    EXPECT_EQ(empty.finishes(), std::vector<std::string>{"stop"});
    EXPECT_EQ(relayed(role_line + event_of(R"({"content":"x"})") + done_line).finishes(),
              std::vector<std::string>{"stop"});
}

TEST(RelayTranslator, AStreamIsCompleteOnlyWithAnEndSignal)
{
    EXPECT_FALSE(relayed(role_line + event_of(R"({"content":"x"})")).complete);
    EXPECT_TRUE(relayed(role_line + event_of("{}", "\"stop\"")).complete);
    EXPECT_FALSE(relayed(role_line + event_of("{}", "\"stop\""), false, 0, 2).complete);
    EXPECT_TRUE(relayed(role_line + "data: [DONE]").complete);
    EXPECT_TRUE(relayed(done_line).failure.has_value());
}

TEST(RelayTranslator, ErrorsInTheStreamEndItByTheirClass)
{
    const std::pair<std::string, FailureClass> cases[] = {
        {"data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"}}\n\n", FailureClass::server},
        {"event: error\ndata: {\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}\n\n",
         FailureClass::rate_limit},
        {"data: "
         "{\"error\":{\"message\":\"busy\",\"code\":503},\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":"
         "\"error\"}]}\n\n",
         FailureClass::overloaded},
        {"data: {\"choices\":[{\"index\":0,\"delta\":{},\"error\":{\"code\":429,\"message\":\"x\"}}]}\n\n",
         FailureClass::rate_limit},
        {"data: {\"object\":\"error\",\"message\":\"too long: maximum context length is 5\",\"code\":400}\n\n",
         FailureClass::context_length},
    };
    for (const auto& [event, kind] : cases) {
        const auto result = relayed(role_line + event_of(R"({"content":"x"})") + event + done_line);
        ASSERT_TRUE(result.failure.has_value()) << event;
        EXPECT_EQ(result.failure->kind, kind) << event;
        EXPECT_FALSE(result.complete);
        EXPECT_EQ(result.done_marks(), 0u);
        EXPECT_EQ(result.text(), "x");
    }
}

TEST(RelayTranslator, EventsThatAreNotJsonAreSkippedUntilTheThird)
{
    const std::string bad = "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"x}\n\n";
    const auto two =
        relayed(role_line + bad + event_of(R"({"content":"a"})") + bad + event_of("{}", "\"stop\"") + done_line);
    EXPECT_TRUE(two.complete);
    EXPECT_EQ(two.text(), "a");
    const auto three = relayed(role_line + bad + bad + bad + done_line);
    ASSERT_TRUE(three.failure.has_value());
    EXPECT_EQ(three.failure->kind, FailureClass::protocol);
    const auto deep = relayed(role_line + "data: " + std::string(100000, '[') + "\n\n" + event_of("{}", "\"stop\""));
    EXPECT_TRUE(deep.complete);
}

TEST(RelayTranslator, KeysThatActInABrowserAreStripped)
{
    const auto result = relayed(
        role_line +
        event_of(
            R"({"content":"x"})", "null",
            R"(,"event":{"type":"execute"},"sources":[1],"selected_model_id":"m","output":[2],"type":"response.created")") +
        event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(result.text(), "x");
    for (const auto* key : {"\"event\"", "\"sources\"", "\"selected_model_id\"", "\"output\"", "response.created"})
        EXPECT_EQ(result.bytes.find(key), std::string::npos) << key;
}

TEST(RelayTranslator, LongDeltasAreSplitIntoShortLines)
{
    std::string text;
    for (int i = 0; i < 30000; ++i)
        text += "가\\n";
    const auto result =
        relayed(role_line + event_of("{\"content\":\"" + text + "\"}") + event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(result.text().size(), 30000u * 4);
    for (std::size_t start = 0, end = 0; (end = result.bytes.find('\n', start)) != std::string::npos; start = end + 1)
        EXPECT_LE(end - start, 64u << 10);
    EXPECT_TRUE(valid_utf8(result.bytes));
}

TEST(RelayTranslator, LargePiecesHaveLinesOfTheirOwnAndWhatFitsNoLineIsNamed)
{
    const auto image = [](std::size_t size) {
        return R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" + std::string(size, 'A') + "\"}}";
    };
    const auto result = relayed(
        role_line + event_of("{\"content\":\"둘\",\"images\":[" + image(60000) + "," + image(110000) + "]}") +
        event_of("{\"images\":[" + image(200000) + "]}") +
        "data: "
        "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"up\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"content\":\"x\"},\"logprobs\":{\"content\":[\"" +
        std::string(100000, 'B') + "\"]},\"finish_reason\":null}]}\n\n" + event_of("{}", "\"stop\"") + done_line);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.text(), "둘x");
    std::vector<std::size_t> images;
    std::vector<std::string> left_out;
    for (const auto& chunk : result.chunks()) {
        EXPECT_LE(chunk.dump().size(), 128u << 10);
        for (const auto& choice : chunk["choices"]) {
            for (const auto& one : choice["delta"].value("images", Json::array()))
                images.push_back(one["image_url"]["url"].get<std::string>().size());
            for (const auto& from : {choice, choice["delta"]})
                for (const auto& name : from.value("dure_left_out", Json::array()))
                    left_out.push_back(name.get<std::string>());
        }
    }
    EXPECT_EQ(images, (std::vector<std::size_t>{60022, 110022}));
    EXPECT_EQ(left_out, (std::vector<std::string>{"images", "logprobs"}));
}

TEST(RelayTranslator, LoneSurrogatesNeverKillAStream)
{
    const auto joined = relayed(role_line + event_of(R"({"content":"a\ud83d"})") +
                                event_of(R"({"content":"\ude42b"})") + event_of("{}", "\"stop\"") + done_line);
    EXPECT_TRUE(joined.complete);
    EXPECT_EQ(joined.text(), "a🙂b");
    const auto lone =
        relayed(role_line + event_of(R"({"content":"a\ud83db"})") + event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(lone.text(), "a\xef\xbf\xbd"
                           "b");
}

TEST(RelayTranslator, HalfACharacterIsNotForgottenBetweenOrdinaryPieces)
{
    const auto text = [](const char* piece) { return event_of(std::string(R"({"content":")") + piece + "\"}"); };
    const auto result = relayed(role_line + text("A") + text("B") + text("\\ud83d") + text("C") + text("D") +
                                event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(result.text(), "AB\uFFFDCD");
    EXPECT_EQ(result.completion.text, "AB\uFFFDCD");
    const auto at_the_end = relayed(role_line + text("A") + text("\\ud83d") + event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(at_the_end.text(), "A\uFFFD");
    EXPECT_EQ(at_the_end.finishes(), std::vector<std::string>{"stop"});
}

TEST(RelayTranslator, HalvesOfCharactersAreSettledInEveryFieldOfAnEvent)
{
    const auto call = [](const char* arguments) {
        return event_of(std::string(R"({"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":")") +
                        arguments + "\"}}]}");
    };
    const auto result = relayed(role_line + call(R"({\"a\":\"\ud83d)") + call(R"(\ude42\ud83d)") + call("b") +
                                event_of(R"({"refusal":"r\ud83d","x":{"k\ude42":["\ud83d\ude42","\ud83d"]}})") +
                                call(R"(\ud83d)") + event_of("{}", "\"tool_calls\"") + done_line);
    EXPECT_EQ(result.completion.tool_calls.at(0).arguments, "{\"a\":\"🙂\uFFFDb\uFFFD");
    EXPECT_EQ(result.text("refusal"), "r\uFFFD");
    EXPECT_NE(result.bytes.find("{\"k\uFFFD\":[\"🙂\",\"\uFFFD\"]}"), std::string::npos) << result.bytes;
    EXPECT_EQ(result.bytes.find("\xf4\x8f"), std::string::npos) << "no mark of ours goes out";
    const auto untold = relayed(role_line + event_of(R"({"content":"a\ud83d"})") + done_line);
    EXPECT_EQ(untold.text(), "a\uFFFD");
    EXPECT_EQ(untold.completion.text, "a\uFFFD");
    EXPECT_EQ(untold.finishes(), std::vector<std::string>{"stop"});
    const auto refused = relayed("data: "
                                 R"({"error":{"message":"bad \ud83d","type":"invalid_request_error"}})"
                                 "\n\n");
    ASSERT_TRUE(refused.failure);
    EXPECT_EQ(refused.failure->message, "bad \uFFFD");
}

TEST(RelayTranslator, PartsOfContentAreOneText)
{
    const auto result =
        relayed(event_of(R"({"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})") +
                event_of(R"({"content":[]})") + event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(result.text(), "ab");
    EXPECT_TRUE(result.complete);
}

TEST(RelayTranslator, ThinkingPartsAreReasoningAndPartsWithoutAPlaceAreNamed)
{
    const auto result = relayed(
        event_of(
            R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}],"closed":true}]})") +
        event_of(
            R"({"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,"}},{"type":"text","text":"b"}]})") +
        event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(result.text("reasoning_content"), "hm");
    EXPECT_EQ(result.completion.reasoning, "hm");
    EXPECT_EQ(result.text(), "ab");
    EXPECT_EQ(result.completion.text, "ab");
    std::size_t named = 0;
    for (const auto& chunk : result.chunks())
        named += chunk["choices"][0]["delta"].value("dure_left_out", Json()) == Json::array({"content"}) ? 1 : 0;
    EXPECT_EQ(named, 1u);
}

TEST(RelayTranslator, DetailsOfThoughtsPassWithoutATree)
{
    const std::string details = R"({ "content":"a","reasoning_details":[ {"type":"reasoning.text","signature":"s"} ]})";
    const auto result = relayed(event_of(R"({"role":"assistant","content":""})") + event_of(details) +
                                event_of("{}", "\"stop\"") + done_line);
    EXPECT_NE(result.bytes.find(details), std::string::npos) << "as it was written, blanks and all: " << result.bytes;
    EXPECT_EQ(result.completion.text, "a");
    EXPECT_TRUE(result.completion.reasoning_details.empty());
}

TEST(RelayTranslator, NothingCountsBehindAFinishOfAnUnknownName)
{
    const auto piece = event_of(R"({"content":"x"})");
    const auto result = relayed(role_line + piece + piece + event_of("{}", "\"eos\"") + piece + done_line);
    EXPECT_EQ(result.text(), "xx");
    EXPECT_EQ(result.finishes(), std::vector<std::string>{"stop"});
}

TEST(RelayTranslator, ARoleWithoutContentGoesOutOnce)
{
    const auto result = relayed(event_of(R"({"role":"assistant","content":null})") + event_of(R"({"content":"x"})") +
                                event_of("{}", "\"stop\"") + done_line);
    int roles = 0;
    for (const auto& chunk : result.chunks())
        roles += chunk["choices"][0]["delta"].contains("role") ? 1 : 0;
    EXPECT_EQ(roles, 1);
    EXPECT_EQ(result.text(), "x");
}

TEST(RelayTranslator, ReasoningIsWrittenUnderOneName)
{
    const auto result =
        relayed(role_line + event_of(R"({"reasoning":"hm "})") + event_of(R"({"reasoning_content":"ok"})") +
                event_of(R"({"content":"x"})") + event_of("{}", "\"stop\"") + done_line);
    EXPECT_EQ(result.text("reasoning_content"), "hm ok");
    EXPECT_EQ(result.completion.reasoning, "hm ok");
    EXPECT_EQ(result.text("reasoning"), "");
}

TEST(RelayTranslator, UnknownFieldsSurviveAndIdAndTimeStayTheSame)
{
    const std::string other =
        "data: "
        "{\"id\":\"c2\",\"object\":\"chat.completion.chunk\",\"created\":18,\"model\":\"up\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"content\":\"y\",\"odd\":[1]},\"finish_reason\":null}],\"obfuscation\":\"zz\"}\n\n";
    const auto chunks = relayed(role_line + other + event_of("{}", "\"stop\"") + done_line).chunks();
    ASSERT_EQ(chunks.size(), 3u);
    EXPECT_EQ(chunks[1]["id"], "c1");
    EXPECT_EQ(chunks[1]["created"], 17);
    EXPECT_EQ(chunks[1]["obfuscation"], "zz");
    EXPECT_EQ(chunks[1]["choices"][0]["delta"]["odd"], Json::parse("[1]"));
}

TEST(RelayTranslator, AnOpeningChunkWithoutChoicesIsJoinedToTheFirstThatHasOne)
{
    const std::string opening = R"("model":"","prompt_filter_results":[{"prompt_index":0}]})"
                                "\n\n";
    for (const std::string head : {R"("created":0,"id":"",)", R"("id":"c1",)", R"("created":17,)"}) {
        const auto chunks = relayed(R"(data: {"choices":[],)" + head + opening + role_line +
                                    event_of(R"({"content":"x"})") + event_of("{}", "\"stop\"") + done_line)
                                .chunks();
        ASSERT_EQ(chunks.size(), 3u);
        EXPECT_EQ(chunks[0]["prompt_filter_results"], Json::parse(R"([{"prompt_index":0}])"));
        EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        for (const auto& chunk : chunks) {
            EXPECT_EQ(chunk["id"], "c1") << "the first that is one, in every chunk";
            EXPECT_EQ(chunk["created"], 17);
        }
        EXPECT_FALSE(chunks[1].contains("prompt_filter_results"));
    }
}

}  // namespace

}  // namespace dure::llm::test

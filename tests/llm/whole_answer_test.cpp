// Whole answers of providers: the quick look takes the ordinary ones and no other, and both ways read the same.
#include "llm/openai/whole_answer.hpp"

#include <gtest/gtest.h>

#include "dure/base/json.hpp"
#include "llm/openai/chunk_reader.hpp"
#include "llm/openai/chunk_scanner.hpp"
#include "llm/openai/usage.hpp"
#include "llm/openai/whole_scanner.hpp"

namespace dure::llm::openai {

namespace {

const std::string usage =
    R"("usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":2}})";

std::string answer(const std::string& message, const std::string& rest = usage)
{
    return R"({"id":"c1","object":"chat.completion","created":17,"model":"m","choices":[{"index":0,"message":)" +
           message + R"(,"logprobs":null,"finish_reason":"stop"}],)" + rest + "}";
}

std::string without(std::string text, std::string_view part)
{
    return text.erase(text.find(part), part.size());
}

const std::string ordinary =
    answer(R"({"role":"assistant","content":"\ud55c\n\"글\"","refusal":null,"x":[1,{"y":"]"}]})");

TEST(WholeAnswer, GivesAnOrdinaryOneOnWithNothingButItsModelChanged)
{
    model::Completion into;
    std::string body;
    ASSERT_FALSE(read_whole(ordinary, "mine/\"m\"", into, &body));
    auto expected = ordinary;
    expected.replace(expected.find(R"("m")"), 3, R"("mine/\"m\"")");
    EXPECT_EQ(body, expected);
    EXPECT_EQ(into.text, "한\n\"글\"");
    EXPECT_EQ(into.finish_reason, "stop");
    EXPECT_EQ(into.usage.prompt_tokens, 7);
    EXPECT_EQ(into.usage.completion_tokens, 3);
    EXPECT_EQ(into.usage.cached_tokens, 2);
}

TEST(WholeAnswer, IsReadTheSameOnTheSlowWay)
{
    ScannedWhole scanned;
    const auto spaced = OrderedJson::parse(ordinary).dump(2);
    for (const auto& text : {ordinary, spaced, ordinary + "\r\n\t "}) {
        ASSERT_TRUE(scan_whole(text, scanned)) << text;
        auto document = OrderedJson::parse(text);
        document["choices"][0]["finish_reason"] = "eos";   // not ordinary, and means the same
        model::Completion quick, slow;
        ASSERT_FALSE(read_whole(text, "m", quick, nullptr));
        ASSERT_FALSE(read_whole(document.dump(), "m", slow, nullptr));
        EXPECT_EQ(quick.text, slow.text);
        EXPECT_EQ(quick.finish_reason, slow.finish_reason);
        EXPECT_EQ(quick.usage.total(), slow.usage.total());
    }
}

TEST(WholeAnswer, GetsWhatClientsReadAndTheServerLeftOut)
{
    RelayRequest relay;
    relay.body = R"({"model":"ab","messages":[{"role":"user","content":"four more tokens"}]})";   // of its words, not of its JSON
    const CallContext context("r", "u", Deadline::after(std::chrono::seconds(5)));
    Ask ask(context);
    ask.relay = &relay;
    const char* rows[] = {
        R"({"choices":[{"message":{"content":"abcde"}}]})",
        R"({"id":"","object":null,"created":null,"model":null,"choices":[{"message":{"role":null,"content":"abcde","tool_calls":null},
            "finish_reason":null}],"usage":null})",
        R"({"id":null,"choices":[{"message":{"content":[{"type":"text","text":"abc"},{"type":"text","text":"de"}]},
            "finish_reason":"stop"}],"usage":{"prompt_tokens":null}})"};
    for (const auto* row : rows) {
        model::Completion into;
        std::string text;
        ASSERT_FALSE(read_whole(row, "asked", into, &text, &ask)) << row;
        const auto body = Json::parse(text);
        EXPECT_FALSE(body.at("id").get<std::string>().empty()) << row;
        EXPECT_EQ(body.at("object"), "chat.completion") << row;
        EXPECT_GT(body.at("created").get<std::int64_t>(), 0) << row;
        EXPECT_EQ(body.at("model"), "asked") << row;
        EXPECT_EQ(body["choices"].at(0),
                  Json::parse(R"({"index":0,"message":{"role":"assistant","content":"abcde","refusal":null},
            "logprobs":null,"finish_reason":"stop"})"))
            << row;
        EXPECT_EQ(body.at("usage"), Json::parse(R"({"prompt_tokens":4,"completion_tokens":2,"total_tokens":6})"))
            << row;
        EXPECT_FALSE(into.usage.reported) << row;
    }
}

TEST(WholeAnswer, HasThreeNumbersOfUsageWhereTheServerSendsTwo)
{
    const auto three = Json::parse(R"({"prompt_tokens":3,"completion_tokens":2,"x":1,"total_tokens":5})");
    for (const auto* sent : {R"({"prompt_tokens":3,"completion_tokens":2,"x":1})",
                             R"({"prompt_tokens":3,"completion_tokens":2,"x":1,"total_tokens":"5"})"}) {
        model::Completion whole, streamed;
        std::string body;
        const auto text =
            answer(R"({"role":"assistant","content":"a","refusal":null})", R"("usage":)" + std::string(sent));
        ASSERT_FALSE(read_whole(text, "m", whole, &body));
        EXPECT_EQ(Json::parse(body).at("usage"), three) << sent;
        ChunkReader reader(streamed, 1);
        reader.read_document(OrderedJson::parse(R"({"choices":[],"usage":)" + std::string(sent) + "}"));
        EXPECT_EQ(Json::parse(reader.usage()), three) << sent;
    }
}

TEST(WholeAnswer, OfToolCallsWithoutTextHasNoContent)
{
    model::Completion into;
    std::string body;
    ASSERT_FALSE(read_whole(
        answer(
            R"({"content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]})"),
        "m", into, &body));
    EXPECT_TRUE(Json::parse(body)["choices"][0]["message"]["content"].is_null()) << body;
}

// They would fill limits and bills; an estimate takes their place.
TEST(WholeAnswer, NumbersThatNobodyCanHaveUsedAreNoReport)
{
    const auto numbers = usage_of(OrderedJson::parse(R"({"prompt_tokens":9223372036854775807,"completion_tokens":5})"));
    EXPECT_FALSE(numbers.reported);
    EXPECT_EQ(numbers.total(), 0);
    for (const auto* cost : {"1e300", "-5", "10001"})
        EXPECT_EQ(usage_of(OrderedJson::parse(R"({"prompt_tokens":1,"cost":)" + std::string(cost) + "}")).cost_nano,
                  std::nullopt)
            << cost;
    EXPECT_EQ(usage_of(OrderedJson::parse(R"({"prompt_tokens":1,"cost":0})")).cost_nano, 0);
}

TEST(WholeAnswer, TellsItsTimeInWholeSeconds)
{
    for (const auto* time : {"17", "17.9", "1.7e1"}) {
        auto text = ordinary;
        text.replace(text.find("17"), 2, time);
        model::Completion into;
        std::string body;
        ASSERT_FALSE(read_whole(text, "m", into, &body));
        EXPECT_TRUE(Json::parse(body)["created"].is_number_integer()) << body;
        EXPECT_EQ(Json::parse(body)["created"], 17);
    }
}

TEST(WholeAnswer, OfPartsIsJoinedWhenTextCanStandForThem)
{
    struct Row {
        const char* content;
        const char* text;
        const char* reasoning;
        bool joined;
    };
    for (const auto& [content, said, thought, joined] :
         {Row{R"([{"type":"text","text":"a"},{"type":"text","text":"b","annotations":[]}])", "ab", "", true},
          Row{R"([{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}])", "a", "hm",
              true},
          Row{R"([{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}])", "a", "hm", true},
          Row{"[]", "", "", true},
          Row{R"([{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,"}}])", "a", "", false},
          Row{R"([{"type":"thinking","thinking":[{"type":"reference","reference_ids":[1]}]}])", "", "", false},
          Row{R"([{"type":"thinking","thinking":"hm","signature":"s"}])", "", "hm", false},
          Row{R"([{"type":"text","text":"a","annotations":[{"url":"u"}]}])", "a", "", false},
          Row{R"(["a"])", "", "", false}, Row{R"([{"type":"text","text":7}])", "", "", false}}) {
        model::Completion into;
        std::string text;
        bool more = joined;
        const auto body = std::string(R"({"choices":[{"message":{"content":)") + content + "}}]}";
        ASSERT_FALSE(read_whole(body, "m", into, &text, nullptr, &more)) << content;
        const auto message = Json::parse(text)["choices"][0]["message"];
        EXPECT_EQ(message["content"], joined ? Json(said) : Json::parse(content));
        if (joined && *thought != '\0') {
            EXPECT_EQ(message["reasoning_content"], thought) << content;
        }
        EXPECT_EQ(into.text, said) << content;
        EXPECT_EQ(into.reasoning, thought) << content;
        EXPECT_EQ(more, !joined) << content;
    }
}

TEST(WholeAnswer, CallsStayApartWhateverTheirIds)
{
    for (const std::string id :
         {R"("id":"f",)", R"("id":"",)", R"("id":null,)", R"("id":7,)", "", R"("index":0,"id":"f",)"}) {
        const auto call = [&](const char* arguments) {
            return "{" + id + R"("type":"function","function":{"name":"f","arguments":)" + arguments + "}}";
        };
        const auto text =
            answer(R"({"content":null,"tool_calls":[)" + call(R"("{\"a\":1}")") + "," + call(R"({"a":2})") + "]}");
        model::Completion whole, streamed;
        std::string body;
        ASSERT_FALSE(read_whole(text, "m", whole, &body)) << text;
        ChunkReader reader(streamed, 1);
        reader.read_document(chunk_of_whole(OrderedJson::parse(text)));   // a stream was asked for
        for (const auto* made : {&whole, &streamed}) {
            ASSERT_EQ(made->tool_calls.size(), 2u) << text;
            EXPECT_EQ(made->tool_calls[0].arguments, R"({"a":1})");
            EXPECT_EQ(made->tool_calls[1].arguments, R"({"a":2})");
            EXPECT_FALSE(made->tool_calls[0].id.empty());
            EXPECT_NE(made->tool_calls[0].id, made->tool_calls[1].id) << text;
        }
        EXPECT_EQ(Json::parse(body)["choices"][0]["message"]["tool_calls"].size(), 2u);
    }
}

TEST(WholeAnswer, HasNoHalvesOfCharacters)
{
    model::Completion into;
    std::string text;
    ASSERT_FALSE(read_whole(R"({"choices":[{"message":{"content":"a\ud83d","refusal":"\ude42","tool_calls":[{"id":"c",
        "function":{"name":"f","arguments":"\ud83d"}}]}}],"x\ud83d":"\ud83d\ude42"})",
                            "m", into, &text));
    const auto body = Json::parse(text);
    EXPECT_EQ(body["choices"][0]["message"]["content"], "a\uFFFD");
    EXPECT_EQ(body["choices"][0]["message"]["refusal"], "\uFFFD");
    EXPECT_EQ(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "\uFFFD");
    EXPECT_EQ(body["x\uFFFD"], "🙂");
    EXPECT_EQ(into.text, "a\uFFFD");
}

TEST(WholeScanner, LeavesEverythingElseToTheSlowWay)
{
    const std::string plain = R"({"role":"assistant","content":"a","refusal":null})";
    ScannedWhole scanned;
    ASSERT_TRUE(scan_whole(answer(plain), scanned));
    for (const auto& text : {answer(R"({"refusal":null,"role":"user","content":"a"})"),
                             answer(R"({"refusal":null,"content":"a"})"),
                             answer(R"({"refusal":null,"role":"assistant"})"),
                             answer(R"({"refusal":null,"role":"assistant","content":null})"),
                             answer(R"({"refusal":null,"role":"assistant","content":"a","content":"b"})"),
                             answer(R"({"role":"assistant","content":"a","refusal":"no"})"),
                             answer(R"({"refusal":null,"role":"assistant","content":"a","reasoning":"r"})"),
                             answer(R"({"refusal":null,"role":"assistant","content":"a","reasoning_details":[]})"),
                             answer(R"({"refusal":null,"role":"assistant","content":"a","tool_calls":[]})"),
                             answer(R"({"refusal":null,"role":"assistant","content":"a","cont\u0065nt":"b"})"),
                             answer(R"({"refusal":null,"role":"assistant","content":"\ud800"})"),
                             answer("{\"refusal\":null,\"role\":\"assistant\",\"content\":\"\xff\"}"),
                             answer(plain + R"(,"message":{"role":"assistant"})"),
                             answer(plain, R"("usage":null)"),
                             answer(plain, usage + R"(,"error":{"message":"x"})"),
                             answer(plain, usage + R"(,"choices":[])"),
                             answer(plain, usage + R"(,"model":"n")"),
                             answer(plain) + "x",
                             without(answer(plain), R"("id":"c1",)"),
                             without(answer(plain), R"("object":"chat.completion",)"),
                             without(answer(plain), R"("created":17,)"),
                             without(answer(plain), R"("index":0,)"),
                             without(answer(plain), R"("logprobs":null,)"),
                             without(answer(plain), R"(,"refusal":null)"),
                             answer(plain, usage + R"(,"id":"")"),
                             answer(plain).substr(0, answer(plain).size() - 1),
                             std::string(),
                             std::string("[]"),
                             std::string("null")})
        EXPECT_FALSE(scan_whole(text, scanned)) << text;
}

// The slow path takes the last of them, and a client may see either.
TEST(ChunkScanner, LeavesMembersThatComeTwiceToTheSlowWay)
{
    ScannedChunk scanned;
    const auto chunk = [](const std::string& choice, const std::string& more = "") {
        return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,)" + choice +
               "}]" + more + "}";
    };
    const std::string plain = R"("delta":{"content":"a"},"finish_reason":null)";
    ASSERT_TRUE(scan_chunk(chunk(plain), scanned));
    for (const auto& text :
         {chunk(plain + R"(,"delta":{"role":"assistant"})"), chunk(plain + R"(,"finish_reason":"stop")"),
          chunk(R"("delta":{"content":"a","content":"b"},"finish_reason":null)"), chunk(plain, R"(,"model":"n")"),
          chunk(plain, R"(,"id":"d")"), chunk(plain, R"(,"created":2)"), chunk(plain, R"(,"choices":[])")})
        EXPECT_FALSE(scan_chunk(text, scanned)) << text;
}

TEST(UsageScanner, TakesChunksWithUsageAlone)
{
    ScannedUsage found;
    ASSERT_TRUE(scan_usage_chunk(R"({"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"a":1},"x":[{}]})",
                                 found));
    EXPECT_EQ(found.text, R"({"a":1})");
    EXPECT_FALSE(found.numbers.reported);
    for (const std::string_view text :
         {R"({"choices":[{}],"usage":{}})", R"({"choices":[],"usage":null})", R"({"choices":[]})", R"({"usage":{}})",
          R"({"choices":[],"usage":{},"usage":{}})", R"({"choices":[],"usage":{},"error":{}})",
          R"({"choices":[],"usage":{},"type":"error"})", R"({"object":"error","choices":[],"usage":{}})",
          R"({"choices":[],"usage":{"a":}})", R"({"choices":[],"usage":{}} )", "{\"choices\":[],\n\"usage\":{}}", "",
          "[]"})
        EXPECT_FALSE(scan_usage_chunk(text, found)) << text;
}

// Whatever a provider writes there means the same to the scanner and to the tree.
TEST(UsageScanner, CountsAsTheTreeDoes)
{
    for (const std::string text :
         {R"({"prompt_tokens":7,"completion_tokens":0})", R"({"prompt_tokens":null,"completion_tokens":3})",
          R"({"prompt_tokens":-7,"completion_tokens":1.9,"cost":0.0125})", R"({"prompt_tokens":"7","cost":"1"})",
          R"({"prompt_tokens":1e3,"completion_tokens":99999999999999999999})",
          R"({"prompt_tokens":999999999999999,"completion_tokens":9999999999999999})", R"({ "prompt_tokens" : 7 , "x":[1]})",
          R"({"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":3,"audio":[0]}})",
          R"({"completion_tokens_details":{"reasoning_tokens":5,"x":{}},"cost":-1})",
          R"({"prompt_tokens_details":null,"completion_tokens_details":[],"cost":null})",
          R"({"prompt_tokens":1,"prompt_tokens":2,"prompt_tokens_details":{"cached_tokens":1,"cached_tokens":4}})"}) {
        const auto chunk = R"({"choices":[],"usage":)" + text + "}";   // what was scanned refers to it
        ScannedUsage scanned;
        ASSERT_TRUE(scan_usage_chunk(chunk, scanned)) << text;
        EXPECT_EQ(scanned.text, text);
        const auto slow = usage_of(OrderedJson::parse(text));
        const auto& quick = scanned.numbers;
        EXPECT_EQ(quick.prompt_tokens, slow.prompt_tokens) << text;
        EXPECT_EQ(quick.completion_tokens, slow.completion_tokens) << text;
        EXPECT_EQ(quick.cached_tokens, slow.cached_tokens) << text;
        EXPECT_EQ(quick.cache_write_tokens, slow.cache_write_tokens) << text;
        EXPECT_EQ(quick.reasoning_tokens, slow.reasoning_tokens) << text;
        EXPECT_EQ(quick.reported, slow.reported) << text;
        EXPECT_EQ(quick.cost_nano, slow.cost_nano) << text;
    }
    for (const std::string text : {R"({"prompt_tokens":07})", R"({"prompt_tokens":1.})", R"({"prompt_tokens":})",
                                   R"({"prompt_tokens":7 8})", R"({"prompt_tokens":-})", R"({"pr\u006fmpt_tokens":1})"}) {
        ScannedUsage scanned;
        EXPECT_FALSE(scan_usage_chunk(R"({"choices":[],"usage":)" + text + "}", scanned)) << text;
    }
}

TEST(WholeScanner, StaysInsideOfEveryPrefix)
{
    ScannedWhole scanned;
    for (std::size_t length = 0; length < ordinary.size(); ++length) {
        const std::vector<char> exact(ordinary.begin(), ordinary.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_FALSE(scan_whole({exact.data(), exact.size()}, scanned));
    }
}

}  // namespace

}  // namespace dure::llm::openai

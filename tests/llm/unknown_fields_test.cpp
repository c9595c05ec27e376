// What providers say beside what we know reaches a client unharmed: members of chunks and of tool calls, calls of another type.
#include <gmock/gmock.h>

#include "llm/openai/whole_answer.hpp"
#include "llm/relayed.hpp"

namespace dure::llm::test {

namespace {

using openai::ChunkReader;

const std::string finish_line = event_of("{}", "\"stop\"");
const std::string mark = R"(,"system_fingerprint":"FPX")";

std::string without_choices(const std::string& more)
{
    return R"(data: {"id":"c1","object":"chat.completion.chunk","created":17,"model":"up","choices":[])" + more + "}\n\n";
}

std::size_t count_of(std::string_view part, std::string_view text)
{
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

// What a client puts together of the calls of choice 0: each member of an entry the first time it comes, texts joined.
Json calls_seen(const Relayed& result)
{
    auto calls = Json::array();
    for (const auto& chunk : result.chunks())
        for (const auto& choice : chunk["choices"])
            for (const auto& entry : choice["delta"].value("tool_calls", Json::array())) {
                auto& call = calls[entry["index"].get<std::size_t>()];
                for (const auto& [key, value] : entry.items())
                    if (!value.is_object() || !call.contains(key)) {
                        call[key] = value;
                    } else {
                        for (const auto& [name, part] : value.items())
                            call[key][name] = part.is_string() && call[key].contains(name)
                                                  ? Json(call[key][name].get<std::string>() + part.get<std::string>())
                                                  : part;
                    }
            }
    return calls;
}

Relayed relayed_calls(const std::vector<std::string>& entries, const std::string& finish = "\"tool_calls\"")
{
    std::string stream = role_line;
    for (const auto& entry : entries)
        stream += event_of("{\"tool_calls\":[" + entry + "]}");
    return relayed(stream + event_of("{}", finish) + done_line);
}

TEST(UnknownFields, OfEveryKindOfChunkPassOnce)
{
    const std::string usage = R"(,"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2})";
    const std::pair<const char*, std::string> rows[] = {
        {"call", event_of(R"({"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]})", "null", mark)},
        {"two calls",
         event_of(R"({"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}},)"
                  R"({"index":1,"id":"d","function":{"name":"g","arguments":"{}"}}]})",
                  "null", mark)},
        {"reasoning", event_of(R"({"reasoning":"r"})", "null", mark)},
        {"reasoning and text", event_of(R"({"reasoning":"r","content":"t"})", "null", mark)},
        {"running usage", event_of(R"({"content":"r"})", "null", usage + mark)},
        {"no error", event_of(R"({"content":"r"})", "null", R"(,"error":null)" + mark)},
        {"refusal", event_of(R"({"refusal":"r"})", "null", mark)},
        {"role", event_of(R"({"role":"assistant"})", "null", mark)},
        {"role, no text", event_of(R"({"role":"assistant","content":null})", "null", mark)},
        {"half a character", event_of(R"({"content":"a\ud83d"})", "null", mark)},
        {"long text", event_of(R"({"content":")" + std::string(66000, 'y') + "\"}", "null", mark)},
        {"large piece", event_of(R"({"images":[")" + std::string(110000, 'y') + "\"]}", "null", mark)},
        {"no choices", without_choices(mark)},
        {"no choices, no usage", without_choices(R"(,"usage":null)" + mark)},
        {"text", event_of(R"({"content":"r"})", "null", mark)},
        {"text and finish", event_of(R"({"content":"r"})", "\"stop\"", mark)},
        {"unknown finish", event_of(R"({"content":"r"})", "\"eos\"", mark)},
    };
    for (const auto& [name, event] : rows) {
        const bool ends = event.find(R"("finish_reason":")") != std::string::npos;
        const auto finish = ends ? std::string() : finish_line;
        const auto whole = relayed(role_line + event_of(R"({"content":"q"})") + event + finish + done_line);
        EXPECT_TRUE(whole.complete) << name;
        EXPECT_EQ(count_of("FPX", whole.bytes), 1u) << name << whole.bytes.substr(0, 2000);
        EXPECT_EQ(whole.finishes().size(), 1u) << name;
        EXPECT_EQ(whole.usages(), 0) << name;
        EXPECT_EQ(count_of("FPX", relayed(event + finish + done_line).bytes), 1u) << name << ", as the first";
        for (const auto& chunk : whole.chunks())
            EXPECT_LE(chunk.dump().size(), 128u << 10) << name;
    }
}

TEST(UnknownFields, OfChunksWithoutChoicesPassWhereTheyStand)
{
    const auto chunks = relayed(role_line + event_of(R"({"content":"q"})") + without_choices(R"(,"late_filter":["LATE"])") +
                                event_of(R"({"content":"r"})") + finish_line + done_line)
                            .chunks();
    ASSERT_EQ(chunks.size(), 5u);
    EXPECT_EQ(chunks[2], Json::parse(R"({"id":"c1","object":"chat.completion.chunk","created":17,"model":"asked","choices":[],
        "late_filter":["LATE"]})"));
    EXPECT_FALSE(chunks[3].contains("late_filter"));
}

TEST(UnknownFields, ThatNoLineCanHoldAreNamed)
{
    const auto citations = ",\"citations\":[\"" + std::string(60000, 'c') + "\"]";
    const auto result = relayed(role_line + event_of(R"({"refusal":"r"})", "null", citations) + finish_line + done_line);
    EXPECT_EQ(result.chunks().at(1).at("dure_left_out"), Json::array({"citations"}));
    EXPECT_EQ(result.text("refusal"), "r");
}

TEST(UnknownFields, BesideTheUsagePassWithItWhenItIsAskedFor)
{
    const std::string usage = R"(,"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12})";
    const auto stream = [&](const std::string& more) {
        return role_line + event_of(R"({"content":"q"})") + finish_line + without_choices(usage + more) + done_line;
    };
    const auto asked = relayed(stream(R"(,"service_tier":"flex")"), true);
    EXPECT_EQ(asked.chunks().size(), 4u);
    EXPECT_EQ(asked.chunks().back().at("service_tier"), "flex");
    EXPECT_EQ(asked.chunks().back().at("usage").at("total_tokens"), 12);
    const auto unasked = relayed(stream(R"(,"service_tier":"flex")"));
    EXPECT_EQ(unasked.chunks().size(), 3u) << "the chunk came because we asked for it";
    EXPECT_EQ(unasked.completion.usage.total(), 12);
    const auto cited = relayed(stream(R"(,"citations":["u"])"));
    EXPECT_EQ(cited.chunks().back().at("citations"), Json::array({"u"})) << "a part of the answer all the same";
    EXPECT_EQ(cited.usages(), 0);
    EXPECT_EQ(relayed(stream(R"(,"citations":["u"])"), true).chunks().back().at("citations"), Json::array({"u"}));
    const auto behind = relayed(role_line + finish_line + event_of(R"({"content":""})", "null", usage + R"(,"provider":"P")") +
                                event_of("{}", "null", R"(,"provider":"late")") + done_line, true);
    EXPECT_EQ(behind.chunks().size(), 3u) << "role, finish, usage";
    EXPECT_EQ(behind.chunks().back().at("provider"), "P");
}

TEST(UnknownFields, OfCallsPassWithThem)
{
    const auto result = relayed_calls(
        {R"({"index":3,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\"","x_fn":1},)"
         R"("extra_content":{"google":{"thought_signature":"SIG"}}})",
         R"({"index":3,"id":"a","type":"function","function":{"name":"f","arguments":":1}"}})",
         R"({"index":3,"function":{"arguments":""},"late":[2]})"});
    EXPECT_EQ(calls_seen(result), Json::parse(R"([{"index":0,"id":"a","type":"function",
        "function":{"name":"f","arguments":"{\"x\":1}","x_fn":1},
        "extra_content":{"google":{"thought_signature":"SIG"}},"late":[2]}])"));
    EXPECT_EQ(count_of("SIG", result.bytes), 1u);
    EXPECT_EQ(result.completion.tool_calls.at(0).arguments, R"({"x":1})");
}

TEST(UnknownFields, OfCallsWaitForTheName)
{
    for (const std::string name : {R"(,{"index":0,"function":{"name":"f","arguments":"{}"}})", ""}) {
        const auto result = relayed_calls({R"({"index":0,"id":"a","type":"builtin_function","extra":{"s":"\ud83d"}})" + name});
        const auto call = calls_seen(result).at(0);
        EXPECT_EQ(call.at("type"), "builtin_function");
        EXPECT_EQ(call.at("extra"), Json::parse("{\"s\":\"\uFFFD\"}"));
        EXPECT_EQ(call.at("function").at("arguments"), "{}");
    }
}

TEST(UnknownFields, OfCallsMayChangeTheirKind)
{
    const auto result = relayed_calls(
        {R"({"index":0,"id":"a","x":"text","function":{"y":1},"custom":{"name":{"z":1}}})",
         R"({"index":0,"x":{"a":1},"function":{"y":{"b":2}}})", R"({"index":0,"x":null,"custom":{"name":"f","input":"i"}})"});
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.completion.tool_calls.at(0).arguments, "i");
    const auto early = relayed_calls({R"({"index":0,"id":"a","x":"text"})", R"({"index":0,"x":{"a":1},"function":{"name":"f"}})"});
    EXPECT_EQ(calls_seen(early).at(0).at("x"), Json::parse(R"({"a":1})"));
}

TEST(UnknownFields, OfCallsThatAreLargeHaveALineOfTheirOwn)
{
    const auto entry = [](std::size_t size) {
        return R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"},"signature":")" + std::string(size, 's') + "\"}";
    };
    EXPECT_EQ(calls_seen(relayed_calls({entry(100000)})).at(0).at("signature").get<std::string>().size(), 100000u);
    const auto result = relayed_calls({entry(200000)});
    EXPECT_NE(result.bytes.find(R"("dure_left_out":["tool_calls"])"), std::string::npos);
    EXPECT_EQ(calls_seen(result).at(0).at("function").at("arguments"), "{}");
}

TEST(CustomCalls, PassAsTheyCame)
{
    const auto result = relayed_calls(
        {R"({"index":0,"id":"c1","type":"custom","custom":{"name":"run","input":""}})",
         R"({"index":0,"custom":{"input":"print"}})", R"({"index":0,"custom":{"input":"(\ud83d"}})",
         R"({"index":0,"custom":{"input":"\ude42)\ud83d"}})"},
        "\"stop\"");
    EXPECT_EQ(calls_seen(result), Json::parse(R"x([{"index":0,"id":"c1","type":"custom",
        "custom":{"name":"run","input":"print(🙂)\uFFFD"}}])x"));
    EXPECT_EQ(count_of("function", result.bytes), 0u) << result.bytes;
    EXPECT_EQ(result.finishes(), std::vector<std::string>{"tool_calls"});
    EXPECT_EQ(result.completion.tool_calls.at(0).name, "run");
    EXPECT_EQ(result.completion.tool_calls.at(0).arguments, "print(🙂)\uFFFD");
    const auto bare = relayed_calls({R"({"id":"","type":"custom","custom":{"name":"run"}})"});
    EXPECT_EQ(calls_seen(bare).at(0).at("custom"), Json::parse(R"({"name":"run","input":""})")) << "no {} for a text";
    EXPECT_FALSE(calls_seen(bare).at(0).at("id").get<std::string>().empty());
}

TEST(CustomCalls, AndFieldsOfCallsAreMoreThanAnAnswerKeeps)
{
    const auto chunk = [](const std::string& more) {
        return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,)"
               R"("delta":{"tool_calls":[{"index":0,"id":"a",)" +
               more + R"(}]},"finish_reason":null}]})";
    };
    const std::pair<const char*, bool> rows[] = {
        {R"("type":"function","function":{"name":"f","arguments":"{}"})", false},
        {R"("type":"function","function":{"name":"f","arguments":"{}","x":1})", true},
        {R"("function":{"name":"f","arguments":"{}"},"x":{"s":1})", true},
        {R"("type":"custom","custom":{"name":"f","input":""})", true}};
    for (const auto& [call, more] : rows)
        for (const bool quick : {false, true}) {
            model::Completion answer;
            ChunkReader reader(answer, 1);
            if (quick)
                EXPECT_TRUE(reader.read_quick("", chunk(call)));
            else
                reader.read("", chunk(call));
            EXPECT_EQ(reader.has_more(), more) << call << quick;
            model::Completion into;
            bool has_more = !more;
            const auto whole = std::string(R"({"choices":[{"message":{"content":null,"tool_calls":[{"id":"a",)") + call + "}]}}]}";
            ASSERT_FALSE(openai::read_whole(whole, "m", into, nullptr, nullptr, &has_more));
            EXPECT_EQ(has_more, more) << call;
        }
    model::Completion answer;
    ChunkReader reader(answer, 1);
    EXPECT_FALSE(reader.read_quick("", R"({"choices":[],"usage":{},"citations":["u"]})"));
    reader.read("", R"({"choices":[],"usage":{},"citations":["u"]})");
    EXPECT_TRUE(reader.has_more());
}

TEST(CustomCalls, WaitingForANameDoNotFillTheMemory)
{
    model::Completion answer;
    ChunkReader reader(answer, 1);
    const auto data = R"({"choices":[{"delta":{"tool_calls":[{"index":0,"x":")" + std::string(1 << 20, 'x') + "\"}]}}]}";
    for (int i = 0; i < 6 && !reader.failure(); ++i)
        reader.read("", data);
    EXPECT_TRUE(reader.failure());
}

TEST(CustomCalls, OfWholeAnswersStayAsTheyAre)
{
    const std::string calls =
        R"x([{"id":"c1","type":"custom","custom":{"name":"run","input":"print(1)"}},
            {"id":"c1","type":"function","function":{"name":"f","arguments":{"q":1},"x_fn":"XF"},"x_call":"XC"},
            {"id":"c3","type":"function","function":{"arguments":"{}"},"x_call":null}])x";
    const auto text = R"({"choices":[{"message":{"role":"assistant","content":null,"tool_calls":)" + calls +
                      R"(},"finish_reason":"stop"}]})";
    model::Completion into;
    std::string body;
    ASSERT_FALSE(openai::read_whole(text, "m", into, &body));
    auto given = Json::parse(body)["choices"][0]["message"]["tool_calls"];
    ASSERT_EQ(given.size(), 3u);
    EXPECT_NE(given[1]["id"], "c1");
    given[1].erase("id");
    EXPECT_EQ(given, Json::parse(R"x([{"id":"c1","type":"custom","custom":{"name":"run","input":"print(1)"}},
            {"type":"function","function":{"name":"f","arguments":"{\"q\":1}","x_fn":"XF"},"x_call":"XC"},
            {"id":"c3","type":"function","function":{"name":"","arguments":"{}"},"x_call":null}])x"));
    EXPECT_EQ(into.tool_calls.at(0).arguments, "print(1)");
    EXPECT_EQ(Json::parse(body)["choices"][0]["finish_reason"], "tool_calls");
    Relayed streamed;   // a stream was asked for
    openai::RelayTranslator translator({.model = "asked"}, streamed.completion);
    translator.document(openai::chunk_of_whole(OrderedJson::parse(text)), streamed.bytes);
    finish(translator, streamed);
    EXPECT_EQ(calls_seen(streamed).at(0).at("custom"), Json::parse(R"x({"name":"run","input":"print(1)"})x"));
    EXPECT_EQ(calls_seen(streamed).at(1).at("x_call"), "XC");
}

}  // namespace

}  // namespace dure::llm::test

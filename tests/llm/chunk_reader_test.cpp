// Events of streams read for ourselves: the quick way, without a tree, brings what the exact way brings.
#include "llm/openai/chunk_reader.hpp"

#include <gtest/gtest.h>

namespace dure::llm::openai {

namespace {

std::string chunk(const std::string& choice, const std::string& rest = "")
{
    return R"({"id":"c\u0031","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,)" +
           choice + "}]" + rest + "}";
}

// A whole stream with text, calls in fragments, a finish and usage.
const std::vector<std::string> stream = {
    chunk(R"("delta":{"role":"assistant","content":""},"finish_reason":null)"),
    chunk(R"("delta":{"reasoning_content":"\ud55c"},"logprobs":null,"finish_reason":null)"),
    chunk(R"("delta":{"content":"a\n\"글\""},"finish_reason":null)"),
    chunk(
        R"("delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"sum","arguments":""}}]})"),
    chunk(R"("delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null)"),
    chunk(R"("delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null)"),
    chunk(R"("delta":{},"finish_reason":"tool_calls")"),
    R"({"id":"c1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}})",
    "[DONE]"};

TEST(ChunkReader, ReadsTheSameOnBothWays)
{
    model::Completion exact_answer, quick_answer;
    ChunkReader exact(exact_answer, 1), quick(quick_answer, 1);
    std::size_t taken = 0;
    for (const auto& event : stream) {
        exact.read("", event);
        const bool was_quick = quick.read_quick("", event);
        if (!was_quick)
            quick.read("", event);
        taken += was_quick ? 1 : 0;
        ASSERT_EQ(quick.deltas().size(), exact.deltas().size()) << event;
        for (std::size_t i = 0; i < exact.deltas().size(); ++i) {
            const auto& ours = quick.deltas()[i];
            const auto& theirs = exact.deltas()[i];
            EXPECT_EQ(ours.piece.text, theirs.piece.text) << event;
            EXPECT_EQ(ours.piece.reasoning, theirs.piece.reasoning) << event;
            EXPECT_EQ(ours.piece.tool_calls.size(), theirs.piece.tool_calls.size()) << event;
            EXPECT_EQ(ours.finish, theirs.finish) << event;
        }
        EXPECT_EQ(quick.progress(), exact.progress()) << event;
        EXPECT_EQ(quick.output(), exact.output()) << event;
        EXPECT_EQ(quick.complete(), exact.complete()) << event;
    }
    EXPECT_EQ(taken, stream.size() - 2);   // not the finish behind calls, which are ended there, nor [DONE]
    EXPECT_EQ(quick_answer.text, exact_answer.text);
    EXPECT_EQ(quick_answer.reasoning, "한");
    EXPECT_EQ(quick_answer.finish_reason, "tool_calls");
    EXPECT_EQ(quick_answer.usage.total(), 7);
    ASSERT_EQ(quick_answer.tool_calls.size(), 1u);
    EXPECT_EQ(quick_answer.tool_calls[0].arguments, R"({"a":1})");
    EXPECT_EQ(quick.id(), exact.id());
    EXPECT_EQ(quick.created(), exact.created());
}

TEST(ChunkReader, LeavesSpecialEventsToTheExactWay)
{
    for (const auto& event :
         {chunk(R"("delta":{"content":"\ud800"})"), chunk(R"("delta":{"reasoning":"r"})"),
          chunk(R"("delta":{"content":"a"})", R"(,"error":{"message":"x"})"),
          chunk(R"("delta":{"content":"a"},"error":{})"), chunk(R"("delta":{"refusal":"no"})"),
          chunk(R"("delta":{"content":"a","reasoning_details":[{}]})"), chunk(R"("delta":{},"finish_reason":"eos")"),
          std::string("[DONE]"), std::string("no json"), std::string()}) {
        model::Completion answer;
        ChunkReader reader(answer, 1);
        EXPECT_FALSE(reader.read_quick("", event)) << event;
        EXPECT_TRUE(reader.deltas().empty());
    }
    model::Completion answer;
    ChunkReader reader(answer, 1);
    EXPECT_FALSE(reader.read_quick("error", chunk(R"("delta":{"content":"a"})")));
    ASSERT_TRUE(reader.read_quick("", chunk(R"("delta":{"content":"a"},"finish_reason":"stop")")));
    EXPECT_FALSE(reader.read_quick("", chunk(R"("delta":{"content":"b"})")));   // nothing counts behind the finish
    EXPECT_EQ(answer.text, "a");
}

// What a chunk lacks that clients read must not go out as it came.
TEST(ChunkScanner, TakesNoChunkThatLacksWhatClientsRead)
{
    const auto whole = chunk(R"("delta":{"content":"a"})");
    ScannedChunk scanned;
    ASSERT_TRUE(scan_chunk(whole, scanned));
    const std::pair<const char*, const char*> rows[] = {{R"("object":"chat.completion.chunk",)", ""},
                                                        {R"("index":0,)", ""},
                                                        {R"("delta":{"content":"a"})", R"("x":1)"},
                                                        {"17", "17.5"},
                                                        {"17", "1.7e1"},
                                                        {"17", "17e0"},
                                                        {"17", "0"},
                                                        {"17", "-17"}};
    for (const auto& [part, instead] : rows) {
        auto text = whole;
        text.replace(text.find(part), std::string_view(part).size(), instead);
        EXPECT_FALSE(scan_chunk(text, scanned)) << text;
    }
}

TEST(ChunkReader, CallsOfOneIdHaveIdsOfTheirOwn)
{
    model::Completion answer;
    ChunkReader reader(answer, 1);
    for (const std::string index : {"0", "1"})
        reader.read("", chunk(R"("delta":{"tool_calls":[{"index":)" + index +
                              R"(,"id":"f","function":{"name":"f","arguments":""}}]})"));
    reader.read("", chunk(R"("delta":{"tool_calls":[{"index":1,"id":"f","function":{"arguments":"{}"}}]})"));
    ASSERT_EQ(answer.tool_calls.size(), 2u);
    EXPECT_EQ(answer.tool_calls[0].id, "f");
    EXPECT_EQ(answer.tool_calls[1].arguments, "{}");
    EXPECT_FALSE(answer.tool_calls[1].id.empty());
    EXPECT_NE(answer.tool_calls[1].id, "f");
}

TEST(ChunkReader, AnErrorEventThatIsNotJsonIsOne)
{
    model::Completion answer;
    ChunkReader reader(answer, 1);
    reader.read("", chunk(R"("delta":{"content":"a"})"));
    reader.read("error", "Internal Server Error");
    reader.read("", "[DONE]");
    ASSERT_TRUE(reader.failure());
    EXPECT_EQ(reader.failure()->kind, FailureClass::server);
    EXPECT_FALSE(reader.complete());
}

TEST(ChunkReader, UsageWithoutNumbersReplacesNone)
{
    for (const std::string last : {"{}", R"({"prompt_tokens":null,"completion_tokens":null})", R"({"cost":0})"}) {
        model::Completion answer;
        ChunkReader reader(answer, 1);
        for (const auto& usage : {std::string(R"({"prompt_tokens":5,"completion_tokens":2,"total_tokens":7})"), last}) {
            const auto event = R"({"object":"chat.completion.chunk","choices":[],"usage":)" + usage + "}";
            reader.read("", event);
            EXPECT_EQ(answer.usage.total(), 7) << event;
            EXPECT_TRUE(reader.read_quick("", event));
            EXPECT_EQ(answer.usage.total(), 7) << event;
            EXPECT_TRUE(answer.usage.reported);
            EXPECT_EQ(reader.usage(), R"({"prompt_tokens":5,"completion_tokens":2,"total_tokens":7})");
        }
    }
}

}  // namespace

}  // namespace dure::llm::openai

// How much of one answer is held in memory while it streams.
#include "llm/upstream_cases_fixture.hpp"

namespace dure::llm::test {

namespace answer_size {

class AnswerSize : public UpstreamCases {
protected:
    // More than 64 MiB in events of 60 kB, and no end.
    static Script endless(const Json& delta)
    {
        const auto event = chunk(delta_chunk(delta));
        std::string many;
        for (int i = 0; i < 50; ++i)
            many += event;
        Script script{send(sse_head() + chunk(role_chunk()))};
        for (int i = 0; i < 24; ++i)
            script.push_back(send(many));
        script.push_back(await_peer_close(30s));
        return script;
    }
};

TEST_F(AnswerSize, AStreamWithoutEndIsEndedBeforeItFillsTheMemory)
{
    upstream.enqueue(endless(Json{{"content", std::string(60'000, 'x')}}));
    const auto result = stream_now();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "upstream_protocol_error");
    EXPECT_TRUE(record.output_started);
    EXPECT_LT(record.completion.text.size(), (64u + 4u) << 20);
    EXPECT_TRUE(upstream.wait_until([&] { return !upstream.peer_closes().empty(); }));
}

// 64 MiB in all for what is kept, and the text alone is short.
TEST_F(AnswerSize, ThoughtsWithTheirSignaturesCountToo)
{
    const auto detail = Json{{"type", "reasoning.encrypted"}, {"data", std::string(60'000, 'x')}};
    upstream.enqueue(endless(Json{{"content", "x"}, {"reasoning_details", Json::array({detail})}}));
    KeepingSink watched;
    model::Completion answer;
    const auto result = stream(asking("hi", "gpt"), watched, answer);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason(), "upstream_protocol_error");
    EXPECT_LT(answer.reasoning_details.size(), 50u * 24u);
}

TEST_F(AnswerSize, ARelayKeepsNoneOfThem)
{
    const auto detail = Json{{"type", "reasoning.encrypted"}, {"data", "abc"}};
    upstream.enqueue(stream_script({role_chunk(), delta_chunk({{"reasoning_details", Json::array({detail})}}),
                                    delta_chunk({{"reasoning", "hm"}, {"reasoning_details", Json::array({detail})}}),
                                    text_chunk("done"), finish_chunk("stop")}));
    ASSERT_TRUE(stream_now());
    EXPECT_EQ(record.completion.text, "done");
    EXPECT_TRUE(record.completion.reasoning_details.empty());
    const auto first = sink.bytes.find(R"("reasoning_details":[{)");
    ASSERT_NE(first, std::string::npos);
    EXPECT_NE(sink.bytes.find(R"("reasoning_details":[{)", first + 1), std::string::npos) << "the client has both";
}

}  // namespace answer_size

}  // namespace dure::llm::test

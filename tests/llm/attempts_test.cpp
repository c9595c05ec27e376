// Rows of attempts (llm-upstreams §6, §8): each exchange with a provider leaves one, whatever became of it, with what it used.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "llm/attempt_note.hpp"
#include "llm/gateway_fixture.hpp"
#include "support/openai_script.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::llm::test {

namespace attempts_of_calls {

using namespace dure::test;
using namespace std::chrono_literals;

const std::string streamed = R"({"model":"gpt","messages":[{"role":"user","content":"hi"}],"stream":true})";
const std::string whole = R"({"model":"gpt","messages":[{"role":"user","content":"hi"}]})";

class Attempts : public GatewayTest {
protected:
    Attempts()
    {
        add_upstream(upstream.base());
        settings.model.at(0).prices.input = 1'000'000'000;  // a thousandth of a dollar for a thousand tokens
        settings.model.at(0).prices.output = 2'000'000'000;
    }
    Result<void> ask(bool stream)
    {
        record = {};
        return relay("gpt", stream ? streamed : whole, stream, true, sink, record);
    }

    ScriptedUpstream upstream;
    KeepingSink sink;
    RelayRecord record;
};

struct NoAttempt {
    static model::AttemptRow settled_row(const MaybeFailure&, Steady::time_point) { return {}; }
};

TEST_F(Attempts, ARowThatHasToWaitIsNotLostWhenItsCallIsCancelled)
{
    {
        Noted<NoAttempt> note(&attempts);  // whose log never has a place at once
        EXPECT_FALSE(note.ended(std::nullopt, Steady::now()));
        EXPECT_TRUE(attempts.rows().empty());
    }
    EXPECT_EQ(attempts.rows().size(), 1u);
    on_core([this]() -> Task<void> {
        Noted<NoAttempt> note(&attempts);
        EXPECT_FALSE(note.ended(std::nullopt, Steady::now()));
        co_await note.kept();
    });
    EXPECT_EQ(attempts.rows().size(), 2u);
}

TEST_F(Attempts, AFailureAndTheAnswerBehindItAreTwoRows)
{
    upstream.enqueue(error_script(500, "broken", "server_error"));
    upstream.enqueue(completion_script("fine"));
    ASSERT_TRUE(ask(false));
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].failure, "server");
    EXPECT_EQ(rows[0].status, 500);
    EXPECT_EQ(rows[0].number, 1);
    EXPECT_EQ(rows[0].cost_nano, 0);
    EXPECT_EQ(rows[0].prompt_tokens, 0);
    EXPECT_EQ(rows[1].failure, "success");
    EXPECT_EQ(rows[1].status, 200);
    EXPECT_EQ(rows[1].number, 2);
    for (const auto& row : rows) {
        EXPECT_EQ(row.request_id, "req-1");
        EXPECT_EQ(row.user_id, "user-1");
        EXPECT_EQ(row.model, "gpt");
        EXPECT_EQ(row.target, "up/upstream-gpt");
        EXPECT_GT(row.started_at, 0);
        EXPECT_FALSE(row.price_version.empty());
    }
    const auto& usage = record.completion.usage;
    EXPECT_EQ(rows[1].prompt_tokens, usage.prompt_tokens);
    EXPECT_EQ(rows[1].completion_tokens, usage.completion_tokens);
    EXPECT_EQ(rows[1].cost_nano, usage.prompt_tokens * 1000 + usage.completion_tokens * 2000);
    EXPECT_EQ(rows[1].cost_nano, usage.cost_nano);
}

TEST_F(Attempts, TheKeyIsNamedByItsPlaceNeverByItself)
{
    settings.providers.at(0).keys.emplace_back("sk-provider-secret-2");
    upstream.enqueue(error_script(401, "no", "authentication_error"));
    upstream.enqueue(completion_script("fine"));
    ASSERT_TRUE(ask(false));
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].provider_key, 0);
    EXPECT_EQ(rows[0].failure, "auth");
    EXPECT_EQ(rows[1].provider_key, 1);
}

TEST_F(Attempts, ABrokenStreamIsChargedByEstimateAndSaysWhenItsOutputBegan)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("four"))), reset()});
    EXPECT_FALSE(ask(true));
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].failure, "interrupted");
    EXPECT_TRUE(rows[0].estimated);
    EXPECT_EQ(rows[0].completion_tokens, 1);
    EXPECT_EQ(rows[0].prompt_tokens, 1) << "\"hi\": what is said, not the JSON around it";
    EXPECT_EQ(rows[0].cost_nano, rows[0].prompt_tokens * 1000 + 2000);
    EXPECT_TRUE(rows[0].first_output_ms);
}

TEST_F(Attempts, ACancelledAttemptLeavesItsRow)
{
    upstream.enqueue({send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("part"))), await_peer_close()});
    boost::asio::cancellation_signal signal;
    sink.on_output = [&] {
        boost::asio::post(cores.at(0), [&] { signal.emit(boost::asio::cancellation_type::terminal); });
    };
    RelayRequest request;
    request.model = "gpt";
    request.body = streamed;
    request.stream = true;
    const auto call = context();
    auto task = [&]() -> Task<void> { (void)co_await gateway().relay(request, call, sink, record); };
    std::promise<void> ended;
    boost::asio::co_spawn(
        cores.at(0), task(),
        boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended.set_value(); }));
    ended.get_future().get();
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].failure, "cancelled");
    EXPECT_TRUE(rows[0].estimated);
    EXPECT_GT(rows[0].cost_nano, 0);
    EXPECT_EQ(record.completion.usage.cost_nano, rows[0].cost_nano);
    EXPECT_THAT(metrics.text(), testing::ContainsRegex(R"(dure_upstream_attempts_total\{class="cancelled",[^}]*\} 1)"));
}

TEST_F(Attempts, WholeFailedAnswersThatTellOfTokensArePaid)
{
    settings.model.at(0).attempts = 1;
    const std::string usage = R"("usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}})";
    upstream.enqueue({send(http_answer(200, "application/json", R"({"choices":[],)" + usage))});
    upstream.enqueue({send(http_answer(200, "application/json", R"({"error":{"message":"broken"},)" + usage))});
    upstream.enqueue({send(http_answer(500, "application/json", R"({"error":{"message":"broken"},)" + usage))});
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(ask(false));
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 3u);
    for (const auto& row : rows) {
        EXPECT_EQ(row.prompt_tokens, 100);
        EXPECT_EQ(row.cost_nano, 100 * 1000 + 10 * 2000);
    }
}

TEST_F(Attempts, TheDeadlineOfTheRequestIsNotTheTargetsFault)
{
    settings.breaker.failures = 1;
    for (int i = 0; i < 2; ++i) {
        upstream.enqueue({await_peer_close()});
        auto call = context();
        call.deadline = Deadline::after(60ms);
        RelayRequest request;
        request.model = "gpt";
        request.body = whole;
        on_core([&]() -> Task<void> {
            const auto answered = co_await gateway().relay(request, call, sink, record);
            EXPECT_EQ(answered.error().reason(), "upstream_timeout") << "and no breaker is open";
        });
    }
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].failure, "cancelled");
}

TEST_F(Attempts, AWholeAnswerThatStopsHalfWayIsLeftForTheNextTarget)
{
    settings.providers.at(0).timeouts.byte_silence = 80ms;
    const auto answer = http_answer(200, "application/json", R"({"choices":[{"message":{"content":"never whole"}}]})");
    upstream.enqueue({send(answer.substr(0, answer.size() - 10)), await_peer_close()});
    settings.model.at(0).attempts = 1;
    const auto answered = ask(false);
    ASSERT_FALSE(answered);
    EXPECT_EQ(answered.error().reason(), "upstream_timeout");
}

TEST_F(Attempts, WhatAFailedAttemptReportedIsPaidOnceAndNotCountedAsTheAnswers)
{
    // It breaks off behind its usage: for a client that does not stream nothing has been seen, and it is made again.
    settings.model.at(0).attempts = 2;
    const auto broken = R"({"id":"1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":100,)"
                        R"("completion_tokens":10,"total_tokens":110}})";
    upstream.enqueue(
        {send(sse_head() + chunk(role_chunk()) + chunk(text_chunk("half")) + chunk(sse_data(broken))), reset()});
    upstream.enqueue(stream_script({role_chunk(), text_chunk("fine"), finish_chunk("stop")}));
    model::Completion answer;
    CompletionRequest request = asking("hi", "gpt");
    class Silent final : public model::AnswerSink {
    public:
        Task<Result<void>> piece(const model::Piece&) override { co_return Result<void>(); }
        Task<Result<void>> rendered(std::string_view) override { co_return Result<void>(); }
        Task<Result<void>> progress(const model::Progress&) override { co_return Result<void>(); }
        Task<Result<void>> still_alive() override { co_return Result<void>(); }
        bool reads_along() const override { return false; }
    } silent;
    Result<void> result;
    on_core([&]() -> Task<void> { result = co_await gateway().stream(request, context(), silent, answer); });
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(answer.text, "fine");
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].prompt_tokens, 100);
    EXPECT_EQ(rows[0].cost_nano, 100 * 1000 + 10 * 2000);
    EXPECT_LT(answer.usage.prompt_tokens, 100);
    EXPECT_EQ(answer.usage.cost_nano, rows[0].cost_nano + rows[1].cost_nano);
}

// A provider that answers parts of 256 texts, and a call of more.
class AttemptsAtEmbeddings : public Attempts {
protected:
    AttemptsAtEmbeddings()
    {
        settings.model.at(0).kind = "embedding";
        request.model = "gpt";
        request.input.assign(300, "nine byte");
    }
    static Script part(std::size_t count, const std::string& usage = "null")
    {
        Json data = Json::array();
        for (std::size_t i = 0; i < count; ++i)
            data.push_back({{"index", i}, {"embedding", {0.5}}});
        return {send(http_answer(200, "application/json", R"({"data":)" + data.dump() + R"(,"usage":)" + usage + "}"))};
    }
    Result<EmbeddingAnswer> embed()
    {
        std::optional<Result<EmbeddingAnswer>> answer;
        on_core([&]() -> Task<void> { answer = co_await gateway().embed(request, context()); });
        return std::move(*answer);
    }
    void embed_and_leave_at_request(int number)
    {
        const auto call = context();
        boost::asio::cancellation_signal leave;
        std::promise<void> left;
        auto task = [&]() -> Task<void> { (void)co_await gateway().embed(request, call); };
        boost::asio::co_spawn(
            cores.at(0), task(),
            boost::asio::bind_cancellation_slot(leave.slot(), [&](std::exception_ptr) { left.set_value(); }));
        EXPECT_TRUE(upstream.wait_until([&] { return upstream.request_count() == number; }));
        boost::asio::post(cores.at(0), [&] { leave.emit(boost::asio::cancellation_type::terminal); });
        left.get_future().get();
    }

    EmbeddingRequest request;
};

TEST_F(AttemptsAtEmbeddings, WhatIsNotToldOfAPartIsEstimated)
{
    for (const bool first_tells : {true, false}) {
        const std::string told = R"({"prompt_tokens":500})";
        upstream.enqueue(part(256, first_tells ? told : "null"));
        upstream.enqueue(part(44, first_tells ? "null" : told));
        const auto answer = embed();
        ASSERT_TRUE(answer) << answer.error().message();
        const auto tokens = 500 + 3 * (first_tells ? 44 : 256);
        EXPECT_EQ(answer->vectors.size(), 300u);
        EXPECT_EQ(answer->usage.prompt_tokens, tokens);
        EXPECT_TRUE(answer->usage.estimated);
        const auto row = attempts.rows().back();
        EXPECT_EQ(row.prompt_tokens, tokens);
        EXPECT_TRUE(row.estimated);
        EXPECT_EQ(row.cost_nano, tokens * 1000);
    }
}

TEST_F(AttemptsAtEmbeddings, WhatIsToldOfEveryPartIsNoEstimate)
{
    upstream.enqueue(part(256, R"({"prompt_tokens":500})"));
    upstream.enqueue(part(44, R"({"prompt_tokens":0})"));
    ASSERT_TRUE(embed());
    const auto row = attempts.rows().at(0);
    EXPECT_EQ(row.prompt_tokens, 500);
    EXPECT_FALSE(row.estimated);
}

TEST_F(AttemptsAtEmbeddings, APartThatTellsItsCostDoesNotHideThatOfTheOther)
{
    upstream.enqueue(part(256, R"({"prompt_tokens":500,"cost":0.002})"));
    upstream.enqueue(part(44, R"({"prompt_tokens":100})"));
    ASSERT_TRUE(embed());
    EXPECT_EQ(attempts.rows().at(0).cost_nano, 2'000'000 + 100 * 1000);
}

TEST_F(AttemptsAtEmbeddings, TokensAreCountedWhereNumbersAreNotTold)
{
    request.input.clear();
    request.token_input = OrderedJson::parse("[[1,2,3],[4]]");
    upstream.enqueue(part(2));
    ASSERT_TRUE(embed());
    request.token_input = OrderedJson::parse("[1,2,3,4,5]");
    upstream.enqueue(part(1));
    ASSERT_TRUE(embed());
    EXPECT_EQ(attempts.rows().at(0).prompt_tokens, 4);
    EXPECT_EQ(attempts.rows().at(1).prompt_tokens, 5);
}

TEST_F(AttemptsAtEmbeddings, OneThatIsCancelledLeavesItsRow)
{
    upstream.enqueue({await_peer_close()});
    embed_and_leave_at_request(1);
    ASSERT_EQ(attempts.rows().size(), 1u);
    const auto row = attempts.rows().at(0);
    EXPECT_EQ(row.failure, "cancelled");
    EXPECT_EQ(row.model, "gpt");
    EXPECT_EQ(row.number, 1);
    EXPECT_EQ(row.cost_nano, 0) << "nothing came";
}

TEST_F(AttemptsAtEmbeddings, WhatCameBeforeItWasCancelledIsCharged)
{
    upstream.enqueue(part(256, R"({"prompt_tokens":500})"));
    upstream.enqueue({await_peer_close()});
    embed_and_leave_at_request(2);
    ASSERT_EQ(attempts.rows().size(), 1u);
    const auto row = attempts.rows().at(0);
    EXPECT_EQ(row.failure, "cancelled");
    EXPECT_EQ(row.prompt_tokens, 500);
    EXPECT_EQ(row.cost_nano, 500 * 1000);
}

TEST_F(Attempts, PricesHaveAVersion)
{
    upstream.enqueue(completion_script("one"));
    ASSERT_TRUE(ask(false));
    forget_gateway();
    settings.model.at(0).prices.output += 1;
    upstream.enqueue(completion_script("two"));
    ASSERT_TRUE(ask(false));
    const auto rows = attempts.rows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_NE(rows[0].price_version, rows[1].price_version);
}

}  // namespace attempts_of_calls
}  // namespace dure::llm::test

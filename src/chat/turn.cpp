// Turns; see turn.hpp.
#include "chat/turn.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "chat/channel_sink.hpp"
#include "chat/turn_input.hpp"
#include "chat/turn_runs.hpp"
#include "dure/base/cancellation.hpp"
#include "dure/base/task_group.hpp"
#include "dure/base/timeout.hpp"
#include "dure/events/access_audit.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/sessions/service.hpp"
#include "dure/store/usage.hpp"
#include "dure/store/usage_writer.hpp"

namespace dure::chat {

namespace {

constexpr std::chrono::seconds patience_with_storage{15};

// Moves what a record holds into the answer on every way out, cancellation included.
template <class Record, class Move>
class OnLeave {
public:
    OnLeave(Record& record, Move move) : record_(record), move_(std::move(move)) {}
    OnLeave(const OnLeave&) = delete;
    OnLeave& operator=(const OnLeave&) = delete;
    ~OnLeave() { move_(record_); }

private:
    Record& record_;
    Move move_;
};

Json tools_json(const std::vector<model::ToolUse>& tools)
{
    auto list = Json::array();
    for (const auto& tool : tools)
        list.push_back({{"name", tool.name},
                        {"arguments", tool.arguments},
                        {"success", tool.success},
                        {"result", tool.result},
                        {"duration_ms", tool.duration_ms}});
    return list;
}

Json tool_calls_json(const std::vector<model::ToolCall>& calls)
{
    auto list = Json::array();
    for (const auto& call : calls)
        list.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
    return list;
}

Task<Result<void>> not_begun(Error why)
{
    co_return why;
}

bool has_output(const model::Completion& answer)
{
    return !answer.text.empty() || !answer.reasoning.empty() || !answer.refusal.empty() || !answer.tool_calls.empty();
}

}  // namespace

// How a piece of work came to its end.
struct Turns::Ended {
    Result<void> outcome;
    bool cancelled = false;
    bool thrown = false;
    Steady::duration took{};

    bool whole() const { return outcome && !thrown; }
    runs::Status run_status() const
    {
        return cancelled ? runs::Status::cancelled : whole() ? runs::Status::success : runs::Status::error;
    }
    std::string status(const Answer& answer) const
    {
        if (cancelled)
            return "cut";
        if (thrown)
            return "internal";
        if (outcome)
            return "ok";
        const auto& reason = outcome.error().reason();
        const auto word = reason.empty() ? std::string(name_of(outcome.error().code())) : reason;
        return has_output(answer.completion) ? "cut:" + word : word;
    }
};

Task<Result<void>> Turns::run_and_record(const Turn& turn, Answer& answer, Task<Result<void>> work)
{
    namespace asio = boost::asio;
    const auto started = Steady::now();
    Ended ended;
    std::exception_ptr thrown;
    try {
        if (turn.left)
            throw boost::system::system_error(asio::error::operation_aborted);
        ended.outcome = co_await std::move(work);
        ended.cancelled = !ended.outcome && ended.outcome.error().code() == Errc::cancelled;
    } catch (const boost::system::system_error& error) {
        ended.cancelled = error.code() == asio::error::operation_aborted;
        thrown = std::current_exception();
    } catch (...) {
        thrown = std::current_exception();
    }
    ended.thrown = thrown != nullptr;
    ended.took = Steady::now() - started;
    // Recorded to the end even when the client leaves at this very moment; its leaving goes on behind it.
    bool gone = is_cancelled(co_await asio::this_coro::cancellation_state);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation(), asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto outcome = co_await record(turn, answer, ended);
    gone = gone || is_cancelled(co_await asio::this_coro::cancellation_state);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_await asio::this_coro::throw_if_cancelled(true);
    if (thrown)
        std::rethrow_exception(thrown);
    if (gone)
        throw boost::system::system_error(asio::error::operation_aborted);
    co_return outcome;
}

// The outcome of the work, or of storing it when that failed.
Task<Result<void>> Turns::record(const Turn& turn, Answer& answer, const Ended& ended)
{
    answer.cost_nano = answer.completion.usage.cost_nano.value_or(0);
    auto outcome = ended.outcome;
    // A request that was refused before anything came of it is no turn.
    const bool refused = !ended.whole() && !ended.cancelled && !has_output(answer.completion);
    bool tools_on_record = answer.tools_used.empty();
    bool usage_on_record = false;
    if (!turn.session_id.empty() && !refused) {
        auto recorded = co_await record_turn(turn, answer, ended);
        tools_on_record = tools_on_record || recorded;
        // Where nobody can say whether the turn was stored, one row too few is better than one that is paid twice.
        usage_on_record = recorded || recorded.error().reason() == "outcome_unknown";
        // A session that was deleted while it was answered: the answer stands, there is nothing to store it in.
        if (!recorded && outcome && recorded.error().code() != Errc::not_found)
            outcome = recorded;
    }
    if (!tools_on_record)
        if (auto recorded = co_await record_tools(turn, answer); !recorded && outcome)
            outcome = recorded;
    if (turn.run)
        co_await end_run(turn, ended);
    if (!usage_on_record)
        if (auto row = usage_of(turn, answer, ended); !parts_.usage.try_add(row))
            co_await parts_.usage.add(std::move(row));
    co_return outcome;
}

// Runs of tools that no recorded turn names: of requests without a session, and of turns that were not stored.
Task<Result<void>> Turns::record_tools(const Turn& turn, const Answer& answer)
{
    std::vector<events::ToolRun> runs;
    for (const auto& tool : answer.tools_used)
        runs.push_back({tool.name, tool.arguments, tool.success, tool.duration_ms});
    co_return co_await parts_.audit.tool_runs(actor_of(turn.caller, turn.info), std::move(runs));
}

// When the storage cannot be reached the run stays open: it is taken over and recorded once its lease is over.
Task<void> Turns::end_run(const Turn& turn, const Ended& ended)
{
    if (!turn.run->begun() || turn.run->ended())
        co_return;
    const auto status = ended.whole() ? runs::Status::error : ended.run_status();   // whole: it could not be stored
    if (auto stored = co_await turn.run->end(status); !stored && stored.error().reason() != "LEASE_LOST")
        parts_.logger.warn("the run of a turn was not ended",
                           {{"request_id", turn.info.request_id}, {"cause", stored.error().message()}});
}

Task<Result<void>> Turns::record_turn(const Turn& turn, Answer& answer, const Ended& ended)
{
    sessions::TurnRecord record;
    record.session_id = turn.session_id;
    record.owner_id = turn.caller.user_id;
    record.turn_key = turn.key;
    record.user_text = turn.user_text;
    const auto& said = answer.completion;
    record.assistant_text = said.text.empty() ? said.refusal : said.text;
    record.cut = !ended.whole() && !answer.completion.drained;
    auto* run = turn.run && turn.run->begun() ? turn.run : nullptr;
    const auto usage = usage_of(turn, answer, ended);
    record.also = [run, status = ended.run_status(), &usage](sql::Connection& c) -> Result<void> {
        if (run)
            if (auto stored = run->end_in(c, status); !stored)
                return stored;
        return store::Usage(c).insert({&usage, 1});
    };
    record.model = answer.model;
    record.by = actor_of(turn.caller, turn.info);
    record.totals.tokens_used = answer.completion.usage.total();
    record.totals.cost_nano = answer.cost_nano;
    if (!answer.tools_used.empty())
        record.totals.tools_used = tools_json(answer.tools_used);
    record.request_id = turn.info.request_id;
    record.finish_reason = answer.completion.finish_reason;
    if (!answer.completion.tool_calls.empty())
        record.metadata["tool_calls"] = tool_calls_json(answer.completion.tool_calls);
    auto recorded = co_await record_patiently(record);
    if (!recorded)
        co_return recorded.error();
    if (run)
        run->committed();
    answer.turn = recorded->turn;
    if (recorded->summary_due)
        summaries_.start(co_await boost::asio::this_coro::executor, turn.caller.user_id, turn.session_id);
    co_return Result<void>();
}

// An answer that was waited and paid for is not thrown away because the database is away at its end. What may have been stored is not
// stored again.
Task<Result<sessions::RecordedTurn>> Turns::record_patiently(const sessions::TurnRecord& record)
{
    const auto until = Deadline::after(patience_with_storage);
    for (Steady::duration pause = std::chrono::milliseconds(100);;
         pause = std::min<Steady::duration>(pause * 2, std::chrono::seconds(1))) {
        auto recorded = co_await parts_.sessions.record_turn(record);
        const bool away =
            !recorded && recorded.error().code() == Errc::unavailable && recorded.error().reason() != "outcome_unknown";
        if (!away || until.left() < pause)
            co_return recorded;
        co_await sleep_for(pause);
    }
}

model::UsageRow Turns::usage_of(const Turn& turn, const Answer& answer, const Ended& ended)
{
    model::UsageRow row;
    row.user_id = turn.caller.user_id;
    row.key_id = turn.caller.key_id;
    row.model = answer.model;
    row.target = answer.completion.answered_by;
    if (!turn.session_id.empty())
        row.session_id = turn.session_id;
    row.status = ended.status(answer);
    row.prompt_tokens = answer.completion.usage.prompt_tokens;
    row.completion_tokens = answer.completion.usage.completion_tokens;
    row.cached_tokens = answer.completion.usage.cached_tokens;
    row.reasoning_tokens = answer.completion.usage.reasoning_tokens;
    row.estimated = answer.completion.usage.estimated;
    row.cost_nano = answer.cost_nano;
    row.created_at = SystemClock().now();
    row.request_id = turn.info.request_id;
    row.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(ended.took).count();
    row.endpoint = turn.info.endpoint;
    return row;
}

Task<Result<void>> Turns::relay(const Turn& turn, const llm::RelayRequest& request, const llm::CallContext& context,
                                model::AnswerSink& sink, Answer& answer)
{
    return run_and_record(turn, answer, parts_.gateway.relay(request, context, sink, answer));
}

Task<Result<void>> Turns::streamed_agent(const Turn& turn, const agents::AgentRequest& request,
                                         const llm::CallContext& context, model::AnswerSink& sink,
                                         agents::AgentRecord& record)
{
    const auto room = co_await parts_.gateway.room_for(parts_.settings.agent.model, request.messages, context);
    if (!room)
        co_return room.error();
    // Head and role chunk as soon as the request is valid; where its first call may be refused, with the first output.
    if (*room == llm::Gateway::Room::unlimited)
        if (auto begun = co_await sink.piece(model::Piece{}); !begun)
            co_return begun;
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto caller = tools_caller(turn.caller, turn.info);
    const auto durable = turn.run ? std::optional(turn.run->for_agent()) : std::nullopt;
    ChannelSink channel(executor);
    Result<void> outcome;
    auto produce = [](agents::Agents& agents, const agents::AgentRequest& call, const llm::CallContext& about,
                      const tools::Caller& who, ChannelSink& out, agents::AgentRecord& into,
                      const agents::DurableRun* lasting, Result<void>& result) -> Task<void> {
        struct Close {
            ChannelSink& sink;
            ~Close() { sink.close(); }
        } close{out};
        result = co_await agents.run(call, about, who, out, into, lasting);
    };
    TaskGroup group(executor);
    group.spawn(produce(parts_.agents, request, context, caller, channel, record, durable ? &*durable : nullptr, outcome));
    Result<void> written;
    std::exception_ptr thrown;
    try {
        written = co_await channel.drain_into(sink, parts_.settings.server.limits.sse_heartbeat);
    } catch (...) {
        thrown = std::current_exception();
    }
    // A cancellation that came with the last piece throws at the next wait, which the children must not miss.
    if (!thrown && is_cancelled(co_await boost::asio::this_coro::cancellation_state))
        thrown = std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
    if (thrown || !written) {   // nobody reads any more: the run ends, what it had stays in the record
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        group.cancel();
    }
    co_await group.wait();
    if (thrown)
        std::rethrow_exception(thrown);
    co_return written ? outcome : written;
}

Task<Result<void>> Turns::agent(const Turn& turn, const agents::AgentRequest& request, const llm::CallContext& context,
                                model::AnswerSink& sink, Answer& answer)
{
    if (turn.session_id.empty() || turn.left || turn.run)
        co_return co_await run_and_record(turn, answer, run_agent(turn, request, context, sink, answer));
    auto fresh = co_await runs_.fresh(turn.caller.user_id, turn_input(turn, answer.model, request));
    if (!fresh)
        co_return co_await run_and_record(turn, answer, not_begun(fresh.error()));
    TurnRun run(runs_, co_await boost::asio::this_coro::executor, std::move(*fresh), runs_.mode());
    auto durable = turn;
    durable.run = &run;
    co_return co_await run_and_record(durable, answer, run_agent(durable, request, context, sink, answer));
}

Task<Result<void>> Turns::run_agent(const Turn& turn, const agents::AgentRequest& request, const llm::CallContext& context,
                                    model::AnswerSink& sink, Answer& answer)
{
    if (turn.run && !turn.run->begun())
        if (auto begun = co_await turn.run->begin(); !begun)
            co_return begun;
    agents::AgentRecord record;
    const OnLeave leave(record, [&answer](agents::AgentRecord& left) {
        answer.completion = std::move(left.completion);
        answer.tools_used = std::move(left.tools_used);
    });
    if (sink.reads_along())
        co_return co_await streamed_agent(turn, request, context, sink, record);
    const auto caller = tools_caller(turn.caller, turn.info);
    const auto durable = turn.run ? std::optional(turn.run->for_agent()) : std::nullopt;
    co_return co_await parts_.agents.run(request, context, caller, sink, record, durable ? &*durable : nullptr);
}

Task<Result<void>> Turns::model(const Turn& turn, const llm::CompletionRequest& request,
                                const llm::CallContext& context, model::AnswerSink& sink, Answer& answer)
{
    co_return co_await run_and_record(turn, answer, parts_.gateway.stream(request, context, sink, answer.completion));
}

Task<Result<void>> Turns::embed(const Turn& turn, const model::EmbeddingRequest& request, const llm::CallContext& context,
                                model::EmbeddingAnswer& vectors, Answer& answer)
{
    auto work = [](llm::Gateway& gateway, const model::EmbeddingRequest& texts, const llm::CallContext& about,
                   model::EmbeddingAnswer& out, Answer& into) -> Task<Result<void>> {
        auto made = co_await gateway.embed(texts, about);
        if (!made)
            co_return made.error();
        out = std::move(*made);
        into.completion.usage = out.usage;
        into.completion.answered_by = out.answered_by;
        co_return Result<void>();
    };
    co_return co_await run_and_record(turn, answer, work(parts_.gateway, request, context, vectors, answer));
}

Task<Result<void>> Turns::background(const Turn& turn, agents::AgentRequest request, const llm::CallContext& context,
                                     model::AnswerSink& sink, Answer& answer)
{
    llm::CompletionRequest plain;
    plain.model = parts_.settings.agent.model;
    plain.messages = std::move(request.messages);
    plain.temperature = request.temperature;
    plain.max_tokens = request.max_tokens;
    plain.extra = std::move(request.extra);
    if (plain.extra.is_object())
        plain.extra.erase("parallel_tool_calls");   // there are no tools
    co_return co_await run_and_record(turn, answer, parts_.gateway.stream(plain, context, sink, answer.completion));
}

}  // namespace dure::chat

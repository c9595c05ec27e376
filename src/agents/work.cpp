// See work.hpp. Each round: the model calls tools (natively, or by the router's JSON), the tools run at once, their results
// join the messages as tool messages; the first text ends it.
#include "dure/agents/work.hpp"

#include <algorithm>
#include <set>

#include "agents/answer_tap.hpp"
#include "agents/decision.hpp"
#include "agents/usage.hpp"
#include "dure/base/task_group.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t most_calls_at_once = 32;

Task<Result<void>> tell_tool(Workshop& shop, const WorkOrder& order, const std::string& tool, std::string_view korean,
                             std::string_view english, bool done)
{
    model::Progress progress;
    progress.node = order.node;
    progress.tool = tool;
    progress.description = tool + std::string(shop.language == Language::korean ? korean : english);
    progress.done = done;
    co_return co_await shop.teller.progress(progress);
}

bool offers(const WorkOrder& order, const std::string& name)
{
    return std::any_of(order.tools.begin(), order.tools.end(), [&](const auto& tool) { return tool.name == name; });
}

Task<Result<tools::Outcome>> run_one(Workshop& shop, const WorkOrder& order, const model::ToolCall& call,
                                     const std::string& refusal)
{
    if (!refusal.empty()) {
        tools::Outcome refused;
        refused.error = refusal;
        co_return refused;
    }
    if (!offers(order, call.name)) {
        tools::Outcome unknown;
        unknown.error = "This tool is not offered here. Use one of the offered tools or answer without.";
        co_return unknown;
    }
    auto caller = shop.caller;
    const auto& base = caller.idempotency_key.empty() ? caller.request_id : caller.idempotency_key;
    caller.idempotency_key = base + (order.task.empty() ? "/" : "/" + order.task + "/") + call.id;
    co_return co_await shop.calls.use(order.node, call, caller);
}

Task<Result<void>> run_and_tell(Workshop& shop, const WorkOrder& order, const model::ToolCall& call,
                                const std::string& refusal, tools::Outcome& into)
{
    if (auto told = co_await tell_tool(shop, order, call.name, " 실행 중", " is running", false); !told)
        co_return told;
    model::ToolUse begun;  // on record before it runs: a run that is cut leaves what it had begun
    begun.name = call.name;
    begun.arguments = call.arguments;
    begun.result = "The answer ended before the tool did.";
    const auto place = shop.record.tools_used.size();
    shop.record.tools_used.push_back(std::move(begun));
    auto outcome = co_await run_one(shop, order, call, refusal);
    if (!outcome)
        co_return outcome.error();
    into = std::move(*outcome);
    auto& use = shop.record.tools_used[place];
    use.success = into.success;
    use.result = into.success ? into.text() : into.error;
    use.duration_ms = into.duration_ms;
    co_return co_await tell_tool(shop, order, call.name, into.success ? " 완료" : " 실패",
                                 into.success ? " is done" : " failed", true);
}

// All calls of the turn at once; their results join the messages in the order of the calls.
Task<Result<void>> run_calls(Workshop& shop, WorkOrder& order, std::string text, std::vector<model::ToolCall> calls,
                             OrderedJson details = {})
{
    auto turn = message_saying(model::Role::assistant, text);
    if (text.empty())
        turn.content = nullptr;
    turn.tool_calls = calls;
    if (!details.is_null())
        turn.extra["reasoning_details"] = std::move(details);
    order.messages.push_back(std::move(turn));
    const auto count = std::min(calls.size(), most_calls_at_once);
    std::vector<tools::Outcome> outcomes(calls.size());
    for (auto i = count; i < calls.size(); ++i)
        outcomes[i].error = "More than 32 tool calls in one turn, not run.";
    auto refusals =
        co_await shop.calls.refusals(order.node, {calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(count)});
    if (!refusals)
        co_return refusals.error();
    std::vector<Result<void>> told(count);
    TaskGroup group(co_await boost::asio::this_coro::executor);
    const auto one = [](Workshop& at, const WorkOrder& of, const model::ToolCall& call, const std::string& refusal,
                        tools::Outcome& into,
                        Result<void>& end) -> Task<void> { end = co_await run_and_tell(at, of, call, refusal, into); };
    for (std::size_t i = 0; i < count; ++i)
        group.spawn(one(shop, order, calls[i], (*refusals)[i], outcomes[i], told[i]));
    co_await group.wait();
    for (const auto& end : told)
        if (!end)
            co_return end;
    for (std::size_t i = 0; i < calls.size(); ++i) {
        auto result = message_saying(model::Role::tool, outcomes[i].text());
        result.tool_call_id = calls[i].id;
        order.messages.push_back(std::move(result));
    }
    co_return Result<void>();
}

llm::CompletionRequest request_of(const WorkOrder& order)
{
    llm::CompletionRequest request;
    request.model = order.model;
    request.temperature = order.temperature;
    request.max_tokens = order.max_tokens;
    request.extra = order.extra;
    request.messages.push_back(message_saying(model::Role::system, order.system));
    request.messages.insert(request.messages.end(), order.messages.begin(), order.messages.end());
    return request;
}

// A turn whose text may be the answer: read along where the order says so.
Task<Result<model::Completion>> ask_aloud(Workshop& shop, const WorkOrder& order, const llm::CompletionRequest& request)
{
    if (!order.words)
        co_return co_await ask_behind(shop, order.node, request);
    AnswerTap tap(*order.words, shop.record, AnswerTap::Text::shown);
    model::Completion turn;
    const UsageOfCall usage(shop.record, turn);
    auto asked = co_await shop.calls.ask(order.node, request, shop.call, &tap, turn);
    if (!tap.reads_along())
        tap.keep(turn);
    if (!asked)
        co_return asked.error();
    co_return turn;
}

// Gives the calls of a turn what a conversation needs, each an id of its own: some models count from 0 in each turn. The ids are
// the same when the work is done again after a crash: what came of a call is found by its id.
void complete_turn(const WorkOrder& order, std::vector<model::ToolCall>& calls, std::int64_t round)
{
    std::set<std::string> known;
    for (const auto& message : order.messages)
        for (const auto& call : message.tool_calls)
            known.insert(call.id);
    std::erase_if(calls, [](const auto& call) { return call.name.empty(); });
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].id.empty() || known.contains(calls[i].id))
            calls[i].id = "call_" + std::to_string(round) + "_" + std::to_string(i);
        while (!known.insert(calls[i].id).second)
            calls[i].id += "_";
        if (calls[i].arguments.empty())
            calls[i].arguments = "{}";
    }
}

Task<Result<std::string>> work_natively(Workshop& shop, WorkOrder& order)
{
    for (std::int64_t round = 0;; ++round) {
        auto request = request_of(order);
        request.tools = order.tools;
        const bool may_call = round < order.rounds && !order.tools.empty();
        if (!may_call && !request.tools.empty())
            request.tool_choice = "none";
        auto turn = co_await ask_aloud(shop, order, request);
        if (!turn)
            co_return turn.error();
        auto& calls = turn->tool_calls;
        complete_turn(order, calls, round);
        if (calls.empty() || (!may_call && !turn->text.empty()))
            co_return std::move(turn->text);
        if (!may_call)
            co_return Error(Errc::upstream_failed, "The model asked for tools again and again and gave no answer.")
                .reason("upstream_protocol_error");
        if (auto ran = co_await run_calls(shop, order, std::move(turn->text), std::move(calls),
                                          std::move(turn->reasoning_details));
            !ran)
            co_return ran.error();
    }
}

// The router's word for one round; nothing: answer now. What cannot be understood is answered without tools.
Task<Result<std::optional<Decision>>> decide(Workshop& shop, const WorkOrder& order)
{
    std::vector<std::string> names;
    std::string lines;
    for (const auto& tool : order.tools) {
        names.push_back(tool.name);
        lines +=
            dump(Json{{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}}) + "\n";
    }
    auto request = request_of(order);
    request.temperature = 0;
    request.messages.front() = message_saying(
        model::Role::system, order.system + "\n" + fill(shop.prompts.get(shop.language, "router"), {{"tools", lines}}));
    auto turn = co_await ask_behind(shop, order.node, request);
    if (!turn)
        co_return turn.error();
    auto read = read_decision(turn->text, names);
    auto* decision = std::get_if<Decision>(&read);
    if (!decision || decision->action != "execute_tool")
        co_return std::optional<Decision>();
    co_return std::optional<Decision>(std::move(*decision));
}

Task<Result<std::string>> work_by_decisions(Workshop& shop, WorkOrder& order)
{
    for (std::int64_t round = 0; round < order.rounds && !order.tools.empty(); ++round) {
        auto decided = co_await decide(shop, order);
        if (!decided)
            co_return decided.error();
        if (!*decided)
            break;
        std::vector<model::ToolCall> calls(1);
        calls[0].name = (*decided)->tool;
        calls[0].arguments = (*decided)->arguments;
        complete_turn(order, calls, round);
        if (auto ran = co_await run_calls(shop, order, "", std::move(calls)); !ran)
            co_return ran.error();
    }
    auto turn = co_await ask_aloud(shop, order, request_of(order));
    if (!turn)
        co_return turn.error();
    co_return std::move(turn->text);
}

}  // namespace

void Teller::wake_next()
{
    if (waiting_.empty())
        return;
    const auto next = waiting_.front();
    waiting_.pop_front();
    next->notify();
}

Task<Result<void>> Teller::progress(const model::Progress& progress)
{
    while (busy_) {
        const auto mine = std::make_shared<Signal>(co_await boost::asio::this_coro::executor);
        waiting_.push_back(mine);
        try {
            co_await mine->wait();
        } catch (...) {
            std::erase(waiting_, mine);
            if (!busy_)  // it was woken and is cancelled at once: the next one's turn
                wake_next();
            throw;
        }
    }
    busy_ = true;
    struct Leave {
        Teller& self;
        ~Leave()
        {
            self.busy_ = false;
            self.wake_next();
        }
    } leave{*this};
    co_return co_await sink_.progress(progress);
}

model::Message message_saying(model::Role role, std::string text)
{
    model::Message message;
    message.role = role;
    message.content = std::move(text);
    return message;
}

Task<Result<model::Completion>> ask_behind(Workshop& shop, std::string_view node, const llm::CompletionRequest& request)
{
    model::Completion completion;
    const UsageOfCall usage(shop.record, completion);
    if (auto answered = co_await shop.calls.ask(node, request, shop.call, nullptr, completion); !answered)
        co_return answered.error();
    co_return completion;
}

Task<Result<std::string>> work(Workshop& shop, WorkOrder& order)
{
    const auto model = shop.gateway.find(order.model);
    if (!model)
        co_return Error(Errc::not_found, "The model '" + order.model + "' does not exist.")
            .reason("model_not_found")
            .param("model");
    if (model->tools && !order.by_decisions)
        co_return co_await work_natively(shop, order);
    co_return co_await work_by_decisions(shop, order);
}

}  // namespace dure::agents

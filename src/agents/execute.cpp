// executor: all tool calls of one turn at once; results in the order of the calls. Results are data: they enter the
// conversation as tool messages only.
#include "agents/ask.hpp"
#include "dure/base/task_group.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t most_calls_per_turn = 32;

Task<Result<void>> tell(AgentRun& run, const std::string& node, const std::string& tool, std::string_view korean,
                        std::string_view english, bool done)
{
    model::Progress progress;
    progress.node = node;
    progress.tool = tool;
    progress.description = tool + std::string(run.language == Language::korean ? korean : english);
    progress.done = done;
    co_return co_await run.sink.progress(progress);
}

Task<tools::Outcome> run_call(AgentRun& run, const model::ToolCall& call)
{
    if (!is_candidate(run, call.name)) {
        tools::Outcome not_run;
        not_run.error = is_client_tool(run, call.name)   // one that could not be handed to the client
                            ? "The arguments of this tool must be one JSON object. Call it again."
                            : "This tool is not offered here. Use one of the offered tools or answer without.";
        co_return not_run;
    }
    auto caller = run.caller;
    caller.idempotency_key = (caller.idempotency_key.empty() ? caller.request_id : caller.idempotency_key) + "/" + call.id;
    co_return co_await run.registry.execute(call.name, call.arguments, caller);
}

Task<std::vector<tools::Outcome>> run_all(AgentRun& run, const std::vector<model::ToolCall>& calls)
{
    std::vector<tools::Outcome> outcomes(calls.size());
    if (calls.size() == 1) {
        outcomes[0] = co_await run_call(run, calls[0]);
        co_return outcomes;
    }
    TaskGroup group(co_await boost::asio::this_coro::executor);
    const auto one = [](AgentRun& of, const model::ToolCall& call, tools::Outcome& into) -> Task<void> {
        into = co_await run_call(of, call);
    };
    for (std::size_t i = 0; i < calls.size(); ++i)
        group.spawn(one(run, calls[i], outcomes[i]));
    co_await group.wait();
    co_return outcomes;
}

// On record before it runs: a run that is cut leaves what it had begun.
void remember_begun(AgentRun& run, const model::ToolCall& call)
{
    model::ToolUse use;
    use.name = call.name;
    use.arguments = call.arguments;
    use.result = "The answer ended before the tool did.";
    run.record.tools_used.push_back(std::move(use));
}

void remember(model::ToolUse& use, const tools::Outcome& outcome)
{
    use.success = outcome.success;
    use.result = outcome.success ? outcome.text() : outcome.error;
    use.duration_ms = outcome.duration_ms;
}

// Beside calls of the client the model is not asked again, so the results are shown as thoughts.
Task<Result<void>> show_results(AgentRun& run, const std::vector<model::ToolCall>& calls,
                                const std::vector<tools::Outcome>& outcomes)
{
    model::Piece shown;
    for (std::size_t i = 0; i < calls.size(); ++i)
        shown.reasoning += calls[i].name + ": " + outcomes[i].text() + "\n";
    run.record.completion.append(shown);
    co_return co_await run.sink.piece(shown);
}

Task<Result<std::vector<tools::Outcome>>> run_told(graph::NodeContext& context, AgentRun& run,
                                                   const std::vector<model::ToolCall>& calls)
{
    for (const auto& call : calls)
        if (auto told = co_await tell(run, context.node(), call.name, " 실행 중", " is running", false); !told)
            co_return told.error();
    const auto first = run.record.tools_used.size();
    for (const auto& call : calls)
        remember_begun(run, call);
    auto outcomes = co_await run_all(run, calls);
    for (std::size_t i = 0; i < calls.size(); ++i)
        remember(run.record.tools_used[first + i], outcomes[i]);
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const bool good = outcomes[i].success;
        if (auto told = co_await tell(run, context.node(), calls[i].name, good ? " 완료" : " 실패", good ? " is done" : " failed", true);
            !told)
            co_return told.error();
    }
    co_return outcomes;
}

}  // namespace

Task<Result<graph::Update>> execute_tools(graph::NodeContext& context, AgentRun& run)
{
    std::vector<model::ToolCall> calls;
    for (const auto& call : context.state().at("calls"))
        calls.push_back(call_from_json(call));
    auto update = Json::object();
    update["transcript"] = Json::array();
    for (auto i = most_calls_per_turn; i < calls.size(); ++i)
        update["transcript"].push_back(tool_result(calls[i].id, "Error: more than 32 tool calls in one turn, not run."));
    calls.resize(std::min(calls.size(), most_calls_per_turn));
    const auto outcomes = co_await run_told(context, run, calls);
    if (!outcomes)
        co_return outcomes.error();
    bool progressed = false;
    for (std::size_t i = 0; i < calls.size(); ++i) {
        progressed = progressed || (*outcomes)[i].success;
        update["transcript"].push_back(tool_result(calls[i].id, (*outcomes)[i].text()));
    }
    if (!context.state().at("client_calls").empty())
        if (auto told = co_await show_results(run, calls, *outcomes); !told)
            co_return told.error();
    update["calls"] = Json::array();
    update["rounds"] = 1;
    update["progressed"] = progressed;
    co_return graph::Update(std::move(update));
}

}  // namespace dure::agents

// The graphs of the strategies: which node follows which, in one place.
#include "agents/ask.hpp"

namespace dure::agents {
namespace {

using graph::Routes;
using graph::State;

// What a client shows while the node runs; empty: nothing.
std::string describe(std::string_view node, Language language)
{
    const bool korean = language == Language::korean;
    if (node == "tool_selector")
        return korean ? "도구 고르는 중" : "Choosing tools";
    if (node == "router" || node == "model")
        return korean ? "다음 단계 결정 중" : "Deciding the next step";
    if (node == "planner")
        return korean ? "계획 세우는 중" : "Planning";
    if (node == "step")
        return korean ? "계획한 단계 진행 중" : "Working on a step of the plan";
    if (node == "executor" || node == "tools")
        return korean ? "도구 실행 중" : "Running tools";
    return korean ? "답변 작성 중" : "Writing the answer";
}

// A node of the agent: its name enters the path, its step is told, then the body runs.
graph::NodeFunction step(NodeBody body)
{
    return [body](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        auto& run = context.context<AgentRun>();
        take_up(run, context.state());
        run.record.path.push_back(context.node());
        model::Progress progress;
        progress.node = context.node();
        progress.description = describe(context.node(), run.language);
        if (auto told = co_await run.sink.progress(progress); !told)
            co_return told.error();
        auto update = co_await body(context, run);
        progress.done = true;
        if (update)
            if (auto told = co_await run.sink.progress(progress); !told)
                co_return told.error();
        if (update && run.keeps_record) {
            if (update->values.is_null())
                update->values = Json::object();
            update->values["record"] = to_json(run.record);
        }
        co_return update;
    };
}

void add_channels(graph::StateGraph& graph)
{
    using namespace graph::reducers;
    graph.add_channel("candidates", last(), Json::array())
        .add_channel("transcript", append())
        .add_channel("calls", last(), Json::array())
        .add_channel("client_calls", last(), Json::array())
        .add_channel("action", last(), "")
        .add_channel("answered", last(), false)
        .add_channel("progressed", last(), false)
        .add_channel("rounds", sum())
        .add_channel("record", last(), Json::object())
        .add_channel("max_rounds", last(), 0)
        .add_channel("native", last(), false);
}

bool has_calls(const State& state)
{
    return !state.at("calls").empty();
}

bool rounds_left(const State& state)
{
    return state.at("rounds") < state.at("max_rounds") && state.at("client_calls").empty();
}

Routes after_router(const State& state)
{
    return has_calls(state) ? "executor" : "summarizer";
}

// With native tools the summarizer's own call may ask for more, so a good round needs no further decision. A round in
// which everything failed goes back to the router, as does every round of a model that decides by JSON.
Routes after_executor(const State& state)
{
    const bool decided = state.at("native") == Json(true) && state.at("progressed") == Json(true);
    return rounds_left(state) && !decided ? "router" : "summarizer";
}

Routes after_summarizer(const State& state)
{
    return has_calls(state) ? Routes("router") : Routes(graph::end);
}

Routes after_model(const State& state)
{
    return has_calls(state) ? Routes("tools") : Routes(graph::end);
}

Routes after_tools(const State& state)
{
    return state.at("client_calls").empty() ? Routes("model") : Routes(graph::end);
}

// The model node of "chat" and "simple": the call with tools, or, for a demanded form, the call without.
Task<Result<graph::Update>> converse(graph::NodeContext& context, AgentRun& run)
{
    auto update = co_await think(context, run);
    if (!update || !update->values.is_null())
        co_return update;
    co_return co_await summarize(context, run);
}

Routes after_planner(const State& state)
{
    return state.at("plan").empty() ? "answer" : "step";
}

// The planner's steps have used the server's tools; the answer has only the client's.
Task<Result<graph::Update>> answer_plan(graph::NodeContext& context, AgentRun& run)
{
    run.server_tools.clear();
    co_return co_await converse(context, run);
}

graph::CompiledGraph compile(const graph::StateGraph& graph)
{
    auto compiled = graph.compile();
    if (!compiled)
        throw InvariantBroken(compiled.error().message());
    return *compiled;
}

}  // namespace

graph::CompiledGraph make_agent_graph()
{
    graph::StateGraph agent;
    add_channels(agent);
    agent.add_node("tool_selector", step(select_tools))
        .add_node("router", step(route))
        .add_node("executor", step(execute_tools))
        .add_node("summarizer", step(summarize))
        .add_edge(graph::start, "tool_selector")
        .add_edge("tool_selector", "router")
        .add_conditional_edges("router", after_router, graph::targets({"executor", "summarizer"}))
        .add_conditional_edges("executor", after_executor, graph::targets({"router", "summarizer"}))
        .add_conditional_edges("summarizer", after_summarizer, graph::targets({"router", graph::end}));
    return compile(agent);
}

graph::CompiledGraph make_chat_graph()
{
    graph::StateGraph chat;
    add_channels(chat);
    chat.add_node("tool_selector", step(select_tools))
        .add_node("model", step(converse))
        .add_node("tools", step(execute_tools))
        .add_edge(graph::start, "tool_selector")
        .add_edge("tool_selector", "model")
        .add_conditional_edges("model", after_model, graph::targets({"tools", graph::end}))
        .add_conditional_edges("tools", after_tools, graph::targets({"model", graph::end}));
    return compile(chat);
}

graph::CompiledGraph make_simple_graph()
{
    graph::StateGraph simple;
    add_channels(simple);
    simple.add_node("model", step(converse)).add_edge(graph::start, "model").add_edge("model", graph::end);
    return compile(simple);
}

graph::CompiledGraph make_planner_graph()
{
    graph::StateGraph planner;
    add_channels(planner);
    planner.add_channel("plan", graph::reducers::last(), Json::array())
        .add_channel("done", graph::reducers::append())
        .add_node("tool_selector", step(select_tools))
        .add_node("planner", step(plan_steps))
        .add_node("step", step(take_step))
        .add_node("answer", step(answer_plan))
        .add_edge(graph::start, "tool_selector")
        .add_edge("tool_selector", "planner")
        .add_conditional_edges("planner", after_planner, graph::targets({"step", "answer"}))
        .add_edge("step", "planner")
        .add_edge("answer", graph::end);
    return compile(planner);
}

}  // namespace dure::agents

// See body.hpp.
#include "executions/body.hpp"

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "dure/base/timeout.hpp"
#include "dure/graph/run.hpp"
#include "dure/runs/graph_body.hpp"
#include "executions/budget.hpp"
#include "executions/execution_rows.hpp"
#include "executions/open_steps.hpp"
#include "executions/pins.hpp"
#include "executions/recorder.hpp"
#include "executions/service_state.hpp"
#include "executions/session_state.hpp"
#include "executions/telling.hpp"

namespace dure::executions {

namespace {

// What a run of the graph refers to while it goes.
struct RunState {
    RunState(Execution of, UsedByTask left_open, std::shared_ptr<const flows::CompiledFlow> compiled,
             flows::NodeServices& services, flows::Evaluations& evaluations, const Clock& clock,
             std::function<void()> stop)
        : execution(std::move(of)), flow(std::move(compiled)),
          budget(execution.limits, {execution.tokens, execution.cost_nano}), used_before(std::move(left_open)),
          metered(services, budget, stop), telling(*flow, clock, run.open)
    {
        run.hold = [this, stop = std::move(stop)](std::size_t bytes) mutable {
            auto held = budget.hold(bytes);
            if (!held && stop)
                std::exchange(stop, nullptr)();
            return held;
        };
        run.open.on_begin([this](const std::string& task, const auto& open) {
            if (const auto before = used_before.find(task); before != used_before.end())
                budget.begins_again(task, before->second, open);
        });
        run.facts = facts_of(execution);
        run.services = &metered;
        run.clock = &clock;
        run.evaluations = &evaluations;
    }

    const Execution execution;
    const std::shared_ptr<const flows::CompiledFlow> flow;
    Budget budget;
    const UsedByTask used_before;   // of tasks that were left open
    MeteredServices metered;
    flows::FlowRun run;
    Telling telling;
};

runs::Ending failed(const Error& error)
{
    runs::Ending ending;
    ending.status = runs::Status::error;
    ending.error = runs::error_json(error, {});
    return ending;
}

constexpr std::int64_t crash_limit = 3;  // graph-semantics D9

// Deaths of a process that worked on it, at the step it stands at. That it was only claimed does not count.
std::int64_t crashes_of(const Execution& execution)
{
    if (!execution.active_since)
        return 0;
    return execution.crashed_at == execution.steps ? execution.crashes + 1 : 1;
}

// `nodes`: of the graph.
runs::Ending recovery_limit(std::int64_t crashes, const std::vector<std::string>& nodes)
{
    std::vector<std::string> drawn;
    for (const auto& node : nodes)
        if (node != flows::closing_node)
            drawn.push_back(flows::drawn_id(node));
    runs::Ending ending;
    ending.status = runs::Status::error;
    ending.error = runs::recovery_limit_error(crashes, "execution stood at the same step", drawn);
    if (!drawn.empty())
        (*ending.error)["node_id"] = drawn.front();
    return ending;
}

// Back into the queue.
runs::Ending parked()
{
    runs::Ending ending;
    ending.status = runs::Status::pending;
    return ending;
}

// Nothing could be read now.
Task<runs::Ending> try_again_later()
{
    co_await sleep_for(std::chrono::milliseconds(500));
    co_return parked();
}

bool is_outage(const Error& error)
{
    return error.code() == Errc::unavailable || error.code() == Errc::timeout || error.code() == Errc::storage_full;
}

std::int64_t used_up_ms(const Execution& execution)
{
    const auto begun = execution.active_since.value_or(execution.updated_at);
    return execution.active_ms + (execution.active_since ? std::max<std::int64_t>(0, execution.updated_at - begun) : 0);
}

graph::RunOptions options_for(RunState& state, const Clock& clock)
{
    const auto& limits = state.execution.limits;
    graph::RunOptions options;
    options.recursion_limit =
        limits.max_steps > 0 ? std::min(limits.max_steps, state.flow->max_steps) : state.flow->max_steps;
    options.max_concurrency = static_cast<std::size_t>(std::max<std::int64_t>(0, limits.max_parallel));
    if (limits.timeout_ms > 0) {
        const auto left = std::max<std::int64_t>(0, limits.timeout_ms - used_up_ms(state.execution));
        options.deadline = Deadline::after(std::chrono::milliseconds(left));
    }
    // Of the execution, however often it goes on; a retry is given as much again, and a fork, whose first state is another's.
    options.limit_span = state.execution.id + "/" + std::to_string(state.execution.retries);
    options.context = &state.run;
    options.clock = &clock;
    return options;
}

// What the node itself said, in place of what the engine says around it.
void tell_cause(Json& error, const Json& innermost)
{
    const auto failures = error.find("failures");
    if (error.value("code", "") != wrapped_error || failures == error.end() || failures->empty())
        return;
    auto& first = failures->front();
    if (first.value("code", "") == wrapped_error && innermost.is_object())
        first.update(innermost);
    const auto node_id = first.at("node_id").get<std::string>();
    error["code"] = first.at("code");
    error["message"] = "Node '" + node_id + "' failed: " + first.at("message").get<std::string>();
    error["node_id"] = node_id;
}

// The flow's own names in what the engine says of nodes.
void name_nodes(Json& error, const RunState& state)
{
    if (!state.telling.failed_node().empty())
        error["node_id"] = state.telling.failed_node();
    else if (const auto node = error.find("node"); node != error.end() && !error.contains("failures"))
        error["node_id"] = flows::drawn_id(node->get<std::string>());
    error.erase("node");
    if (const auto failures = error.find("failures"); failures != error.end())
        for (auto& failure : *failures) {
            const auto node = failure.at("node").get<std::string>();
            const auto node_id = state.flow->flow_node("", node);
            const auto& inner = state.telling.failed_node();
            failure["node_id"] = !node_id.empty() ? node_id : !inner.empty() ? inner : flows::drawn_id(node);
            failure["message"] = flows::in_drawn_words(failure.at("message").get<std::string>());
            failure.erase("node");
        }
    if (const auto message = error.find("message"); message != error.end())
        *message = flows::in_drawn_words(message->get<std::string>());
    tell_cause(error, state.telling.cause());
}

class Body {
public:
    Body(BodyParts parts, runs::RunWriter& writer, runs::RunControl& control)
        : parts_(parts), all_(parts.executions.parts()), writer_(writer), control_(control)
    {}

    Task<runs::Ending> run()
    {
        auto execution = co_await all_.database.read_statement(
            [this](sql::Connection& c) { return ExecutionRows(c).find(writer_.run().id, ""); });
        if (!execution)
            co_return is_outage(execution.error()) ? co_await try_again_later() : failed(execution.error());
        control_.waits();
        const auto place = co_await wait_for_turn(*execution);
        if (!place)
            co_return parked();
        control_.works();
        if (crashes_of(*execution) >= crash_limit)
            co_return co_await give_up(*execution);
        if (auto told = co_await tell_begin(); !told)
            co_return is_outage(told.error()) ? co_await try_again_later() : failed(told.error());
        auto flow = co_await compiled_flow(all_, parts_.cache, *execution);
        if (!flow)
            co_return is_outage(flow.error()) ? co_await try_again_later() : failed(flow.error());
        auto left_open = co_await used_by_open(*execution);
        if (!left_open)
            co_return is_outage(left_open.error()) ? co_await try_again_later() : failed(left_open.error());
        RunState state(std::move(*execution), std::move(*left_open), std::move(*flow), parts_.services,
                       parts_.evaluations, all_.clock, [this] { control_.drain(); });
        auto ending = co_await run_graph(state);
        if (!goes_on(state, ending))
            for (auto& told : state.telling.cancelled())
                writer_.tell_with_next_save("", told.mode, std::move(told.data));
        co_return co_await end(state, std::move(ending));
    }

private:
    // Nothing: the process stops before it is its turn.
    Task<std::optional<OwnerPlaces::Place>> wait_for_turn(const Execution& execution)
    {
        OwnerPlaces::Turn turn(parts_.places, co_await boost::asio::this_coro::executor);
        struct Listening {
            runs::RunControl& control;
            ~Listening() { control.on_drain(nullptr); }
        };
        const Listening listening{control_};
        control_.on_drain([&turn] { turn.stop(); });
        co_return co_await turn.wait(execution.owner_id, execution.limits.owner_runs);
    }

    Task<runs::Ending> give_up(const Execution& execution)
    {
        const auto nodes = co_await all_.database.read(
            [&](sql::Connection& c) { return runs::Runs::unfinished_nodes_in(c, execution.id); });
        if (!nodes)
            co_return is_outage(nodes.error()) ? co_await try_again_later() : failed(nodes.error());
        co_return recovery_limit(crashes_of(execution), *nodes);
    }

    Task<Result<UsedByTask>> used_by_open(const Execution& execution)
    {
        if (execution.steps == 0 || (execution.tokens == 0 && execution.cost_nano == 0))
            co_return UsedByTask();
        co_return co_await all_.database.read_statement(
            [&](sql::Connection& c) { return used_by_open_steps(c, execution.id); });
    }

    // In another process: the nodes that were cut off run again there.
    bool goes_on(const RunState& state, const runs::Ending& ending)
    {
        bool drains = false;
        control_.on_drain([&drains] { drains = true; });
        control_.on_drain(nullptr);
        return !state.budget.exceeded() &&
               (ending.status == runs::Status::pending || (drains && ending.status == runs::Status::cancelled));
    }

    // Of one that was begun before it is durable before a node runs: a node that takes the process with it at once would
    // otherwise never be counted (D9).
    Task<Result<void>> tell_begin()
    {
        auto told = co_await writer_.tell("", mode_status, Json{{"status", name_of(Status::running)}});
        if (told && writer_.run().attempts > 1)
            told = co_await writer_.flush();
        co_return told;
    }

    Task<runs::Ending> run_graph(RunState& state)
    {
        const auto body = runs::graph_body([&](const runs::Run&) -> Result<runs::PreparedRun> {
            runs::PreparedRun prepared{state.flow->graph, options_for(state, all_.clock), nullptr};
            prepared.translate = [&state](const graph::Event& event) { return state.telling.tell(event); };
            return prepared;
        });
        co_return co_await body(writer_, control_);
    }

    Task<runs::Ending> end(RunState& state, runs::Ending ending)
    {
        if (const auto& exceeded = state.budget.exceeded(); exceeded && ending.status != runs::Status::interrupted) {
            ending = failed(*exceeded);
        } else if (ending.status == runs::Status::success) {
            ending.output = all_.compiler.result(ending.output.value_or(Json()));
            tell_session_changes(*ending.output, state.execution, state.flow->state);
            if (auto recorded = co_await record_turn(state, *ending.output); !recorded)
                co_return is_outage(recorded.error()) ? co_await try_again_later() : failed(recorded.error());
        } else if (ending.status == runs::Status::interrupted) {
            auto waiting = Json::array();
            for (const auto& interrupt : ending.output.value_or(Json::object()).value("__interrupt__", Json::array()))
                waiting.push_back(state.telling.question(interrupt));
            ending.output = Json{{"waiting", std::move(waiting)}};
        }
        if (ending.error)
            name_nodes(*ending.error, state);
        co_return ending;
    }

    Task<Result<void>> record_turn(const RunState& state, const Json& output)
    {
        const auto& execution = state.execution;
        if (all_.sessions == nullptr || execution.session_id.empty())
            co_return Result<void>();
        const auto now =
            co_await all_.database.read_statement([&](sql::Connection& c) { return ExecutionRows(c).find(execution.id, ""); });
        if (!now)
            co_return now.error();
        const auto text = output.value("text", Json());
        co_return co_await all_.sessions->record(
            {execution.owner_id, execution.session_id, execution.id, "flow:" + execution.flow_slug, execution.message,
             text.is_string() ? text.get<std::string>() : dump(text), now->tokens, now->cost_nano, false,
             execution.facts.value("turn_key", std::string()), noted_actor(execution)});
    }

    BodyParts parts_;
    const ExecutionService::Parts& all_;
    runs::RunWriter& writer_;
    runs::RunControl& control_;
};

Task<runs::Ending> run_body(BodyParts parts, runs::RunWriter& writer, runs::RunControl& control)
{
    Body body(parts, writer, control);
    co_return co_await body.run();
}

}  // namespace

runs::RunBody execution_body(BodyParts parts)
{
    return [parts](runs::RunWriter& writer, runs::RunControl& control) { return run_body(parts, writer, control); };
}

Task<Result<std::shared_ptr<const flows::CompiledFlow>>> compiled_flow(const ExecutionService::Parts& parts,
                                                                       FlowCache& cache, Execution execution)
{
    const auto key = execution.flow_id + "@" + std::to_string(execution.flow_version) + dump(execution.pins);
    if (auto known = cache.find(key))
        co_return known;
    const auto flow = co_await parts.flows.pinned(execution.flow_id, execution.flow_version);
    if (!flow)
        co_return flow.error();
    const auto subflows = co_await load_pins(parts.flows, execution.pins);
    if (!subflows)
        co_return subflows.error();
    auto compiled = parts.compiler.compile(*flow->document, *subflows);
    if (!compiled)
        co_return compiled.error();
    auto shared = std::make_shared<const flows::CompiledFlow>(std::move(*compiled));
    cache.put(key, shared);
    co_return shared;
}

flows::RunFacts facts_of(const Execution& execution)
{
    flows::RunFacts facts;
    facts.execution_id = execution.id;
    facts.owner = execution.owner_id;
    facts.rights = execution.rights;
    facts.retries = execution.retries;
    facts.user_id = execution.user_label;
    facts.session_id = execution.session_id;
    facts.flow_id = execution.flow_id;
    facts.slug = execution.flow_slug;
    facts.flow_version = execution.flow_version;
    facts.message = execution.message;
    facts.inputs = execution.inputs;
    facts.history = execution.facts.value("history", Json::array());
    facts.turn = execution.facts.value("turn", std::int64_t{0});
    facts.session_state = execution.facts.value("session_state", Json::object());
    facts.started_at = execution.created_at;
    return facts;
}

Json run_options()
{
    return Json{{"modes", {"updates", "messages", "custom", "tasks"}}, {"subgraphs", true}, {"durability", "sync"}};
}

}  // namespace dure::executions

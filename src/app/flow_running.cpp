// See flow_running.hpp.
#include "app/flow_running.hpp"

namespace dure::app {

namespace {

class StoredFlows final : public executions::FlowSource {
public:
    explicit StoredFlows(flows::FlowService& flows) : flows_(flows) {}

    Task<Result<flows::RunnableFlow>> find(flows::Caller caller, std::string id_or_slug, std::string version) override
    {
        return flows_.runnable(std::move(caller), std::move(id_or_slug), std::move(version));
    }
    Task<Result<flows::RunnableFlow>> pinned(std::string id, std::int64_t version) override
    {
        return flows_.pinned(std::move(id), version);
    }

private:
    flows::FlowService& flows_;
};

// Of a session: its newest summary and what was said behind it; an execution is one turn.
class StoredSessions final : public executions::SessionMemory {
public:
    explicit StoredSessions(sessions::SessionService& sessions) : sessions_(sessions) {}

    Task<Result<Memory>> read(std::string owner, std::string session_id) override
    {
        const auto live = co_await sessions_.conversation(std::move(owner), std::move(session_id));
        if (!live)
            co_return live.error();
        Memory memory;
        memory.turn = live->session.conversation_turns;
        if (!live->summary.empty())
            memory.history.push_back(Json{{"role", "system"}, {"content", live->summary}});
        for (const auto& message : live->messages)
            memory.history.push_back(Json{{"role", message.role}, {"content", message.content}});
        co_return memory;
    }

    Task<Result<void>> record(Turn turn) override
    {
        sessions::TurnRecord record;
        record.session_id = std::move(turn.session_id);
        record.owner_id = turn.owner;
        record.turn_key = turn.execution_id;
        record.user_text = std::move(turn.user_text);
        record.assistant_text = std::move(turn.answer);
        record.model = std::move(turn.model);
        record.cut = turn.cut;
        record.totals.tokens_used = turn.tokens;
        record.totals.cost_nano = turn.cost_nano;
        record.metadata = Json{{"execution_id", turn.execution_id}};
        record.by.user_id = std::move(turn.owner);
        const auto recorded = co_await sessions_.record_turn(std::move(record));
        if (!recorded)
            co_return recorded.error();
        co_return Result<void>();
    }

private:
    sessions::SessionService& sessions_;
};

executions::Compiler flow_compiler()
{
    executions::Compiler compiler;
    compiler.compile = [](const flows::Document& document, const executions::SubflowDocuments& subflows) {
        return flows::compile_flow(document, [&](std::string_view flow, std::string_view version) -> const flows::Document* {
            const auto found = subflows.find(executions::subflow_key(flow, version));
            return found == subflows.end() ? nullptr : found->second.get();
        });
    };
    compiler.input = flows::flow_input;
    compiler.result = flows::flow_result;
    compiler.patched = flows::patched_values;
    compiler.check_answer = flows::check_answer;
    return compiler;
}

executions::WorkersOptions workers_options(const config::Settings& settings)
{
    executions::WorkersOptions options;
    options.workers = static_cast<std::size_t>(settings.executions.workers);
    options.lease = settings.executions.lease;
    options.only_process = settings.sqlite();
    return options;
}

}  // namespace

struct FlowRunning::State {
    explicit State(const Parts& parts)
        : flows(parts.flows), sessions(parts.sessions), runs(parts.database, parts.clock),
          service({parts.database, parts.journal, runs, flows, flow_compiler(), &sessions, parts.settings, parts.clock,
                   parts.logger}),
          workers(service, parts.nodes, parts.bus, parts.cores, workers_options(parts.settings))
    {}

    StoredFlows flows;
    StoredSessions sessions;
    runs::Runs runs;
    executions::ExecutionService service;
    executions::Workers workers;
};

FlowRunning::FlowRunning(Parts parts) : state_(std::make_unique<State>(parts)) {}
FlowRunning::~FlowRunning() = default;

executions::ExecutionService& FlowRunning::executions()
{
    return state_->service;
}

void FlowRunning::start()
{
    state_->workers.start();
}

void FlowRunning::stop(Deadline deadline)
{
    state_->workers.stop(deadline);
}

}  // namespace dure::app

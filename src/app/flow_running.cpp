// See flow_running.hpp.
#include "app/flow_running.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <future>

#include "app/webhook_post.hpp"
#include "dure/runs/webhooks.hpp"

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

// Of a session: its newest summary and what was said last; an execution is one turn. A flow says itself how much of it its models
// are told (memory), so a summary takes nothing away.
class StoredSessions final : public executions::SessionMemory {
public:
    explicit StoredSessions(sessions::SessionService& sessions) : sessions_(sessions) {}

    Task<Result<Memory>> read(std::string owner, std::string session_id) override
    {
        const auto live = co_await sessions_.newest_messages(std::move(owner), std::move(session_id));
        if (!live)
            co_return live.error();
        Memory memory;
        memory.turn = live->session.conversation_turns;
        memory.last_turn_key = live->session.last_turn_key;
        if (!live->summary.empty())
            memory.history.push_back(Json{{"role", "system"}, {"content", live->summary}});
        for (const auto& message : live->messages)
            memory.history.push_back(Json{{"role", message.role}, {"content", message.content}});
        co_return memory;
    }

    Task<Result<std::int64_t>> turn_of(std::string owner, std::string session_id, std::string execution_id) override
    {
        const auto live = co_await sessions_.newest_messages(std::move(owner), std::move(session_id));
        if (!live)
            co_return live.error();
        for (auto message = live->messages.rbegin(); message != live->messages.rend(); ++message)
            if (message->metadata.value("execution_id", "") == execution_id)
                co_return message->turn;
        co_return std::int64_t{0};
    }

    Task<Result<void>> record(Turn turn) override
    {
        sessions::TurnRecord record;
        record.session_id = std::move(turn.session_id);
        record.owner_id = std::move(turn.owner);
        record.turn_key = turn.turn_key.empty() ? turn.execution_id : std::move(turn.turn_key);
        record.user_text = std::move(turn.user_text);
        record.assistant_text = std::move(turn.answer);
        record.model = std::move(turn.model);
        record.cut = turn.cut;
        record.totals.tokens_used = turn.tokens;
        record.totals.cost_nano = turn.cost_nano;
        record.metadata = Json{{"execution_id", turn.execution_id}};
        record.by = std::move(turn.by);
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

constexpr auto webhooks_patience = std::chrono::seconds(1);   // what is not posted then, the next process posts

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
                   parts.logger, [&policy = parts.egress](const std::string& url) { return check_webhook(policy, url); }}),
          workers(service, parts.nodes, parts.bus, parts.cores, workers_options(parts.settings)), logger(parts.logger),
          core(parts.cores.at(0)),
          webhooks(runs, core.get_executor(), parts.logger, webhook_post(parts.client, parts.egress), {},
                   [this](runs::Webhook webhook, std::string cause) {
                       return service.webhook_given_up(std::move(webhook), std::move(cause));
                   })
    {}

    StoredFlows flows;
    StoredSessions sessions;
    runs::Runs runs;
    executions::ExecutionService service;
    executions::Workers workers;
    Logger& logger;
    boost::asio::io_context& core;
    runs::Webhooks webhooks;
    std::optional<std::promise<void>> posted;   // begun and not ended
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
    state_->posted.emplace();
    boost::asio::co_spawn(state_->core, state_->webhooks.work(),
                          [state = state_.get()](std::exception_ptr thrown) {
                              if (thrown)
                                  state->logger.error("webhooks are not posted any more");
                              state->posted->set_value();
                          });
}

void FlowRunning::stop(Deadline deadline)
{
    state_->workers.stop(deadline);
    if (!state_->posted)
        return;
    boost::asio::post(state_->core, [state = state_.get()] { state->webhooks.drain(Deadline::after(webhooks_patience)); });
    state_->posted->get_future().wait();
}

}  // namespace dure::app

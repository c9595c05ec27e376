// See workers.hpp.
#include "dure/executions/workers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <future>
#include <semaphore>

#include "dure/base/timeout.hpp"
#include "executions/body.hpp"
#include "executions/recorder.hpp"
#include "executions/service_state.hpp"

namespace dure::executions {

namespace asio = boost::asio;

namespace {

constexpr auto upkeep_interval = std::chrono::seconds(1);
// A run parks at its last step and goes on by itself (threat-model §9); with a deadline (graph-semantics D10).
constexpr auto longest_outage = std::chrono::minutes(10);

// One runs::Worker on its core.
struct CoreWorker {
    CoreWorker(runs::Runs& runs, asio::io_context& on, Logger& log, runs::RunBody body, runs::WorkerOptions options)
        : core(on), worker(runs, on.get_executor(), log, std::move(body), std::move(options))
    {}
    asio::io_context& core;
    runs::Worker worker;
    std::promise<void> ended;
    std::future<void> end = ended.get_future();
};

}  // namespace

struct Workers::State {
    State(ExecutionService& of, flows::NodeServices& nodes, events::Bus& bus, Cores& on, WorkersOptions given)
        : service(of), cores(on), options(given), recorder(bus, of.parts().clock),
          evaluations(std::max<std::size_t>(1, on.size() / 2)), woken(on.at(0).get_executor())
    {
        const auto& parts = service.parts();
        const auto count = options.workers == 0 ? cores.size() : options.workers;
        runs::WorkerOptions each;
        each.graphs = graph_prefix;
        each.lease = options.lease;
        each.crash_limit = std::numeric_limits<std::int64_t>::max();  // the body counts those that worked (D9)
        each.most_runs = std::max<std::size_t>(1, options.most_runs / count);
        each.claim_ahead = options.claim_ahead;
        each.writer.give_up_after = longest_outage;
        each.extra_writes = [this](sql::Connection& c, const runs::WriteOfRun& what) {
            return recorder.write(c, what);
        };
        each.write_moments.has_extra = Recorder::has_extra;
        each.write_moments.prepare = Recorder::prepare;
        each.write_moments.committed = [this](const runs::WriteOfRun& what) { recorder.committed(what); };
        const auto body = execution_body({service, nodes, service.state_->cache, places, evaluations});
        for (std::size_t i = 0; i < count; ++i)
            workers.push_back(
                std::make_unique<CoreWorker>(parts.runs, cores.at(i % cores.size()), parts.logger, body, each));
    }

    Task<void> keep_up()
    {
        while (!stopping.load()) {
            co_await service.look_after();
            if (!stopping.load())
                co_await woken.wait(Steady::now() + upkeep_interval);
        }
    }

    // Leases first, so that no worker takes for dead what another one of this process holds.
    Task<void> begin()
    {
        if (options.only_process)
            if (auto ended = co_await service.parts().runs.end_leases(std::string(graph_prefix)); !ended)
                service.parts().logger.warn("leases of the last process could not be ended",
                                            {{"cause", ended.error().detail()}});
        for (auto& worker : workers)
            asio::co_spawn(worker->core, worker->worker.work(),
                           [one = worker.get()](std::exception_ptr) { one->ended.set_value(); });
    }

    ExecutionService& service;
    Cores& cores;
    const WorkersOptions options;
    Recorder recorder;
    OwnerPlaces places;
    flows::Evaluations evaluations;  // half as many threads as cores: the cores have work too
    std::vector<std::unique_ptr<CoreWorker>> workers;
    std::atomic<bool> started{false};
    std::atomic<bool> stopping{false};
    Signal woken;   // of core 0
    asio::cancellation_signal upkeep;   // of core 0
    std::promise<void> begun, kept_up;
};

Workers::Workers(ExecutionService& service, flows::NodeServices& nodes, events::Bus& bus, Cores& cores,
                 WorkersOptions options)
    : state_(std::make_unique<State>(service, nodes, bus, cores, options))
{}

Workers::~Workers() = default;

void Workers::start()
{
    auto& state = *state_;
    state.started = true;
    asio::co_spawn(state.cores.at(0), state.begin(), [&state](std::exception_ptr) { state.begun.set_value(); });
    asio::co_spawn(
        state.cores.at(0), state.keep_up(),
        asio::bind_cancellation_slot(state.upkeep.slot(), [&state](std::exception_ptr) { state.kept_up.set_value(); }));
}

void Workers::stop(Deadline deadline)
{
    auto& state = *state_;
    if (!state.started)
        return;
    state.stopping = true;
    state.begun.get_future().wait();
    asio::post(state.cores.at(0), [&state] { state.woken.notify(); });
    for (auto& worker : state.workers)
        asio::post(worker->core, [one = worker.get(), deadline] { one->worker.drain(deadline); });
    for (auto& worker : state.workers)
        worker->end.wait();
    const auto kept_up = state.kept_up.get_future();
    if (kept_up.wait_until(deadline.at()) == std::future_status::ready)
        return;
    asio::post(state.cores.at(0), [&state] { state.upkeep.emit(asio::cancellation_type::terminal); });
    kept_up.wait();   // for the call to the database it is at
}

}  // namespace dure::executions

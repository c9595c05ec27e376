// dead run of the thread, if there is one → own run → events from the log of the run → outcome. See graph_thread.hpp.
#include "app/graph_thread.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <iostream>

#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "dure/runs/graph_body.hpp"
#include "dure/runs/worker.hpp"

namespace dure::app {

namespace {

constexpr std::chrono::milliseconds command_lease{3'000};   // a second start waits this long for a dead process
constexpr std::chrono::milliseconds command_look{100};
const std::string command_owner = "command";

class ThreadCommand {
public:
    ThreadCommand(runs::Runs& runs, const ThreadRun& wanted) : runs_(runs), wanted_(wanted) {}

    // Only this command's worker takes the thread's runs: the name holds the thread.
    static std::string name_of_runs(const std::string& thread)
    {
        return "command:" + hex(sha256(thread)).substr(0, 32);
    }

    // Whether all went well.
    Task<bool> play()
    {
        const auto dead = co_await open_run();
        if (!dead)
            co_return refused(dead.error());
        if (*dead) {
            const auto taken = co_await takes_over(**dead);
            if (!taken)
                co_return refused(taken.error());
            if (*taken) {
                const bool went_well = co_await follow((*dead)->id);
                if (wanted_.input.is_null() && !wanted_.options.contains("checkpoint"))
                    co_return went_well;
            }
        }
        auto started = co_await runs_.start(fresh(), runs::Multitask::reject);
        if (!started)
            co_return refused(started.error());
        co_return co_await follow(started->id);
    }

private:
    runs::Run fresh() const
    {
        runs::Run run;
        run.thread = wanted_.thread;
        run.owner = command_owner;
        run.graph = name_of_runs(wanted_.thread);
        run.input = wanted_.input;
        run.options = wanted_.options;
        return run;
    }

    static bool refused(const Error& error)
    {
        print_line(Json{{"status", "error"}, {"error", runs::error_json(error, {})}});
        return false;
    }

    Task<Result<std::optional<runs::Run>>> open_run()
    {
        const auto known = co_await runs_.of_thread(wanted_.thread, command_owner, 100);
        if (!known)
            co_return known.error();
        for (const auto& run : *known)
            if (runs::is_open(run.status))
                co_return run;
        co_return std::optional<runs::Run>();
    }

    // Until the worker of this process has it: true. False: it ended meanwhile. THREAD_BUSY: its owner lives.
    Task<Result<bool>> takes_over(const runs::Run& open)
    {
        const auto longest = Deadline::after(2 * command_lease + std::chrono::seconds(10));
        while (!longest.passed()) {
            const auto now = co_await runs_.find(open.id, command_owner);
            if (!now)
                co_return now.error();
            if (now->epoch != open.epoch)
                co_return true;
            if (!runs::is_open(now->status))
                co_return false;
            if (now->lease_until > open.lease_until)
                break;
            co_await sleep_for(command_look);
        }
        co_return Error(Errc::conflict, "Another process is moving the thread on.").reason("THREAD_BUSY");
    }

    Task<bool> follow(std::string id)
    {
        runs::EventFilter everything;
        everything.subgraphs = true;
        const auto reader = co_await runs_.read(id, command_owner, 0, everything);
        if (!reader)
            co_return refused(reader.error());
        bool heard = true;
        while (!(*reader)->ended()) {
            const auto events = co_await (*reader)->next(Steady::now() + std::chrono::seconds(10));
            if (!events)
                co_return refused(events.error());
            for (const auto& event : *events)
                print_line(Json{{"seq", event->seq}, {"ns", event->ns}, {"mode", event->mode}, {"data", event->data}});
            if (heard && !std::cout) {   // nobody reads any more
                heard = false;
                if (const auto stopped = co_await runs_.stop(id, command_owner, runs::Stop::cancel); !stopped)
                    co_return false;
            }
        }
        co_return co_await tell_outcome(id);
    }

    Task<bool> tell_outcome(std::string id)
    {
        const auto ended = co_await runs_.find(id, command_owner);
        if (!ended)
            co_return refused(ended.error());
        runs::SqlCheckpointer checkpointer(runs_.database());
        const auto state = co_await wanted_.graph.get_state(checkpointer, wanted_.thread);
        Json line{{"status", runs::name_of(ended->status)}, {"output", ended->output.value_or(Json::object())}};
        line["next"] = state && *state ? Json((*state)->next) : Json::array();
        line["checkpoint"] = state && *state ? (*state)->checkpoint : "";
        line["interrupts"] = Json::array();
        if (auto& output = line["output"]; output.is_object() && output.contains("__interrupt__")) {
            line["interrupts"] = output["__interrupt__"];
            output.erase("__interrupt__");
        }
        if (ended->error)
            line["error"] = *ended->error;
        print_line(line);
        co_return ended->status == runs::Status::success || ended->status == runs::Status::interrupted;
    }

    runs::Runs& runs_;
    const ThreadRun& wanted_;
};

}  // namespace

void print_line(const Json& line)
{
    std::cout << dump(line) << std::endl;
}

bool run_on_thread(sql::Database& database, const ThreadRun& wanted)
{
    const SystemClock clock;
    Logger log(Logger::Options{LogLevel::warn, false, ""});
    runs::Runs runs(database, clock);
    runs::WorkerOptions options;
    options.most_runs = 1;
    options.lease = command_lease;
    options.look_interval = command_look;
    options.graphs = ThreadCommand::name_of_runs(wanted.thread);
    boost::asio::io_context loop(1);
    runs::Worker worker(runs, loop.get_executor(), log,
                        runs::graph_body([&wanted](const runs::Run&) -> Result<runs::PreparedRun> {
                            return runs::PreparedRun{wanted.graph, graph::RunOptions(), nullptr};
                        }),
                        options);
    ThreadCommand command(runs, wanted);
    bool went_well = false;
    std::exception_ptr broken;
    boost::asio::co_spawn(loop, worker.work(), [&](std::exception_ptr thrown) { broken = broken ? broken : thrown; });
    boost::asio::co_spawn(loop, command.play(), [&](std::exception_ptr thrown, bool well) {
        broken = broken ? broken : thrown;
        went_well = well;
        worker.drain(Deadline::after(std::chrono::seconds(5)));
    });
    loop.run();
    if (broken)
        std::rethrow_exception(broken);
    return went_well;
}

}  // namespace dure::app

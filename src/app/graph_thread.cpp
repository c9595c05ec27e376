// dead run of the thread, if there is one → own run → events from the log of the run → outcome. See graph_thread.hpp.
#include "app/graph_thread.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>

#include <iostream>

#include "app/command_signals.hpp"
#include "app/webhook_post.hpp"
#include "dure/base/cores.hpp"
#include "dure/base/task_group.hpp"
#include "dure/base/text.hpp"
#include "dure/base/timeout.hpp"
#include "dure/runs/graph_body.hpp"
#include "dure/runs/worker.hpp"

namespace dure::app {

namespace {

constexpr std::chrono::milliseconds command_lease{3'000};   // a second start waits this long for a dead process
constexpr std::chrono::milliseconds command_look{100};
constexpr std::chrono::seconds stop_patience{15};  // siblings that do not hear their cancellation are awaited for 10 s
constexpr std::chrono::seconds stopped_webhook_patience{2};
const std::string command_owner = "command";

class ThreadCommand {
public:
    ThreadCommand(runs::Runs& runs, const ThreadRun& wanted, boost::asio::any_io_executor executor)
        : runs_(runs), wanted_(wanted), changed_(std::move(executor))
    {}

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
        if (stopped_)
            co_return false;
        auto started = co_await runs_.start(fresh(), runs::Multitask::reject);
        if (!started)
            co_return refused(started.error());
        co_return co_await follow(started->id);
    }

    // The run at work is cancelled and keeps what it has finished (F7), whoever comes next goes on there; nothing more is begun.
    void stop()
    {
        if (!stopped_)
            stopped_ = Deadline::after(stop_patience);
        changed_.notify();
    }
    bool stopped() const { return stopped_.has_value(); }

    // Tells the run when stop() was called, whichever of the two comes first. Until it is cancelled.
    Task<void> obey_stop()
    {
        for (std::string told;;) {
            while (!stopped_ || at_work_.empty() || at_work_ == told)
                co_await changed_.wait();
            told = at_work_;
            const auto heard = co_await runs_.stop(told, command_owner, runs::Stop::cancel);
            if (!heard)  // then it is given back at the end of the patience
                std::cerr << "dure: the run cannot be told to stop: " << heard.error().message() << std::endl;
        }
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

    // Until the worker of this process has it: true. False: it ended meanwhile, or the command is stopped. THREAD_BUSY: its
    // owner lives.
    Task<Result<bool>> takes_over(const runs::Run& open)
    {
        const auto longest = Deadline::after(2 * command_lease + std::chrono::seconds(10));
        while (!longest.passed() && !stopped_) {
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
        if (stopped_)
            co_return false;
        co_return Error(Errc::conflict, "Another process is moving the thread on.").reason("THREAD_BUSY");
    }

    Task<bool> follow(std::string id)
    {
        runs::EventFilter everything;
        everything.subgraphs = true;
        const auto reader = co_await runs_.read(id, command_owner, 0, everything);
        if (!reader)
            co_return refused(reader.error());
        at_work_ = id;
        changed_.notify();
        while (!(*reader)->ended()) {
            if (stopped_ && stopped_->passed())
                co_return refused(
                    Error(Errc::timeout, "The run did not end when it was stopped; the next start goes on with it."));
            const auto events = co_await (*reader)->next(Steady::now() + std::chrono::seconds(1));
            if (!events)
                co_return refused(events.error());
            for (const auto& event : *events)
                print_line(Json{{"seq", event->seq}, {"ns", event->ns}, {"mode", event->mode}, {"data", event->data}});
            if (!std::cout)  // nobody reads any more
                stop();
        }
        at_work_.clear();
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
    std::string at_work_;  // the run that is followed
    std::optional<Deadline> stopped_;  // until then it may end by itself
    Signal changed_;
};

}  // namespace

void print_line(const Json& line)
{
    std::cout << dump(line) << std::endl;
}

void print_warning(const std::string& warning)
{
    std::cerr << "dure: warning: " << warning << std::endl;
}

namespace {

// What works on a thread for this command: the worker that executes its runs, the sender of their webhooks, and the command.
// One core; all of it ends before the core does.
class ThreadHouse {
public:
    ThreadHouse(std::unique_ptr<sql::Database> database, const http::EgressPolicy& egress, const ThreadRun& wanted)
        : database_(std::move(database)), runs_(*database_, clock_), client_(cores_, http::ClientOptions()),
          worker_(runs_, cores_.at(0).get_executor(), log_,
                  runs::graph_body([&wanted](const runs::Run&) -> Result<runs::PreparedRun> {
                      runs::PreparedRun prepared{wanted.graph, graph::RunOptions(), nullptr};
                      prepared.warn = print_warning;
                      return prepared;
                  }),
                  worker_options(wanted.thread)),
          webhooks_(runs_, cores_.at(0).get_executor(), log_, webhook_post(client_, egress),
                    webhook_options(wanted.thread)),
          command_(runs_, wanted, cores_.at(0).get_executor()),
          signals_(cores_.at(0).get_executor(), [this] { command_.stop(); })
    {}

    ThreadEnd play()
    {
        const bool went_well = play_on_core();
        return {went_well, signals_.received()};
    }

private:
    bool play_on_core()
    {
        auto all = boost::asio::co_spawn(cores_.at(0), everything(), boost::asio::use_future);
        cores_.start();
        struct Stopping {
            Cores& cores;
            ~Stopping()
            {
                cores.stop();
                cores.join();
            }
        };
        const Stopping stopping{cores_};
        return all.get();
    }

    static runs::WorkerOptions worker_options(const std::string& thread)
    {
        runs::WorkerOptions options;
        options.most_runs = 1;
        options.lease = command_lease;
        options.look_interval = command_look;
        options.graphs = ThreadCommand::name_of_runs(thread);
        return options;
    }
    static runs::WebhookOptions webhook_options(const std::string& thread)
    {
        runs::WebhookOptions options;
        options.try_limit = std::chrono::seconds(5);   // somebody waits for the command
        options.lease = std::chrono::seconds(8);
        options.look_interval = command_look;
        options.graphs = ThreadCommand::name_of_runs(thread);
        return options;
    }

    Task<bool> everything()
    {
        TaskGroup helpers(co_await boost::asio::this_coro::executor);
        helpers.spawn(worker_.work());
        helpers.spawn(webhooks_.work());
        TaskGroup listening(co_await boost::asio::this_coro::executor);
        listening.spawn(command_.obey_stop());
        std::exception_ptr broken;
        bool went_well = false;
        try {
            went_well = co_await command_.play();
            co_await wait_for_webhooks();
        } catch (...) {
            broken = std::current_exception();
        }
        listening.cancel();
        co_await listening.wait();
        worker_.drain(Deadline::after(std::chrono::seconds(5)));
        webhooks_.drain(Deadline::after(std::chrono::seconds(0)));
        co_await helpers.wait();
        if (broken)
            std::rethrow_exception(broken);
        co_return went_well;
    }

    Task<void> wait_for_webhooks()
    {
        const auto begun = Steady::now();
        const auto patience = [this] { return command_.stopped() ? stopped_webhook_patience : webhook_patience; };
        for (; Steady::now() < begun + patience(); co_await sleep_for(command_look))
            if (const auto some = co_await webhooks_.waits(); some && !*some)
                co_return;
        std::cerr << "dure: the webhook was not taken yet; the next run of the thread tries again" << std::endl;
    }

    const SystemClock clock_;
    Logger log_{Logger::Options{LogLevel::warn, false, ""}};
    Cores cores_{1};
    std::unique_ptr<sql::Database> database_;   // its threads tell the core: they end while it is there
    runs::Runs runs_;
    http::Client client_;
    runs::Worker worker_;
    runs::Webhooks webhooks_;
    ThreadCommand command_;
    CommandSignals signals_;
};

}  // namespace

ThreadEnd run_on_thread(std::unique_ptr<sql::Database> database, const http::EgressPolicy& egress,
                        const ThreadRun& wanted)
{
    ThreadHouse house(std::move(database), egress, wanted);
    return house.play();
}

}  // namespace dure::app

// ExecutionService: starts executions of flows and looks after them. What is acknowledged is durable: the execution's row, the
// row of its run (the queue) and its event are one write. Workers of any replica take it from there (workers.hpp). Every
// call names the owner; somebody else's execution is not_found. Thread-safe; awaited on a core.
#pragma once

#include "dure/base/log.hpp"
#include "dure/config/settings.hpp"
#include "dure/events/journal.hpp"
#include "dure/executions/execution.hpp"
#include "dure/executions/flow_source.hpp"
#include "dure/runs/runs.hpp"
#include "dure/runs/webhooks.hpp"

namespace dure::executions {

struct StartRequest {
    std::string flow;  // id or slug
    std::string version;  // see FlowSource::find
    std::string message;
    Json inputs = Json::object();
    std::string user_label;
    std::string session_id;
    std::string idempotency_key;  // empty: none
    std::string request_hash;  // of the body the key came with
    std::int64_t owner_runs = 0;  // how many of the caller work at the same time, the others are queued; 0: no bound
    std::optional<Json> history = {};  // session.history, in place of what the session remembers
    std::string turn_key = {};  // see SessionMemory::Turn
    std::string webhook = {};  // where its ends are posted to (runs/webhooks.hpp); empty: nowhere
};

struct Answer {
    std::string node_id;  // may be empty when one question is open
    std::string action;  // empty: none
    Json answer;
};

struct ForkRequest {
    Json step;  // number of a step as the execution shows it, or the id of a node: its newest visit
    Json patch;  // {"nodes": {id: output}, "state": {name: value}}; null: none
    std::string webhook = {};  // of the new execution
};

// Of one moment.
struct Whole {
    Execution execution;
    std::vector<Step> steps;
};

struct Started {
    Execution execution;
    bool again = false;  // the same idempotency key: nothing new was started
};

// What comes next in a log, and whether it is the end.
struct LogPage {
    std::vector<runs::SharedRunEvent> events;
    std::optional<Execution> at_rest;  // nothing of the log is unread, and this is what became of the execution
};

class ExecutionService {
public:
    struct Parts {
        sql::Database& database;
        events::Journal& journal;
        runs::Runs& runs;
        FlowSource& flows;
        Compiler compiler;
        SessionMemory* sessions;  // null: executions without sessions
        const config::Settings& settings;
        const Clock& clock;
        Logger& logger;
        // Whether an address may be posted to, as far as it tells by itself; null: webhooks are refused.
        std::function<Result<void>(const std::string& url)> check_webhook = nullptr;
    };
    // All outlive it.
    explicit ExecutionService(Parts parts);
    ~ExecutionService();

    // not_found: no such flow. invalid_argument: inputs, with their places; webhook. conflict "idempotency_key_reused": the key came
    // with another body before. rate_limited "queue_full".
    Task<Result<Started>> start(Caller caller, StartRequest request);
    Task<Result<Execution>> find(std::string id, std::string owner);
    Task<Result<std::vector<Step>>> steps(std::string id, std::string owner);
    Task<Result<Whole>> whole(std::string id, std::string owner);
    Task<Result<Page>> list(std::string owner, Filter filter);
    // Until it has ended or waits for a person; timeout: it has not by then.
    Task<Result<Execution>> wait(std::string id, std::string owner, Deadline deadline);
    Task<Result<Whole>> wait_whole(std::string id, std::string owner, Deadline deadline);

    // A queued or waiting one ends at once, a running one soon. conflict: it has ended otherwise.
    Task<Result<Execution>> cancel(std::string id, Caller caller);
    // conflict "not_waiting"; invalid_argument: which question is meant, or an action that is not offered.
    Task<Result<Execution>> resume(std::string id, Caller caller, Answer answer);
    // A failed or cancelled one goes on from its failed nodes. conflict: it is in another state.
    Task<Result<Execution>> retry(std::string id, Caller caller);
    // A new execution that has everything that was done before the step, patched; the step and what follows run again.
    Task<Result<Execution>> fork(std::string id, Caller caller, ForkRequest request);

    // The numbered log behind `after` (runs/stream.hpp). Modes: status, updates, messages, custom, tasks.
    Task<Result<std::unique_ptr<runs::RunReader>>> read(std::string id, std::string owner, std::int64_t after,
                                                        std::vector<std::string> modes);

    // The next page of a reader of this execution's log; empty when the time passed without any. Behind an end, by which the
    // execution may have been set going again, it reads on until log and execution agree.
    Task<Result<LogPage>> next_page(runs::RunReader& reader, std::string id, std::string owner, Steady::time_point until);

    // Until something about it changed, here; or the moment.
    Task<void> changed(std::string id, Steady::time_point until);
    // An end that nobody took becomes an event; for runs::Webhooks.
    Task<Result<void>> webhook_given_up(runs::Webhook webhook, std::string cause);

    // The server stops: readers of logs are to leave.
    void close();
    bool closed() const;

    // Once a second, in one replica or in all: answers questions whose time is over, ends what the queue gave up,
    // forgets what is older than the retention.
    Task<void> look_after();

    const Parts& parts() const;

private:
    friend class Workers;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::executions

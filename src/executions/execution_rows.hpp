// ExecutionRows: the rows of executions and their steps; SQL beside the method. The run's own row (module runs) is the queue
// and holds the lease; whoever changes both locks that one first, then this one, then appends events.
#pragma once

#include "dure/executions/execution.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::executions {

// How a run left its worker, or was ended without one.
struct Outcome {
    Status status = Status::succeeded;
    std::optional<Json> output, error, waiting;
    std::optional<UnixMillis> wake_at;
    std::int64_t session_turn = 0;  // of one that leaves state of scope session: 1, 2, 3 …, in the order of their ends
};

// Whose state of scope session it is.
struct SessionPlace {
    std::string flow_id, owner_id, session_id;
};

// State of scope session as a run left it.
struct LeftState {
    Json values = Json::object();  // by name
    std::int64_t flow_version = 0;
    std::int64_t turn = 0;  // Outcome::session_turn of that run
};

// JSON.
struct StepTexts {
    std::string input;
    std::string output;
    std::optional<std::string> error;
};

class ExecutionRows {
public:
    explicit ExecutionRows(sql::Connection& connection) : connection_(connection) {}

    Result<void> insert(const Execution& execution);
    // Owner "" sees everybody's. With the sums over its steps.
    Result<Execution> find(const std::string& id, const std::string& owner);
    // The same, and holds the row until the unit ends.
    Result<Execution> find_for_update(const std::string& id, const std::string& owner);
    Result<std::optional<Execution>> find_by_key(const std::string& owner, const std::string& flow,
                                                 const std::string& key);
    // What the owner's last run of this flow that succeeded in this session left of its state of scope session.
    Result<LeftState> session_state(const SessionPlace& place);
    // Nobody else leaves state there until the unit ends.
    Result<void> hold_session(const SessionPlace& place);
    // Whole as far as store::page_text_bytes of texts go, the others of the page abridged.
    Result<Page> list(const std::string& owner, const Filter& filter);
    // How many of an owner are queued; counts no further than `most`.
    Result<std::int64_t> queued(const std::string& owner, std::int64_t most);
    Result<std::vector<Step>> steps(const std::string& id);
    // The same, those behind store::page_text_bytes of texts abridged.
    Result<std::vector<Step>> steps_to_show(const std::string& id);

    // A worker has it. Time it worked under a dead worker counts up to the last
    // write, and that death as a crash. Gives when the first one had it.
    Result<UnixMillis> begin(const std::string& id, UnixMillis now);
    // It works. At most once a second: the row is a wide one, and only the time until a crash is counted by it.
    Result<void> touch(const std::string& id, UnixMillis now);
    // Stores or replaces the step; gives its visit. With texts those are stored in the place of the step's own values.
    Result<std::int64_t> put_step(const std::string& id, const Step& step);
    Result<std::int64_t> put_step(const std::string& id, const Step& step, const StepTexts& texts);
    // The same, and touch().
    Result<std::int64_t> put_step_and_touch(const std::string& id, const Step& step, const StepTexts& texts, UnixMillis now);
    // Steps that wait are cancelled with their execution; gives them.
    Result<std::vector<Step>> cancel_waiting_steps(const std::string& id);
    // Gives what it is then, as find().
    Result<Execution> leave(const std::string& id, const Outcome& outcome, UnixMillis now);
    // Goes on: waiting → queued.
    // `still_asked`: the questions that stay open while it works on.
    Result<void> queue_again(const std::string& id, UnixMillis now, const std::optional<Json>& still_asked = {});
    // Once more: failed or cancelled → queued; its time counts from nothing again.
    Result<void> queue_afresh(const std::string& id, const std::optional<flows::Rights>& rights, UnixMillis now);

    // Waiting ones with a question whose deadline has passed.
    Result<std::vector<Execution>> to_wake(UnixMillis now, std::int64_t limit);
    // Removes ended ones with their steps; gives their ids.
    Result<std::vector<std::string>> forget(UnixMillis ended_before, std::int64_t limit);

private:
    // touched_at: on PostgreSQL only, in the same statement.
    Result<std::int64_t> store_step(const std::string& id, const Step& step, const StepTexts& texts,
                                    std::optional<UnixMillis> touched_at);

    sql::Connection& connection_;
};

}  // namespace dure::executions

// ExecutionService: what changes the course of an execution that stands: answers, retries, forks. Each is one write: the run
// goes back into the queue, the row says so, the event tells it.
#include <algorithm>
#include <map>
#include <set>

#include "dure/graph/checkpointer.hpp"
#include "dure/runs/sql_checkpointer.hpp"
#include "executions/body.hpp"
#include "executions/execution_events.hpp"
#include "executions/execution_rows.hpp"
#include "executions/service_state.hpp"

namespace dure::executions {

namespace {

Error not_waiting()
{
    return Error(Errc::conflict, "The execution does not wait for this answer.").reason("not_waiting");
}

Error wrong_member(const std::string& member, const std::string& message)
{
    return Error(Errc::invalid_argument, message).param(member).problem({{"body", member}, message, "value_error"});
}

// Who sets an execution going again gives it nothing it did not have, and nothing beyond their own.
Result<std::optional<flows::Rights>> rights_again(const Execution& execution, const Caller& caller)
{
    if (auto opened = opened_by(caller, execution); !opened)
        return opened.error();
    auto rights = execution.rights;
    if (caller.models && (!rights || !rights->models))
        return Error(Errc::permission_denied,
                     "The execution began without this key's limit of models; the key cannot set it going again.")
            .reason("model_not_permitted");
    if (rights)
        rights->narrow(caller.permissions);
    else
        rights = flows::Rights{caller.permissions};
    if (!caller.by.key_id.empty())  // whose key sets it going pays; without one, whose key began it
        rights->key = {caller.by.key_id, caller.key_limits};
    return rights;
}

// With the questions to choose from.
Error several_open(const std::vector<const Json*>& asked)
{
    constexpr std::size_t most_named = 20;  // in one sentence
    std::string list;
    for (std::size_t i = 0; i < std::min(asked.size(), most_named); ++i)
        list += (i == 0 ? "" : ", ") + asked[i]->at("node_id").get<std::string>() + " (id " +
                asked[i]->at("id").get<std::string>() + ")";
    if (asked.size() > most_named)
        list += " and " + std::to_string(asked.size() - most_named) + " more";
    return wrong_member("node_id",
                        "Several questions are open, node_id must name one by its node or its id: " + list + ".");
}

// The question an answer is for.
// `name`: of the node that asks, or the question's own id, where items of an iteration ask at once.
Result<Json> question_for(const Execution& execution, const std::string& name)
{
    if (execution.status != Status::waiting || !execution.waiting)
        return not_waiting();
    std::vector<const Json*> asked;
    for (const auto& question : *execution.waiting)
        if (name.empty() || question.at("node_id") == name || question.at("id") == name)
            asked.push_back(&question);
    if (asked.empty())
        return not_waiting();
    if (asked.size() > 1)
        return several_open(asked);
    return *asked.front();
}

// An answer is at work, and this question stays open beside it: it can be answered as soon as the execution waits again.
bool asked_beside(const Execution& execution, const std::string& name)
{
    if ((execution.status != Status::queued && execution.status != Status::running) || !execution.waiting)
        return false;
    return std::any_of(execution.waiting->begin(), execution.waiting->end(), [&](const Json& question) {
        return name.empty() || question.at("node_id") == name || question.at("id") == name;
    });
}

// How long an answer waits for another one's work to be done.
constexpr std::chrono::seconds answer_patience{10};

// "approve" or true in the place of {"action": "approve"}; empty: the answer names none that is offered.
std::string action_alone(const Json& offered, const Json& answer)
{
    const auto named = answer.is_string()    ? answer.get<std::string>()
                       : answer.is_boolean() ? std::string(answer.get<bool>() ? "approve" : "reject")
                                             : std::string();
    const bool known = offered.is_array() && std::any_of(offered.begin(), offered.end(), [&](const Json& one) {
                           return (one.is_object() ? one.value("id", Json()) : one) == named;
                       });
    return known ? named : std::string();
}

// A question with actions is answered by {action, feedback, fields, by}; any other by the value itself.
Result<Json> whole_answer(const Json& question, const Answer& given, const std::string& by)
{
    const bool offers_actions = question.is_object() && question.contains("actions");
    if (!offers_actions)
        return given.answer.is_null() && !given.action.empty() ? Json{{"action", given.action}} : given.answer;
    auto answer = given.answer.is_object() ? given.answer : Json::object();
    if (const auto action = action_alone(question.at("actions"), given.answer); !action.empty())
        answer["action"] = action;
    if (!given.action.empty()) {
        if (answer.value("action", Json(given.action)) != given.action)
            return wrong_member("answer", "The answer names another action than action does.");
        answer["action"] = given.action;
    }
    if (given.answer.is_string() && (!given.action.empty() || !answer.contains("action")))
        answer["feedback"] = given.answer;
    answer["by"] = by;
    return answer;
}

Error step_forgotten()
{
    return Error(Errc::conflict, "The state before this step is not kept any more.").reason("step_forgotten");
}

// The checkpoint a step's superstep began with.
Task<Result<graph::StoredCheckpoint>> checkpoint_before(graph::Checkpointer& checkpointer, std::string thread,
                                                        std::int64_t step)
{
    graph::HistoryQuery query;
    query.metadata = Json{{"step", step - 1}};
    query.limit = 1;
    auto found = co_await checkpointer.history(thread, query);
    if (!found)
        co_return found.error();
    if (found->empty())
        co_return step_forgotten();
    co_return std::move(found->front());
}

// What a fork is asked to begin at: a superstep and the nodes that are meant by it.
struct Asked {
    std::int64_t step = 0;
    std::set<std::string> nodes;
};

Result<Asked> step_of(const Json& asked, const std::vector<Step>& steps)
{
    Asked found;
    for (const auto& step : steps) {
        const bool meant =
            asked.is_string() ? step.node_id == asked.get_ref<const std::string&>() : Json(step.step) == asked;
        if (!meant)
            continue;
        found.step = std::max(found.step, step.step);
        found.nodes.insert(step.node_id);
    }
    if (found.nodes.empty())
        return wrong_member("step", "The execution has no such step.");
    return found;
}

// Where those of the nodes began that are containers under way; nothing when another one is meant too, or none was under way.
std::optional<std::int64_t> first_step_of(const std::set<std::string>& nodes,
                                          const std::map<std::string, std::int64_t>& under_way)
{
    std::optional<std::int64_t> first;
    for (const auto& node : nodes) {
        const auto found = under_way.find(node);
        if (found == under_way.end())
            return std::nullopt;
        first = std::min(first.value_or(found->second), found->second);
    }
    return first;
}

// One checkpoint, the first of its thread, from which a run goes on as the original did from its own.
graph::Batch first_checkpoint(const graph::Checkpoint& original, const Json& values, const Execution& fork)
{
    graph::Checkpoint first;
    first.id = new_id();
    first.run = fork.id;
    first.step = original.step;
    first.source = graph::Source::fork;
    first.created_at = fork.created_at;
    first.graph_version = original.graph_version;
    first.frontier = original.frontier;
    for (const auto& [channel, value] : values.items()) {
        graph::ChannelWrite write;
        write.channel = channel;
        write.data = std::make_shared<Json>(value);
        first.versions[channel] = first.id;
        first.writes.push_back(std::move(write));
    }
    graph::Batch batch;
    batch.checkpoints.push_back(std::move(first));
    return batch;
}

// What the fork takes over: the steps before, in their order, ahead of its own. What was under way ends anew.
std::vector<Step> steps_before(std::vector<Step> steps, std::int64_t step,
                               const std::map<std::string, std::int64_t>& under_way)
{
    std::erase_if(steps, [&](const Step& one) { return one.step >= step || under_way.contains(one.node_id); });
    for (std::size_t i = 0; i < steps.size(); ++i)
        steps[i].number = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(steps.size());
    return steps;
}

// The fork goes on from what was patched, so the last visit of a patched node shows that.
void show_patch(std::vector<Step>& steps, const Json& patch)
{
    const auto nodes = patch.is_object() ? patch.find("nodes") : patch.end();
    if (nodes == patch.end())
        return;
    for (const auto& [id, output] : nodes->items()) {
        const auto last = std::find_if(steps.rbegin(), steps.rend(), [&](const Step& step) {
            return step.node_id == id && step.status == "succeeded";
        });
        if (last != steps.rend())
            last->output = output;
    }
}

// A beginning of its own: with the permissions of who makes it.
flows::Rights rights_of_fork(const std::optional<flows::Rights>& kept, const Caller& caller)
{
    return {caller.permissions,
            caller.models ? kept.value_or(flows::Rights()).models : std::nullopt,
            {caller.by.key_id, caller.key_limits}};
}

Execution fork_of(const Execution& original, std::int64_t step, const Caller& caller,
                  const std::optional<flows::Rights>& kept, UnixMillis now)
{
    auto fork = original;
    fork.id = new_id();
    fork.owner_id = caller.user_id;
    fork.rights = rights_of_fork(kept, caller);
    fork.retries = 0;
    fork.status = Status::queued;
    fork.output = fork.error = fork.waiting = std::nullopt;
    fork.idempotency_key = std::nullopt;
    fork.request_hash.clear();
    fork.forked_from = original.id;
    fork.forked_step = step;
    note_actor(fork, caller.by);
    if (original.status == Status::succeeded)  // others may have gone on from its state, also where no turn was noted
        fork.facts["session_turn"] = -1;
    fork.created_at = fork.updated_at = now;
    fork.started_at = fork.ended_at = fork.active_since = fork.wake_at = std::nullopt;
    fork.active_ms = fork.crashes = fork.crashed_at = 0;
    return fork;
}

}  // namespace

Result<void> opened_by(const Caller& caller, const Execution& execution)
{
    const auto wanted = "flow:" + execution.flow_slug;
    if (!caller.models || std::find(caller.models->begin(), caller.models->end(), wanted) != caller.models->end())
        return {};
    return Error(Errc::not_found, "No such execution.");
}

Task<Result<Execution>> ExecutionService::State::answer(std::string id, std::string owner, Json question, Json answer,
                                                        model::Actor by)
{
    const auto interrupt = question.at("id").get<std::string>();
    const Json input{{"resume", {{interrupt, answer}}}};
    auto resumed =
        co_await parts.journal.write_together([&](sql::Connection& c, events::Batch& batch) -> Result<Execution> {
            ExecutionRows rows(c);
            if (auto run = runs::Runs::resume_in(c, id, owner, input); !run)
                return run.error().code() == Errc::conflict ? not_waiting() : run.error();
            auto execution = rows.find_for_update(id, owner);
            if (!execution)
                return execution;
            const bool open = execution->status == Status::waiting && execution->waiting &&
                              std::any_of(execution->waiting->begin(), execution->waiting->end(),
                                          [&](const Json& one) { return one.at("id") == interrupt; });
            if (!open)
                return not_waiting();
            auto still_asked = Json::array();
            for (const auto& one : *execution->waiting)
                if (one.at("id") != interrupt)
                    still_asked.push_back(one);
            const auto beside = still_asked.empty() ? std::nullopt : std::optional(std::move(still_asked));
            if (auto queued = rows.queue_again(id, parts.clock.now(), beside); !queued)
                return queued.error();
            batch.add(execution_queued(*execution, "ExecutionResumed",
                                       Json{{"node_id", question.at("node_id")}, {"answer", answer}}, by));
            return rows.find(id, owner);
        });
    if (resumed)
        parts.runs.announce(id, false, owner);
    co_return resumed;
}

Task<Result<Execution>> ExecutionService::resume(std::string id, Caller caller, Answer answer)
{
    const auto patience = Deadline::after(answer_patience);
    for (;;) {
        auto execution = co_await find(id, caller.user_id);
        if (!execution)
            co_return execution.error();
        if (auto opened = opened_by(caller, *execution); !opened)
            co_return opened.error();
        if (asked_beside(*execution, answer.node_id)) {
            execution = co_await wait(id, caller.user_id, patience);
            if (!execution)
                co_return execution.error().code() == Errc::timeout ? not_waiting() : execution.error();
        }
        auto question = question_for(*execution, answer.node_id);
        if (!question)
            co_return question.error();
        const auto& value = question->at("value");
        auto whole = whole_answer(value, answer, caller.user_id);
        if (!whole)
            co_return whole.error();
        auto checked = state_->parts.compiler.check_answer(value, *whole);
        if (!checked)
            co_return checked.error();
        const auto asked = question->at("id").get<std::string>();
        auto resumed =
            co_await state_->answer(id, caller.user_id, std::move(*question), std::move(*checked), caller.by);
        if (resumed || resumed.error().reason() != "not_waiting" || patience.passed())
            co_return resumed;
        const auto now = co_await find(id, caller.user_id);  // another answer was quicker: is this one still asked for?
        if (!now || !asked_beside(*now, asked))
            co_return resumed;
        answer.node_id = asked;
    }
}

Task<Result<Execution>> ExecutionService::retry(std::string id, Caller caller)
{
    auto& parts = state_->parts;
    const auto owner = caller.user_id;
    auto retried = co_await parts.journal.write([&](sql::Connection& c, events::Batch& batch) -> Result<Execution> {
        const auto not_failed = [] {
            return Error(Errc::conflict, "Only an execution that failed or was cancelled can be retried.")
                .reason("not_failed");
        };
        ExecutionRows rows(c);
        const auto before = rows.find(id, owner);
        if (!before)
            return before.error();
        const auto rights = rights_again(*before, caller);
        if (!rights)
            return rights.error();
        if (before->status != Status::failed && before->status != Status::cancelled)
            return not_failed();
        const auto begun = runs::SqlCheckpointer::has_thread_in(c, id);
        if (!begun)
            return begun.error();
        // One that was ended before its first step has its input still to be given.
        const auto input = *begun ? Json() : Json{{"input", parts.compiler.input(facts_of(*before))}};
        if (auto run = runs::Runs::resume_in(c, id, owner, input); !run)
            return run.error().code() == Errc::conflict ? not_failed() : run.error();
        const auto execution = rows.find_for_update(id, owner);
        if (!execution)
            return execution;
        if (auto queued = rows.queue_afresh(id, *rights, parts.clock.now()); !queued)
            return queued.error();
        batch.add(execution_queued(*execution, "ExecutionRetried", Json(), caller.by));
        return rows.find(id, owner);
    });
    if (retried)
        parts.runs.announce(id, false, owner);
    co_return retried;
}

// The steps that a fork took over are not of its own thread: the execution they ran in has the state before them.
Task<Result<std::string>> ExecutionService::State::thread_with(Execution execution, std::int64_t step)
{
    while (execution.forked_from && execution.forked_step && step < *execution.forked_step) {
        auto earlier = co_await parts.database.read(
            [&](sql::Connection& c) { return ExecutionRows(c).find(*execution.forked_from, execution.owner_id); });
        if (!earlier)
            co_return earlier.error().code() == Errc::not_found ? step_forgotten() : earlier.error();
        execution = std::move(*earlier);
    }
    co_return execution.id;
}

Task<Result<ExecutionService::State::Beginning>>
ExecutionService::State::before_step(const Execution& original, std::int64_t step, const Json& patch)
{
    const auto flow = co_await compiled_flow(parts, cache, original);
    if (!flow)
        co_return flow.error();
    const auto thread = co_await thread_with(original, step);
    if (!thread)
        co_return thread.error();
    runs::SqlCheckpointer checkpointer(parts.database);
    const auto stored = co_await checkpoint_before(checkpointer, *thread, step);
    if (!stored)
        co_return stored.error();
    const auto state = co_await (*flow)->graph.get_state(checkpointer, *thread, stored->checkpoint.id);
    if (!state || !*state)
        co_return state ? Error(Errc::internal, "A checkpoint has vanished.") : state.error();
    auto values = std::move((*state)->values);
    if (original.status == Status::succeeded)  // what it changed of its session before the step is there already
        values.erase(std::string(flows::session_channel));
    if (patch.is_null())
        co_return Beginning{stored->checkpoint, std::move(values)};
    auto patched = parts.compiler.patched(**flow, values, (*state)->next, patch);
    if (!patched)
        co_return patched.error();
    co_return Beginning{stored->checkpoint, std::move(*patched)};
}

Task<Result<ExecutionService::State::Beginning>>
ExecutionService::State::beginning_at(const Execution& original, std::int64_t step, std::set<std::string> nodes,
                                      const Json& patch)
{
    const auto flow = co_await compiled_flow(parts, cache, original);
    if (!flow)
        co_return flow.error();
    auto before = co_await before_step(original, step, patch);
    if (!before)
        co_return before;
    const auto first = first_step_of(nodes, flows::containers_under_way(**flow, before->values));
    if (first)  // it failed between its rounds
        before = co_await before_step(original, *first, patch);
    if (!before)
        co_return before;
    before->step = first.value_or(step);
    before->under_way = flows::containers_under_way(**flow, before->values);
    co_return before;
}

Task<Result<Execution>> ExecutionService::State::store_fork(const Execution& fork, const graph::Batch& first,
                                                            const std::vector<Step>& taken_over, const Json& patch,
                                                            const model::Actor& by)
{
    co_return co_await parts.journal.write([&](sql::Connection& c, events::Batch& batch) -> Result<Execution> {
        if (auto run = runs::Runs::start_in(c, run_of(fork, Json()), runs::Multitask::reject); !run)
            return run.error();
        ExecutionRows rows(c);
        if (auto place = check_queue(rows, fork.owner_id); !place)
            return place.error();
        if (auto saved = runs::SqlCheckpointer::save_in(c, fork.id, first); !saved)
            return saved.error();
        if (auto stored = rows.insert(fork); !stored)
            return stored.error();
        for (const auto& one : taken_over)
            if (auto put = rows.put_step(fork.id, one); !put)
                return put.error();
        auto whole = rows.find(fork.id, fork.owner_id);
        if (!whole)
            return whole;
        batch.add(execution_forked(*whole, taken_over, patch, by));
        return whole;
    });
}

Task<Result<Execution>> ExecutionService::fork(std::string id, Caller caller, ForkRequest request)
{
    if (auto checked = state_->check_webhook(request.webhook); !checked)
        co_return checked.error();
    const auto original = co_await find(id, caller.user_id);
    if (!original)
        co_return original.error();
    const auto rights = rights_again(*original, caller);
    if (!rights)
        co_return rights.error();
    // A flow that may not run any more does not run by this way either.
    const auto version = std::to_string(original->flow_version);
    if (const auto flow = co_await state_->parts.flows.find(caller, original->flow_id, version); !flow)
        co_return flow.error();
    const auto all_steps = co_await steps(id, caller.user_id);
    if (!all_steps)
        co_return all_steps.error();
    const auto asked = step_of(request.step, *all_steps);
    if (!asked)
        co_return asked.error();
    const auto before = co_await state_->beginning_at(*original, asked->step, asked->nodes, request.patch);
    if (!before)
        co_return before.error();
    auto fork = fork_of(*original, before->step, caller, *rights, state_->parts.clock.now());
    fork.webhook = request.webhook;
    const auto first = first_checkpoint(before->checkpoint, before->values, fork);
    auto taken_over = steps_before(*all_steps, before->step, before->under_way);
    show_patch(taken_over, request.patch);
    const auto started = co_await state_->store_fork(fork, first, taken_over, request.patch, caller.by);
    if (started)
        state_->parts.runs.announce(fork.id, false, fork.owner_id);
    co_return started;
}

}  // namespace dure::executions

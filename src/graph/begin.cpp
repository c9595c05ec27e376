// Where a level begins: a fresh input, a Command, an older checkpoint, or just where the thread stands. See loop.hpp.
#include <algorithm>
#include <tuple>

#include "graph/frontier.hpp"
#include "graph/loop.hpp"
#include "graph/snapshot.hpp"

namespace dure::graph {
namespace {

using Kind = PendingWrite::Kind;

constexpr std::size_t most_named_interrupts = 20;   // in one sentence

// An object whose keys all have the form of interrupt ids answers by id (I5); any other value is the answer itself.
bool answers_by_id(const Json& resume)
{
    if (!resume.is_object() || resume.empty())
        return false;
    return std::all_of(resume.items().begin(), resume.items().end(), [](const auto& item) {
        const std::string& key = item.key();
        return key.size() == 32 && key.find_first_not_of("0123456789abcdef") == std::string::npos;
    });
}

// Questions of tasks without a result that have no answer yet; those of sub-graphs stand in their parents' rows. In the
// order of `tasks`, as the run that asked told them: rows stand in the order in which they came in.
std::vector<OpenInterrupt> open_interrupts(const std::vector<PendingWrite>& pending,
                                           const std::vector<std::string>& tasks)
{
    const auto has = [&](const std::string& task, Kind kind, const std::string& key) {
        return std::any_of(pending.begin(), pending.end(), [&](const PendingWrite& write) {
            return write.task == task && write.kind == kind && write.key == key;
        });
    };
    std::vector<const PendingWrite*> questions;
    for (const auto& write : pending)
        if (write.kind == Kind::interrupt && !has(write.task, Kind::result, "") &&
            !has(write.task, Kind::answer, write.key))
            questions.push_back(&write);
    const auto place_of = [&](const PendingWrite* question) {
        return std::pair(std::find(tasks.begin(), tasks.end(), question->task) - tasks.begin(), question);
    };
    std::sort(questions.begin(), questions.end(),
              [&](const auto* a, const auto* b) { return place_of(a) < place_of(b); });
    std::vector<OpenInterrupt> open;
    for (const auto* question : questions)
        open.push_back(interrupt_from(question->data));
    return open;
}

// With the ids to choose from, and the nodes that ask.
Error ambiguous_resume(std::vector<OpenInterrupt> open)
{
    if (open.empty())
        return Error(Errc::conflict, "No interrupt is open: there is nothing to answer.").reason("AMBIGUOUS_RESUME");
    std::sort(open.begin(), open.end(),
              [](const auto& a, const auto& b) { return std::tie(a.node, a.id) < std::tie(b.node, b.id); });
    std::string list;
    std::vector<FieldProblem> problems;
    for (const auto& one : open) {
        if (problems.size() < most_named_interrupts)
            list += (list.empty() ? "" : ", ") + one.id + " (node '" + one.node + "')";
        problems.push_back({{"resume", one.id}, "Node '" + one.node + "' waits for this answer.", "open_interrupt"});
    }
    if (problems.size() > most_named_interrupts)
        list += " and " + std::to_string(problems.size() - most_named_interrupts) + " more";
    return Error(Errc::conflict,
                 std::to_string(open.size()) + " interrupts are open, answer by their ids: " + list + ".")
        .reason("AMBIGUOUS_RESUME")
        .problems(std::move(problems));
}

Error no_such_interrupt(const std::string& id)
{
    return Error(Errc::conflict, "There is no open interrupt '" + id + "'.").reason("UNKNOWN_INTERRUPT");
}

}  // namespace

Task<void> Loop::run_root(const RunInput& input)
{
    if (co_await begin(input))
        co_await supersteps();
}

// False: the level has ended.
Task<bool> Loop::begin(const RunInput& input)
{
    std::string head;
    const bool named = !run_.options.checkpoint.empty();
    if (!keeper_.keeps() && (named || (input.command() && input.command()->resume)))
        co_return fail(Error(Errc::invalid_argument, "Going on from a checkpoint needs a checkpointer and a thread.")
                           .reason("MISSING_CHECKPOINTER"));
    if (keeper_.keeps()) {
        const bool goes_on = named || run_.options.recovers || !input.fresh();
        auto loaded = co_await keeper_.load("", progress_, pending_, goes_on);
        if (!loaded)
            co_return fail(loaded.error());
        head = keeper_.position().id;
        if (named && head != run_.options.checkpoint) {
            keeper_.set_newest(head);
            loaded = co_await keeper_.load(run_.options.checkpoint, progress_, pending_);
            if (!loaded)
                co_return fail(loaded.error());
            if (!*loaded)
                co_return fail(
                    Error(Errc::not_found, "The thread has no checkpoint '" + run_.options.checkpoint + "'."));
        }
    }
    if (run_.options.recovers && input_was_accepted()) {
        if (const auto* command = input.command();
            command && command->resume && !co_await take_answers(*command->resume))
            co_return false;
        const bool goes_on = co_await continue_from(false, head);
        continues_ = continues_ && !input.fresh();   // it had not stopped yet: a static stop still counts (I1)
        co_return goes_on;
    }
    if (const auto* fresh = input.fresh())
        co_return co_await accept(*fresh);
    if (const auto* command = input.command())
        co_return co_await follow_command(*command, head);
    if (!keeper_.stored())
        co_return fail(
            Error(Errc::invalid_argument, "The run has no input and its thread no checkpoint.").reason("EMPTY_INPUT"));
    run_.executes_open = !run_.options.recovers;
    co_return co_await continue_from(named, head);
}

// Of this run, before its process died (D4): it made the newest checkpoint, or gave answers there.
bool Loop::input_was_accepted() const
{
    if (keeper_.stored() && keeper_.position().run == run_.result.run)
        return true;
    return std::any_of(pending_.begin(), pending_.end(), [&](const PendingWrite& write) {
        return write.kind == Kind::answer && write.data.value("run", "") == run_.result.run;
    });
}

Task<bool> Loop::accept(const Json& input)
{
    auto known = known_input(definition_, input);
    if (!known)
        co_return fail(known.error());
    co_return co_await start_from(*known, true);
}

// K2: the input as a checkpoint of its own, then START. Both in one transaction.
Task<bool> Loop::start_from(const Json& known, bool also_input)
{
    pending_.clear();
    Batch batch;
    std::optional<Json> input;
    if (keeper_.keeps() && also_input) {
        const Changes none;
        keeper_.add(Source::input, progress_, keeper_.stored() ? &none : nullptr,
                    Json{{"input", durable_values(definition_, known)}}, batch);
        if (tells_checkpoints())
            input = to_json(snapshot_of(definition_, run_.options.thread, keeper_.position(), progress_));
    }
    auto changes = accept_input(definition_, progress_, known, run_.result.warnings);
    if (!changes)
        co_return fail(changes.error());
    if (keeper_.keeps()) {
        keeper_.add(Source::loop, progress_, &*changes, frontier(), batch);
    }
    if (!keeper_.keeps() && !run_.emitter.speaks())
        co_return true;
    co_return co_await save_and_tell(std::move(batch), std::move(input));
}

// A checkpoint and what is told of it, in the order that the sink needs. `input`: the input's checkpoint before it, told.
Task<bool> Loop::save_and_tell(Batch batch, std::optional<Json> input)
{
    const bool tells_first = run_.emitter.holds_until_durable();
    if (tells_first && !co_await tell_accepted(input))
        co_return false;
    if (auto saved = co_await run_.saver.save(std::move(batch)); !saved)
        co_return fail(saved.error());
    co_return tells_first || co_await tell_accepted(input);
}

Task<bool> Loop::tell_accepted(std::optional<Json>& input)
{
    if (input)
        if (auto told = co_await run_.emitter.emit_with_debug(Mode::checkpoints, keeper_.ns(), keeper_.step() - 1,
                                                              std::move(*input));
            !told)
            co_return fail(told.error());
    co_return co_await tell_values() && co_await tell_checkpoint();
}

Task<bool> Loop::follow_command(const Command& command, const std::string& head)
{
    const bool moves = !command.update.is_null() || !command.go_to.empty();
    if (command.resume && moves)
        co_return fail(
            Error(Errc::invalid_argument, "An answer does not go with an update or a goto.").reason("INVALID_UPDATE"));
    if (command.resume) {
        if (keeper_.position().id != head)
            pending_.clear();   // answers of an old branch are never reused (K6)
        if (!co_await take_answers(*command.resume))
            co_return false;
        co_return co_await continue_from(false, head);
    }
    if (!moves || !keeper_.stored())
        co_return fail(Error(Errc::invalid_argument, "The command is empty, or its thread has no checkpoint.")
                           .reason("EMPTY_INPUT"));
    const Update update(command.update, command.go_to);
    auto changes = apply_command(definition_, progress_, update, run_.result.warnings);
    if (!changes)
        co_return fail(changes.error());
    pending_.clear();
    Batch batch;
    keeper_.add(Source::input, progress_, &*changes, frontier_of(definition_, progress_), batch);
    co_return co_await save_and_tell(std::move(batch));
}

// I5, I7: checked as a whole, then durable, before anything runs.
Task<bool> Loop::take_answers(const Json& resume)
{
    const auto& at = keeper_.position();
    std::vector<std::string> tasks;
    auto progress = progress_;   // planning changes it, and the superstep plans again
    for (const auto& task : tasks_of(plan(definition_, progress)))
        tasks.push_back(make_task_id(run_.options.thread, at.ns, at.id, definition_.nodes[task.plan.node].name, task.plan,
                                     task.send_index));
    const auto open = open_interrupts(pending_, tasks);
    const auto refuse = [&](Error error) {
        end_.interrupts = open;   // they wait on (I6)
        return fail(std::move(error));
    };
    std::map<std::string, Json> answers;
    if (answers_by_id(resume))
        answers = resume.get<std::map<std::string, Json>>();
    else if (open.size() == 1)
        answers[open.front().id] = resume;
    else if (!run_.options.recovers)
        co_return refuse(ambiguous_resume(open));
    Batch batch;
    for (const auto& [id, value] : answers) {
        run_.answered.insert(id);
        const auto one =
            std::find_if(open.begin(), open.end(), [&](const OpenInterrupt& each) { return each.id == id; });
        if (one == open.end() && run_.options.recovers)
            continue;   // it was answered before the process died
        if (one == open.end())
            co_return refuse(no_such_interrupt(id));
        auto data = Json::object();
        data["value"] = value;
        data["run"] = run_.result.run;
        batch.pending.push_back(
            PendingWrite{one->ns, one->checkpoint, one->task, Kind::answer, one->key, std::move(data)});
    }
    for (const auto& write : batch.pending)
        if (write.ns == keeper_.ns())
            pending_.push_back(write);
    if (auto saved = co_await run_.saver.save_now(std::move(batch)); !saved)
        co_return fail(saved.error());
    co_return true;
}

// K6: from an older checkpoint a new branch begins, and nothing of the old one is reused.
Task<bool> Loop::continue_from(bool named, const std::string& head)
{
    const auto& frontier = keeper_.position().frontier;
    continues_ = read_back_ = true;
    if (const auto& span = run_.options.limit_span; !span.empty() && frontier.value("counted_in", "") == span)
        counted_ = frontier.at("counted").get<std::int64_t>();
    if (named && keeper_.position().id != head) {
        const bool branch_of_its_own =
            keeper_.position().source == Source::update || keeper_.position().source == Source::fork;
        Batch batch;
        if (branch_of_its_own) {
            batch.drops.push_back(PendingDrop{keeper_.ns(), false, keeper_.position().id, {}, {}});
        } else {
            const Changes none;
            keeper_.add(Source::fork, progress_, &none, Json(frontier), batch);
        }
        pending_.clear();
        const bool tells_first = run_.emitter.holds_until_durable();
        if (tells_first && !branch_of_its_own && !co_await tell_checkpoint())
            co_return false;
        if (auto saved = co_await run_.saver.save(std::move(batch)); !saved)
            co_return fail(saved.error());
        if (!tells_first && !branch_of_its_own && !co_await tell_checkpoint())
            co_return false;
    }
    if (keeper_.position().frontier.contains("input")) {
        const Json known = keeper_.position().frontier.at("input");
        co_return co_await start_from(known, false);
    }
    co_return true;
}

// Its newest checkpoint, also one of this run that is still on its way to storage.
Task<Result<bool>> Loop::load_subgraph()
{
    const auto left = run_.left.find(keeper_.ns());
    if (left == run_.left.end()) {
        if (run_.options.durability == Durability::async)
            if (auto saved = co_await run_.saver.flush(); !saved)
                co_return saved.error();
        co_return co_await keeper_.load("", progress_, pending_);
    }
    StoredCheckpoint stored;
    stored.checkpoint = left->second.position;
    for (const auto& [channel, version] : stored.checkpoint.versions)
        stored.channels[channel].whole = left->second.state.value(left->second.state.index_of(channel));
    pending_ = run_.saver.held_pending(keeper_.ns(), stored.checkpoint.id);
    if (!pending_.empty())
        keeper_.mark_pending();
    if (auto taken = keeper_.take(std::move(stored), progress_); !taken)
        co_return taken.error();
    co_return true;
}

// G3, G4: what its task left unfinished goes on; else it begins with the input.
Task<void> Loop::run_subgraph(Json input, Persistence persistence, bool fresh)
{
    if (keeper_.keeps() && !(fresh && persistence == Persistence::inherit)) {
        auto loaded = co_await load_subgraph();
        if (!loaded) {
            fail(loaded.error());
            co_return;
        }
        const bool ours =
            persistence == Persistence::inherit || keeper_.position().metadata.value("task", "") == marker_;
        if (*loaded && ours) {
            if (co_await continue_from(false, keeper_.position().id))
                co_await supersteps();
            co_return;
        }
    }
    auto known = Json::object();
    for (std::size_t i = 0; i < definition_.reducers.size() && input.is_object(); ++i)
        if (const auto at = input.find((*definition_.channel_names)[i]);
            at != input.end() && definition_.input_channels[i])
            known[at.key()] = *at;
    if (co_await start_from(known, true))
        co_await supersteps();
}

}  // namespace dure::graph

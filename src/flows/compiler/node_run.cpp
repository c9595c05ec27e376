// See node_run.hpp. The kinds that only shape data are in node_kinds.cpp, containers in containers.cpp.
#include "flows/compiler/node_run.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <set>

#include "flows/compiler/containers.hpp"
#include "flows/compiler/evaluate_over.hpp"
#include "flows/compiler/node_kinds.hpp"
#include "flows/compiler/spending.hpp"

namespace dure::flows {

namespace {

bool asks_the_world(std::string_view kind)
{
    static const std::set<std::string_view> kinds{"llm", "agent", "supervisor", "router", "tool", "http", "extract"};
    return kinds.contains(kind);
}

// About the length of its JSON text.
std::size_t text_bytes(const Json& value)
{
    constexpr std::size_t of_a_number = 8;
    if (value.is_string())
        return value.get_ref<const std::string&>().size() + 2;
    if (!value.is_structured())
        return of_a_number;
    std::size_t bytes = 2;
    if (value.is_object())
        for (const auto& [name, inner] : value.items())
            bytes += name.size() + 4 + text_bytes(inner);
    else
        for (const auto& inner : value)
            bytes += 1 + text_bytes(inner);
    return bytes;
}

Error interrupted_by_crash()
{
    return Error(Errc::internal, "The server stopped while this node ran; its policy forbids to run it again.")
        .reason(std::string(crash_reason));
}

}  // namespace

Result<void> held_by(FlowRun& run, const Json& value)
{
    return run.hold ? run.hold(text_bytes(value)) : Result<void>();
}

NodeRun::NodeRun(const Stage& stage, std::size_t place, graph::NodeContext& context)
    : stage_(stage), planned_(stage.nodes[place]), place_(place), context_(context), run_(context.context<FlowRun>()),
      task_(run_.open.begin(context.task_id(), run_.clock->now())),
      kept_input_(std::make_shared<const Json>(input_of(stage, planned_, context.state()))), input_(*kept_input_),
      scope_(stage, context.state(), run_, input_)
{
    task_->input = kept_input_;
}

Task<Result<graph::Update>> NodeRun::run()
{
    const bool spends = asks_the_world(planned_.node.kind);
    Result<graph::Update> update = graph::Update();
    std::exception_ptr cut;
    try {
        update = within_depth(co_await attempt());
    } catch (const std::exception&) {
        cut = std::current_exception();
    }
    if (cut) {
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        if (spends)
            co_await keep_spending_of_cut(context_, *task_);
        co_await boost::asio::this_coro::throw_if_cancelled(true);
        std::rethrow_exception(cut);
    }
    if (update && spends)
        co_await count_spending(*update);
    if (update)
        run_.open.forget(context_.task_id());
    else if (spends)
        co_await keep_spending(context_, *task_, update.error().reason() == "INTERRUPTED");
    co_return update;
}

// Last of all: an attempt that recalls cannot keep (spending.hpp), and until here it may fail.
Task<void> NodeRun::count_spending(graph::Update& update)
{
    co_await recall_spending(context_, *task_);
    if (!task_->usage().is_null())
        update.values.at(std::string(step_channel)).at(0)["usage"] = task_->usage();
}

Task<Result<graph::Update>> NodeRun::attempt()
{
    if (planned_.node.disabled) {
        NodeOutcome through;
        through.output = Json{{planned_.main_output, input_}};
        if (!planned_.handles.empty())
            through.handles = {planned_.handles.front()};
        auto step = step_record(planned_, input_, through.output, task_->began, run_.clock->now(), 1, Json());
        co_return finished(stage_, place_, std::move(through), std::move(step));
    }
    if (auto held = hold(input_); !held)
        co_return held.error();
    if (auto ready = co_await prepare(); !ready)
        co_return ready.error();
    if (is_container(planned_)) {
        const auto config = co_await whole_config();
        if (!config)
            co_return config.error();
        co_return begin_container(planned_, *config, input_, task_->began, context_.step(), context_.task_id());
    }
    auto done = co_await outcome();
    if (!done)
        co_return done.error();
    for (const auto* value : {&done->output, &done->values})
        if (auto held = hold(*value); !held)
            co_return held.error();
    auto step =
        step_record(planned_, input_, done->output, task_->began, run_.clock->now(), context_.attempt(), Json());
    co_return finished(stage_, place_, std::move(*done), std::move(step));
}

// The step's recorded time (§4.5), and whether this is a repeat after a crash (§7).
Task<Result<void>> NodeRun::prepare()
{
    if (planned_.asks_now) {
        const auto now =
            co_await context_.step("now", [this]() -> Task<Result<Json>> { co_return Json(run_.clock->now()); });
        if (!now)
            co_return now.error();
        scope_.tell_now(rfc3339(now->get<UnixMillis>()));
    }
    co_return co_await look_for_crash();
}

Task<Result<void>> NodeRun::look_for_crash()
{
    using OnCrash = PlannedPolicy::OnCrash;
    const auto rule = planned_.policy.on_crash;
    // An agent begins again after each question to a person, which is no crash; its own calls are kept as steps.
    const bool begins_again = planned_.node.kind == "agent" || planned_.node.kind == "supervisor";
    if (rule == OnCrash::retry || context_.attempt() > 1 || begins_again)
        co_return Result<void>();
    // A mark for each time a person let it begin: with the run, by a retry of the run, by an answer here. One that is there
    // already was left by a process that died.
    int asked = 0;
    for (int answers = 0;; ++answers) {
        const auto time = std::to_string(run_.facts.retries) + "/" + std::to_string(answers);
        const auto fresh = co_await begins("begun/" + time);
        if (!fresh)
            co_return fresh.error();
        if (*fresh)
            co_return Result<void>();
        if (rule == OnCrash::fail)
            co_return interrupted_by_crash();
        const auto again = co_await ask_after_crash(time, asked);
        if (!again)
            co_return again.error();
        if (!*again)
            co_return interrupted_by_crash();
    }
}

// Whether nobody was here before.
Task<Result<bool>> NodeRun::begins(std::string mark)
{
    const auto own = new_id();
    const auto kept = co_await context_.step(std::move(mark), [&own]() -> Task<Result<Json>> { co_return Json(own); });
    if (!kept)
        co_return kept.error();
    co_return *kept == own;
}

// `asked` counts the questions of this task: those for an earlier time are answered already and passed over.
Task<Result<bool>> NodeRun::ask_after_crash(std::string time, int& asked)
{
    for (;;) {
        const auto about = co_await context_.step("asked/" + std::to_string(asked++),
                                                  [&time]() -> Task<Result<Json>> { co_return Json(time); });
        if (!about)
            co_return about.error();
        const auto answer =
            co_await context_.interrupt(Json{{"kind", "crash"},
                                             {"node_id", planned_.told_id},
                                             {"prompt", "The server stopped while this node ran. Run it again?"},
                                             {"actions", Json::array({Json{{"id", "retry"}, {"label", "Run it again"}},
                                                                      Json{{"id", "fail"}, {"label", "Give up"}}})}});
        if (!answer)
            co_return answer.error();
        if (*about == time)
            co_return answer->is_object() && answer->value("action", "") == "retry";
    }
}

Task<Result<NodeOutcome>> NodeRun::outcome()
{
    const std::string_view kind = planned_.node.kind;
    if (asks_the_world(kind))
        co_return co_await ask_world();
    if (kind == "human_input")
        co_return co_await ask_person();
    if (kind == "reply")
        co_return co_await reply();
    if (kind == "condition")
        co_return co_await evaluate_over(run_, scope_, [this] { return choose_case(); });
    if (kind == "join")
        co_return merge_branches();
    if (kind == "set")
        co_return co_await evaluate_over(run_, scope_, [this] { return set_values(); });
    co_return co_await evaluate_over(run_, scope_, [this] { return shape(); });
}

Result<NodeOutcome> NodeRun::shape()
{
    const auto config = evaluated(planned_.config);
    if (!config)
        return config.error();
    static const auto no_start = Json::object();
    const auto* start = context_.state().find("start");
    return shaped(planned_, *config, input_, start ? *start : no_start);
}

Task<Result<NodeOutcome>> NodeRun::ask_world()
{
    auto config = co_await whole_config();
    if (!config)
        co_return config.error();
    auto hung = co_await evaluate_over(run_, scope_, [this] { return attached(); });
    if (!hung)
        co_return hung.error();
    if (!run_.services)
        co_return Error(Errc::unavailable, "This run has no access to models and tools.").reason("node_unavailable");
    NodeCall call{planned_.node, run_.facts, std::move(*config), input_, std::move(*hung), context_};
    TaskBudget budget(*task_);
    call.budget = &budget;
    auto output = co_await run_.services->call(std::move(call));
    if (!output)
        co_return output.error();
    if (!budget.used() && output->is_object())
        task_->count({}, output->value("usage", Json()));
    NodeOutcome done;
    done.output = std::move(*output);
    if (!planned_.cases_handle.empty())
        done.handles = {done.output.value(planned_.cases_handle, std::string("else"))};
    co_return done;
}

Task<Result<Json>> NodeRun::whole_config()
{
    return evaluate_over(run_, scope_, [this] { return evaluated(planned_.config); });
}

Result<Json> NodeRun::evaluated(const ConfigTemplate& config) const
{
    return config.evaluate(scope_);
}

Result<Json> NodeRun::attached() const
{
    if (planned_.node.kind != "agent" && planned_.node.kind != "supervisor")
        return Json();
    auto tools = attached_list(planned_.tools);
    if (!tools)
        return tools;
    auto workers = attached_list(planned_.workers);
    if (!workers)
        return workers;
    return Json{{"tools", std::move(*tools)}, {"workers", std::move(*workers)}};
}

Result<Json> NodeRun::attached_list(const std::vector<AttachedNode>& list) const
{
    auto entries = Json::array();
    for (const auto& one : list) {
        auto config = evaluated(one.config);
        if (!config)
            return config;
        Json entry{{"id", one.id}, {"label", one.label}, {"config", std::move(*config)}};
        if (!one.tools.empty()) {
            auto tools = attached_list(one.tools);
            if (!tools)
                return tools;
            entry["attached"] = Json{{"tools", std::move(*tools)}};
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

Task<Result<NodeOutcome>> NodeRun::ask_person()
{
    const auto config = co_await whole_config();
    if (!config)
        co_return config.error();
    auto question = question_of(planned_, *config, run_.clock->now());
    const auto answer = co_await context_.interrupt(std::move(question));
    if (!answer)
        co_return answer.error();
    co_return answered(planned_, *answer);
}

Task<Result<NodeOutcome>> NodeRun::reply()
{
    const auto config = co_await whole_config();
    if (!config)
        co_return config.error();
    const auto given = config->find("text");
    const auto text = text_of(given == config->end() ? input_ : *given);
    Json message{{"role", "assistant"}, {"content", text}, {"reply", true}};
    Json said{{"node_id", planned_.told_id}, {"text", text}};
    if (const auto files = config->find("files"); files != config->end())
        message["files"] = said["files"] = *files;
    if (auto told = co_await context_.emit_message(std::move(message)); !told)
        co_return told.error();
    NodeOutcome done;
    done.output = Json{{"text", text}};
    done.values["r"] = Json::array({std::move(said)});
    co_return done;
}

graph::Update finished(const Stage& stage, std::size_t place, NodeOutcome outcome, Json step)
{
    const auto& planned = stage.nodes[place];
    graph::Update update(std::move(outcome.values));
    auto& values = update.values;
    if (planned.outgoing.empty()) {
        const auto value =
            planned.main_output.empty() ? outcome.output : outcome.output.value(planned.main_output, outcome.output);
        values["leaf"] = Json::array({Json{{"node_id", planned.told_id}, {"value", value}}});
    }
    values[graph_name('n', planned.node.id)] = std::move(outcome.output);
    values[std::string(step_channel)] = Json::array({std::move(step)});
    Decisions decisions(stage);
    decisions.leave(place, outcome.handles);
    decisions.write_to(update);
    return update;
}

Json step_record(const PlannedNode& planned, const Json& input, const Json& output, UnixMillis began, UnixMillis now,
                 int attempts, const Json& error, const Json& usage)
{
    Json record{{"node_id", planned.told_id},
                {"status", error.is_null() ? "succeeded" : "failed"},
                {"input", input},
                {"output", output},
                {"started_at", began},
                {"duration_ms", std::max<std::int64_t>(0, now - began)},
                {"attempts", attempts}};
    if (!usage.is_null())
        record["usage"] = usage;
    if (!error.is_null())
        record["error"] = error;
    return record;
}

// The engine wraps what failed inside of a body: what the node itself said is told.
Json told_error(const Error& error, int attempts)
{
    const auto& causes = error.extra().problems;
    const bool wrapped = error.reason() == "NODE_ERROR" && !causes.empty();
    const auto& code = wrapped ? causes.front().type : error.reason();
    return Json{{"code", code.empty() ? std::string(name_of(error.code())) : code},
                {"message", in_drawn_words(wrapped ? causes.front().message : error.message())},
                {"attempts", attempts}};
}

namespace {

bool nested_deeper(const Json& value, std::size_t levels)
{
    return value.is_structured() &&
           (levels == 0 || std::any_of(value.begin(), value.end(),
                                       [levels](const Json& inner) { return nested_deeper(inner, levels - 1); }));
}

}  // namespace

Result<graph::Update> within_depth(Result<graph::Update> update)
{
    if (update && nested_deeper(update->values, deepest_value))
        return Error(Errc::invalid_argument,
                     "The value is nested deeper than " + std::to_string(deepest_value) + " levels.")
            .reason("value_too_deep");
    return update;
}

graph::NodeFunction node_of(std::shared_ptr<const Stage> stage, std::size_t place)
{
    return [stage, place](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        NodeRun run(*stage, place, context);
        co_return co_await run.run();
    };
}

NodeOutcome outcome_of_failure(const PlannedNode& planned, const Json& error)
{
    using OnError = PlannedPolicy::OnError;
    NodeOutcome outcome;
    if (planned.policy.on_error == OnError::use_default && planned.policy.default_output.is_object())
        outcome.output = planned.policy.default_output;
    else
        outcome.output["error"] = error;
    if (planned.policy.on_error == OnError::branch)
        outcome.handles = {"error"};
    return outcome;
}

graph::ErrorHandler error_handler_of(std::shared_ptr<const Stage> stage, std::size_t place)
{
    if (stage->nodes[place].policy.on_error == PlannedPolicy::OnError::fail)
        return {};
    return [stage, place](graph::NodeContext& context, const Error& error) -> Task<Result<graph::Update>> {
        const auto& planned = stage->nodes[place];
        auto& run = context.context<FlowRun>();
        const auto told = told_error(error, context.attempt());
        auto outcome = outcome_of_failure(planned, told);
        const auto now = run.clock->now();
        const auto task = run.open.begin(context.task_id(), now);
        co_await recall_spending(context, *task);
        auto step = step_record(planned, input_of(*stage, planned, context.state()), outcome.output, task->began, now,
                                context.attempt(), told, task->usage());
        run.open.forget(context.task_id());
        co_return finished(*stage, place, std::move(outcome), std::move(step));
    };
}

}  // namespace dure::flows

// See containers.hpp.
#include "flows/compiler/containers.hpp"

#include <algorithm>

#include "dure/flows/inputs.hpp"
#include "flows/compiler/evaluate_over.hpp"
#include "flows/compiler/operations.hpp"

namespace dure::flows {

namespace {

constexpr std::size_t most_items = 10'000;
constexpr std::int64_t usual_rounds = 100;

std::string channel(char sort, const PlannedNode& planned)
{
    return graph_name(sort, planned.node.id);
}

Error container_error(std::string code, std::string message)
{
    return Error(Errc::invalid_argument, std::move(message)).reason(std::move(code));
}

// Inputs as the sub-flow declares them, with its defaults.
Result<Json> declared_inputs(const Json& declared, const Json& given)
{
    if (!given.is_object())
        return container_error("inputs_invalid", "The inputs of a sub-flow must be an object.");
    auto taken = check_inputs(declared, given);
    if (taken)
        return taken;
    std::string what;
    for (const auto& problem : taken.error().extra().problems)
        what += " " + problem.location.back() + ": " + problem.message + ".";
    return container_error("inputs_invalid", "The inputs do not fit the sub-flow." + what);
}

Result<Json> plan_of_iteration(const PlannedNode& planned, const Json& config, const Json& input, Json& values)
{
    const auto found = config.find("items");
    auto items = found == config.end() ? input : *found;
    if (!items.is_array())
        return container_error("items_invalid", "The items of an iteration must be a list.");
    const auto most = config.value("max_items", most_items);
    if (items.size() > most)
        return container_error("items_invalid", "There are " + std::to_string(items.size()) + " items, at most " +
                                                    std::to_string(most) + " are allowed.");
    values[channel('i', planned)] = graph::overwrite(std::move(items));
    return Json{{"next", 0}, {"seen", 0}};
}

Result<Json> plan_of_loop(const Json& config)
{
    auto variables = Json::object();
    for (const auto& entry : config.value("vars", Json::array())) {
        const auto name = entry.is_object() ? entry.find("name") : entry.end();
        if (name == entry.end() || !name->is_string())
            return container_error("vars_invalid", "The variables of a loop must be a list of {name, value}.");
        variables[name->get<std::string>()] = entry.value("value", Json());
    }
    return Json{{"round", 0}, {"vars", std::move(variables)}};
}

Result<Json> plan_of_subflow(const PlannedNode& planned, const Json& config, const Json& input)
{
    const auto given = config.value("inputs", Json::object());
    if (!given.is_object())
        return container_error("inputs_invalid", "The inputs of a sub-flow must be an object.");
    auto inputs = declared_inputs(planned.body->inputs, given);
    if (!inputs)
        return inputs;
    const auto message = config.find("message");
    return Json{
        {"round", 0},
        {"start", {{"message", text_of(message == config.end() ? input : *message)}, {"inputs", std::move(*inputs)}}}};
}

// Copies what is read of a value into an object, under its name there.
void copy_part(const Json* value, const PartsRead& read, const PartsRead::value_type& part, Json& into)
{
    const auto& [name, member] = part;
    if (!value)
        return;
    if (member.empty() || !value->is_object()) {
        into[name] = *value;
        return;
    }
    if (read.contains({name, std::string()}))
        return;   // all of it is there already
    auto& copied = into[name];
    if (!copied.is_object())
        copied = Json::object();
    if (const auto found = value->find(member); found != value->end())
        copied[member] = *found;
}

const Json* member_of(const Json* object, const std::string& name)
{
    const auto found = object ? object->find(name) : Json::const_iterator();
    return object && found != object->end() ? &*found : nullptr;
}

// Drives one container from round to round.
class Driver {
public:
    Driver(const Stage& stage, std::size_t place, graph::NodeContext& context)
        : stage_(stage), place_(place), planned_(stage.nodes[place]), state_(context.state()),
          run_(context.context<FlowRun>()), progress_(state_.at(channel('k', planned_)))
    {}

    Result<graph::Update> drive()
    {
        const auto& kind = planned_.node.kind;
        auto update = kind == "iteration" ? drive_iteration() : kind == "loop" ? drive_loop() : drive_subflow();
        if (update)
            return update;
        if (planned_.policy.on_error == PlannedPolicy::OnError::fail)
            return update;
        return failed(told_error(update.error(), 1));
    }

private:
    // What the stage around it is, for the expressions inside.
    Json context_for_body() const
    {
        auto nodes = Json::object();
        const auto* around = state_.find("context");
        const auto* nodes_around = member_of(around, "nodes");
        const auto& read = planned_.body->outer;
        for (const auto& part : read)
            copy_part(stage_.find(part.first) ? state_.find(graph_name('n', part.first))
                                              : member_of(nodes_around, part.first),
                      read, part, nodes);
        Json context{{"nodes", std::move(nodes)}};
        if (around)
            for (const char* part : {"item", "index", "loop"})
                if (around->contains(part))
                    context[part] = around->at(part);
        if (stage_.kind == Stage::Kind::iteration) {
            context["item"] = state_.at("item");
            context["index"] = state_.at("index");
        }
        if (stage_.kind == Stage::Kind::loop) {
            context["loop"] = variables_now();
            context["loop"]["count"] = state_.at("count");
        }
        return context;
    }

    Json variables_now() const
    {
        auto values = Json::object();
        for (const auto& name : stage_.variables)
            if (const auto* value = state_.find("v." + name))
                values[name] = *value;
        return values;
    }

    // What every round that begins now is given.
    Json body_input() const
    {
        const auto& body = *planned_.body;
        auto input = Json::object();
        input["context"] = context_for_body();
        if (const auto* start = state_.find("start")) {
            auto& copied = input["start"] = Json::object();
            for (const auto& part : body.start_read)
                copy_part(member_of(start, part.first), body.start_read, part, copied);
        }
        for (const auto& name : body.state_used)
            if (const auto* value = state_.find("s." + name))
                input["s." + name] = graph::overwrite(*value);
        return input;
    }

    // The new changes of the body into this stage.
    Result<void> take_over(const Json& done, StateChanges& changes, std::map<std::string, std::size_t>* last_writers,
                           std::size_t item) const
    {
        changes.add_said(done);
        const auto told = done.find("ops");
        return told == done.end() ? Result<void>() : changes.add_told(*told, last_writers, item);
    }

    static bool leaves_something(const Json& round)
    {
        return round.contains("ops") || round.contains("replies") || round.contains("outputs");
    }

    Json container_input() const { return input_of(stage_, planned_, state_); }

    Result<graph::Update> send_rounds(Json progress, std::vector<Json> inputs, const StateChanges& changes)
    {
        for (const auto& input : inputs)
            if (auto held = held_by(run_, input); !held)
                return held.error();
        graph::Update update(Json::object());
        update.values[channel('k', planned_)] = std::move(progress);
        changes.write_to(update.values);
        for (auto& input : inputs)
            update.go_to.emplace_back(graph::Send(channel('b', planned_), std::move(input)));
        return update;
    }

    graph::Update done(Json output, const StateChanges& changes)
    {
        NodeOutcome outcome;
        outcome.output = std::move(output);
        changes.write_to(outcome.values);
        return ended(std::move(outcome), Json());
    }

    graph::Update failed(const Json& error)
    {
        return ended(outcome_of_failure(planned_, error), error);
    }

    graph::Update ended(NodeOutcome outcome, const Json& error)
    {
        auto step = step_record(planned_, container_input(), outcome.output,
                                progress_.value("began", run_.clock->now()), run_.clock->now(), 1, error);
        for (const char* of_begin : {"step", "task"})
            if (const auto found = progress_.find(of_begin); found != progress_.end())
                step[of_begin] = *found;
        outcome.values[channel('k', planned_)] = Json::object();   // under way no more
        return finished(stage_, place_, std::move(outcome), std::move(step));
    }

    // In waves of `parallel` items, so that a state changed by one wave is seen by the next.
    Result<graph::Update> drive_iteration()
    {
        const auto& config = planned_.node.config;
        const auto& items = state_.at(channel('i', planned_));
        const auto* results = state_.find(channel('c', planned_));
        const auto seen = progress_.at("seen").get<std::size_t>();
        const auto ready = results ? results->size() : 0;
        const auto parallel = static_cast<std::size_t>(config.value("parallel", 1));
        const bool fails = config.value("on_item_error", "fail") == "fail";
        StateChanges changes(stage_);
        std::map<std::string, std::size_t> last_writers;
        for (auto i = seen; i < ready; ++i) {
            const auto& one = (*results)[i];
            if (one.contains("error") && fails)
                return failed(one.at("error"));
            if (auto taken = take_over(one, changes, parallel > 1 ? &last_writers : nullptr, i); !taken)
                return taken.error();
        }
        const auto next = progress_.at("next").get<std::size_t>();
        // The changes of this wave reach the channels with this update: the next wave begins behind it.
        Json with_changes = Json::object();
        changes.write_to(with_changes);
        if (next < items.size() && !with_changes.empty() && ready > seen) {
            auto progress = progress_;
            progress["seen"] = ready;
            graph::Update update(std::move(with_changes));
            update.values[channel('k', planned_)] = std::move(progress);
            update.go_to.emplace_back(channel('d', planned_));
            return update;
        }
        if (next >= items.size())
            return done(collected(items.size(), results), changes);
        std::vector<Json> inputs;
        const auto end = std::min(items.size(), next + std::max<std::size_t>(1, parallel));
        const auto common = body_input();
        for (auto i = next; i < end; ++i) {
            auto input = common;
            input["item"] = items[i];
            input["index"] = i;
            inputs.push_back(std::move(input));
        }
        auto progress = progress_;
        progress["next"] = end;
        progress["seen"] = ready;
        return send_rounds(std::move(progress), std::move(inputs), changes);
    }

    Json collected(std::size_t count, const Json* results) const
    {
        const auto& config = planned_.node.config;
        const bool keeps_null = config.value("on_item_error", "fail") == "null";
        std::map<std::size_t, const Json*> by_index;
        const auto none = Json::array();
        for (const auto& one : results ? *results : none)
            by_index[one.at("index").get<std::size_t>()] = &one;
        auto items = Json::array();
        auto errors = Json::array();
        for (const auto& [index, one] : by_index) {
            if (const auto error = one->find("error"); error != one->end()) {
                auto told = *error;
                told["index"] = index;
                errors.push_back(std::move(told));
                if (keeps_null)
                    items.push_back(nullptr);
                continue;
            }
            const auto& value = one->at("value");
            if (config.value("flatten", Json()) == true && value.is_array())
                items.insert(items.end(), value.begin(), value.end());
            else
                items.push_back(value);
        }
        return Json{{"items", std::move(items)}, {"errors", std::move(errors)}, {"count", count}};
    }

    // The body runs at least once; `until` is asked after each round, inside of it.
    Result<graph::Update> drive_loop()
    {
        const auto& config = planned_.node.config;
        const auto round = progress_.at("round").get<std::int64_t>();
        const auto most = config.value("max_rounds", usual_rounds);
        auto variables = progress_.at("vars");
        auto in = container_input();
        StateChanges changes(stage_);
        if (round > 0) {
            const auto& last = state_.at(channel('c', planned_));
            if (last.contains("error"))
                return failed(last.at("error"));
            variables = last.at("vars");
            in = last.at("value");
            if (auto taken = take_over(last, changes, nullptr, 0); !taken)
                return taken.error();
            if (progress_.value("told", std::int64_t{0}) < round && !last.value("until", false) && round < most &&
                leaves_something(last)) {
                graph::Update update(Json::object());
                changes.write_to(update.values);
                auto progress = progress_;
                progress["told"] = round;
                progress["vars"] = variables;
                update.values[channel('k', planned_)] = std::move(progress);
                update.go_to.emplace_back(channel('d', planned_));
                return update;
            }
            const bool told = progress_.value("told", std::int64_t{0}) == round;
            const StateChanges none(stage_);
            const bool over = last.value("until", false);
            if (over || round >= most) {
                if (!over && config.value("on_exhausted", "continue") == "fail")
                    return container_error("loop_exhausted",
                                           "The loop went on for " + std::to_string(most) + " rounds.");
                return done(Json{{"vars", variables}, {"rounds", round}}, told ? none : changes);
            }
        }
        auto input = body_input();
        input["in"] = std::move(in);
        input["count"] = round + 1;
        for (const auto& [name, value] : variables.items())
            input["v." + name] = value;
        auto progress = progress_;
        progress["round"] = round + 1;
        progress["vars"] = variables;
        return send_rounds(std::move(progress), {std::move(input)}, StateChanges(stage_));
    }

    Result<graph::Update> drive_subflow()
    {
        const StateChanges none(stage_);
        if (progress_.at("round") == 0) {
            auto start = progress_.at("start");
            const auto* outer = state_.find("start");
            start["files"] = Json::array();
            start["user_id"] = outer ? outer->value("user_id", Json()) : Json();
            auto progress = progress_;
            progress["round"] = 1;
            return send_rounds(std::move(progress), {Json{{"start", std::move(start)}}}, none);
        }
        const auto& result = state_.at(channel('c', planned_));
        if (result.contains("error"))
            return failed(result.at("error"));
        return done(Json{{"text", result.at("text")},
                         {"outputs", result.at("outputs")},
                         {"execution_id", run_.facts.execution_id + "/" + planned_.told_id}},
                    none);
    }

    const Stage& stage_;
    const std::size_t place_;
    const PlannedNode& planned_;
    const graph::State& state_;
    FlowRun& run_;
    const Json& progress_;
};

}  // namespace

bool is_container(const PlannedNode& planned)
{
    return planned.body != nullptr;
}

Result<graph::Update> begin_container(const PlannedNode& planned, const Json& config, const Json& input,
                                      UnixMillis began, std::int64_t step, const std::string& task)
{
    auto values = Json::object();
    auto progress = planned.node.kind == "iteration" ? plan_of_iteration(planned, config, input, values)
                    : planned.node.kind == "loop"    ? plan_of_loop(config)
                                                     : plan_of_subflow(planned, config, input);
    if (!progress)
        return progress.error();
    (*progress)["began"] = began;
    (*progress)["step"] = step;
    (*progress)["task"] = task;
    values[channel('k', planned)] = std::move(*progress);
    return graph::Update(std::move(values), graph::Routes(std::string_view(channel('d', planned))));
}

graph::NodeFunction driver_of(std::shared_ptr<const Stage> stage, std::size_t place)
{
    return [stage, place](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        co_return within_depth(Driver(*stage, place, context).drive());
    };
}

graph::ErrorHandler body_error_handler(const PlannedNode& planned)
{
    const bool items_may_fail =
        planned.node.kind == "iteration" && planned.node.config.value("on_item_error", "fail") != "fail";
    if (!items_may_fail && planned.policy.on_error == PlannedPolicy::OnError::fail)
        return {};
    return
        [into = channel('c', planned)](graph::NodeContext& context, const Error& error) -> Task<Result<graph::Update>> {
            Json told{{"error", told_error(error, context.attempt())}};
            const auto* round = context.argument();
            if (round && round->contains("index"))
                told["index"] = round->at("index");
            auto values = Json::object();
            values[into] = std::move(told);
            co_return graph::Update(std::move(values));
        };
}

namespace {

// Of a round of a body: its value, and whether that was the last one.
Result<Json> round_result(const Stage& stage, const RunScope& scope, const Json& value)
{
    auto done = Json::object();
    done["value"] = value;
    if (stage.result) {
        auto result = stage.result->evaluate(scope);
        if (!result)
            return result.error();
        done["value"] = std::move(result->at(0));
    }
    if (stage.until) {
        const auto over = stage.until->holds(scope);
        if (!over)
            return over.error();
        done["until"] = *over;
    }
    return done;
}

}  // namespace

graph::NodeFunction closing_of(std::shared_ptr<const Stage> stage)
{
    return [stage](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        const auto& state = context.state();
        auto& run = context.context<FlowRun>();
        auto done = Json::object();
        if (stage->kind == Stage::Kind::subflow) {
            done = flow_result(state.to_json());
        } else {
            const auto* leaves = state.find("leaf");
            const auto value = leaves && !leaves->empty() ? leaves->back().at("value") : Json();
            RunScope scope(*stage, state, run, value);
            auto result = co_await evaluate_over(run, scope, [&] { return round_result(*stage, scope, value); });
            if (!result)
                co_return result.error();
            done = std::move(*result);
            if (stage->kind == Stage::Kind::iteration)
                done["index"] = state.at("index");
            auto variables = Json::object();
            for (const auto& name : stage->variables)
                if (const auto* now = state.find("v." + name))
                    variables[name] = *now;
            done["vars"] = std::move(variables);
            for (const auto& [part, name] :
                 {std::pair("ops", "ops"), std::pair("replies", "r"), std::pair("outputs", "o")})
                if (const auto* left = state.find(name); left && !left->empty())
                    done[part] = *left;
        }
        // What a result of a round or a variable reads need not be anything that a node made.
        if (auto held = held_by(run, done); !held)
            co_return held.error();
        auto values = Json::object();
        values["done"] = std::move(done);
        co_return graph::Update(std::move(values));
    };
}

}  // namespace dure::flows

// See telling.hpp.
#include "executions/telling.hpp"

#include "executions/budget.hpp"
#include "executions/recorder.hpp"

namespace dure::executions {

namespace {

// An update may be a list of channel writes, of a node that returned several commands.
void add_records(const Json& update, std::vector<const Json*>& records)
{
    const std::string channel(flows::step_channel);
    if (update.is_array()) {
        for (const auto& part : update)
            add_records(part, records);
        return;
    }
    if (!update.is_object())
        return;
    const auto found = update.find(channel);
    if (found == update.end())
        return;
    if (found->is_array())
        for (const auto& record : *found)
            records.push_back(&record);
    else if (found->is_object())
        records.push_back(&*found);
}

std::vector<const Json*> records_of(const Json& update)
{
    std::vector<const Json*> records;
    add_records(update, records);
    return records;
}

Json member_or_null(const Json& object, const char* name);

// {input_tokens, output_tokens} of all records of a task; null: it asked no model.
Json usage_of(const Json& ended)
{
    const auto result = ended.find("result");
    if (result == ended.end())
        return Json();
    std::int64_t input = 0, output = 0;
    bool used = false;
    for (const auto* record : records_of(*result)) {
        const auto usage = member_or_null(*record, "usage");
        if (!usage.is_object())
            continue;
        used = true;
        input += usage.value("input_tokens", std::int64_t{0});
        output += usage.value("output_tokens", std::int64_t{0});
    }
    return used ? Json{{"input_tokens", input}, {"output_tokens", output}} : Json();
}

Json member_or_null(const Json& object, const char* name)
{
    const auto found = object.find(name);
    return found == object.end() ? Json() : *found;
}

// {code, message}, as of a failure that the node's policy took: the engine keeps the kind of an error and its reason apart.
Json error_of_step(const Json& error)
{
    const auto reason = error.value("reason", std::string());
    return Json{{"code", reason.empty() ? error.value("code", std::string()) : reason},
                {"message", flows::in_drawn_words(error.value("message", std::string()))}};
}

// Of what runs below a task, as the engine names it.
std::string inner_namespace(const std::string& ns, const std::string& name, const std::string& id)
{
    return (ns.empty() ? "" : ns + "|") + name + ":" + id;
}

// Milliseconds since the epoch, or RFC 3339.
std::optional<UnixMillis> time_of(const Json& value)
{
    if (value.is_number_integer())
        return value.get<UnixMillis>();
    return value.is_string() ? parse_rfc3339(value.get<std::string>()) : std::nullopt;
}

}  // namespace

std::optional<Telling::Told> Telling::tell(const graph::Event& event)
{
    switch (event.mode) {
    case graph::Mode::tasks: return event.data.at("event") == "start" ? task_started(event) : task_ended(event);
    case graph::Mode::updates: return updated(event);
    case graph::Mode::messages: return message(event);
    case graph::Mode::custom: return Told{"custom", event.data};
    case graph::Mode::values:
    case graph::Mode::checkpoints:
    case graph::Mode::debug: return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Telling::Told> Telling::task_started(const graph::Event& event)
{
    if (event.ns.empty())
        superstep_ = event.data.at("step").get<std::int64_t>();
    const auto node_id = flow_.flow_node(event.ns, event.data.at("name").get<std::string>());
    const auto id = event.data.at("id").get<std::string>();
    auto& begun = started_.try_emplace(id, Begun{clock_.now(), superstep_, node_id}).first->second;
    begun.attempts = event.data.value("attempt", std::int64_t{1});
    if (node_id.empty())
        return std::nullopt;
    Json told{{"event", "start"}, {"id", id}, {"node_id", node_id}, {"step", superstep_}, {"attempt", begun.attempts}};
    if (event.data.value("replayed", false))
        told["replayed"] = true;
    return Told{std::string(mode_tasks), std::move(told)};
}

Step Telling::plain_step(const std::string& node_id, const std::string& task, std::string status) const
{
    Step step;
    step.task_id = task;
    step.node_id = node_id;
    step.status = std::move(status);
    const auto now = clock_.now();
    const auto found = started_.find(task);
    const auto begun = found == started_.end() ? Begun{now, superstep_, node_id} : found->second;
    step.step = begun.step;
    step.started_at = begun.at;
    step.attempts = begun.attempts;
    step.duration_ms = std::max<std::int64_t>(0, now - step.started_at);
    if (const auto open = open_.find(task)) {
        if (open->input)
            step.input = *open->input;
        const auto used = used_of(open->usage());
        step.tokens = used.tokens;
        step.cost_nano = used.cost_nano;
    }
    return step;
}

Step Telling::step_of(const Json& record, const std::string& task) const
{
    auto step = plain_step(record.value("node_id", ""), task, record.value("status", "succeeded"));
    step.input = member_or_null(record, "input");
    step.output = member_or_null(record, "output");
    if (auto error = member_or_null(record, "error"); !error.is_null())
        step.error = std::move(error);
    step.started_at = time_of(member_or_null(record, "started_at")).value_or(step.started_at);
    step.duration_ms = record.value("duration_ms", step.duration_ms);
    step.attempts = record.value("attempts", step.attempts);
    if (step.status == "skipped") {   // it did not run: what `task` knows is of the node that skipped it
        step.started_at = clock_.now();
        step.duration_ms = step.attempts = 0;
    }
    const auto used = used_of(member_or_null(record, "usage"));
    step.tokens = used.tokens;
    step.cost_nano = used.cost_nano;
    return step;
}

std::optional<Telling::Told> Telling::task_ended(const graph::Event& event)
{
    const auto id = event.data.at("id").get<std::string>();
    const auto name = event.data.at("name").get<std::string>();
    const auto node_id = flow_.flow_node(event.ns, name);
    const auto result = event.data.find("result"), error = event.data.find("error");
    if (event.ns.empty())   // a kept result is announced before anything starts
        superstep_ = event.data.at("step").get<std::int64_t>();
    std::vector<Step> steps;
    std::string begun_in;  // of a container
    if (result != event.data.end()) {
        for (const auto* record : records_of(*result)) {
            steps.push_back(step_of(*record, id));
            begun_in = record->value("task", begun_in);
            if (event.ns.empty())   // a container tells the superstep it began in
                steps.back().step = record->value("step", superstep_);
        }
        unclosed_.erase(id);
        if (!failed_node_.empty())
            forget_failure_in(inner_namespace(event.ns, name, id));
    } else if (error != event.data.end()) {
        if (auto step = failed_step(event, node_id, error_of_step(*error)))
            steps.push_back(std::move(*step));
    } else if (!node_id.empty()) {
        // The questions of a container's body belong to the nodes that ask.
        for (const auto& open : event.data.value("interrupts", Json::array()))
            if (open.at("node") == name && open.at("ns") == event.ns && steps.empty()) {
                steps.push_back(plain_step(node_id, id, "waiting"));
                steps.back().input = open.at("value");
            }
    }
    started_.erase(id);
    if (steps.empty() && node_id.empty())
        return std::nullopt;
    if (steps.empty() && result != event.data.end()) {  // a container begins: its end is that of its last round
        under_way_[{event.ns, node_id}] = id;
        return std::nullopt;
    }
    Json told{{"event", "end"}, {"id", id}, {"node_id", node_id.empty() ? steps.front().node_id : node_id}};
    if (node_id.empty())
        told["id"] = task_of_container(event.ns, steps.front().node_id, begun_in.empty() ? id : std::move(begun_in));
    if (event.data.value("cached", false))
        told["cached"] = true;
    if (auto usage = usage_of(event.data); !usage.is_null())
        told["usage"] = std::move(usage);
    told["steps"] = Json::array();
    for (auto& step : steps)
        told["steps"].push_back(told_step(std::move(step)));
    return Told{std::string(mode_tasks), std::move(told)};
}

// `otherwise`: of one that began elsewhere.
std::string Telling::task_of_container(const std::string& ns, const std::string& node_id, std::string otherwise)
{
    auto found = under_way_.extract({ns, node_id});
    return found.empty() ? otherwise : found.mapped();
}

// Nothing: what failed is no node of the flow, or its container decides yet whether that is a failure.
std::optional<Step> Telling::failed_step(const graph::Event& event, const std::string& node_id, Json error)
{
    const auto id = event.data.at("id").get<std::string>();
    const auto name = event.data.at("name").get<std::string>();
    const bool closing = node_id.empty() && name == flows::closing_node;
    // What a round says itself and not a node in it: its time is over.
    const bool round_failed = name.starts_with(flows::round_prefix) && error.at("code") != wrapped_error;
    const bool of_container = node_id.empty() && (name.starts_with(flows::driver_prefix) || round_failed);
    const auto blamed = of_container ? container(event.ns, name) : node_id;
    if (blamed.empty() && !closing) {
        auto held = unclosed_.extract(id);
        const bool ended_so = !held.empty() && error.at("code") == wrapped_error;
        return ended_so ? std::optional(std::move(held.mapped())) : std::nullopt;
    }
    const auto round = closing ? round_of(event.ns) : Round{blamed, {}};
    note_failure(event.ns, round.container, error);
    auto step = plain_step(round.container, id, "failed");
    step.error = std::move(error);
    if (!closing)
        return step;
    unclosed_.insert_or_assign(round.task, std::move(step));
    return std::nullopt;
}

std::vector<Telling::Told> Telling::cancelled() const
{
    std::vector<Told> all;
    for (const auto& [id, begun] : started_) {
        if (begun.node_id.empty())
            continue;
        Json told{{"event", "end"}, {"id", id}, {"node_id", begun.node_id}};
        told["steps"] = Json::array({told_step(plain_step(begun.node_id, id, "cancelled"))});
        all.push_back(Told{std::string(mode_tasks), std::move(told)});
    }
    return all;
}

void Telling::note_failure(const std::string& ns, const std::string& node_id, const Json& error)
{
    failed_node_ = node_id;
    failed_ns_ = ns;
    if (error.at("code") != wrapped_error)
        cause_ = Json{{"node_id", node_id}, {"code", error.at("code")}, {"message", error.at("message")}};
}

// Of a round that has a result nevertheless: its container goes on.
void Telling::forget_failure_in(std::string_view ns)
{
    if (!failed_ns_.starts_with(ns))
        return;
    failed_node_.clear();
    failed_ns_.clear();
    cause_ = Json();
}

// "b.out:task|b.loop:task" is a round of the loop.
Telling::Round Telling::round_of(std::string_view ns) const
{
    const auto bar = ns.rfind('|');
    const auto outside = bar == std::string_view::npos ? std::string_view() : ns.substr(0, bar);
    const auto inmost = bar == std::string_view::npos ? ns : ns.substr(bar + 1);
    const auto colon = std::min(inmost.find(':'), inmost.size());
    const auto name = inmost.substr(0, colon);
    return {container(outside, name), std::string(inmost.substr(std::min(colon + 1, inmost.size())))};
}

// That a helper of the compiler belongs to: "b.each" and "d.each" are of "each".
std::string Telling::container(std::string_view ns, std::string_view helper) const
{
    return helper.size() < 2 ? std::string() : flow_.flow_node(ns, "n" + std::string(helper.substr(1)));
}

Json Telling::question(const Json& interrupt) const
{
    return Json{
        {"id", interrupt.at("id")},
        {"node_id", flow_.flow_node(interrupt.at("ns").get<std::string>(), interrupt.at("node").get<std::string>())},
        {"value", interrupt.at("value")}};
}

std::optional<Telling::Told> Telling::updated(const graph::Event& event) const
{
    auto told = Json::object();
    for (const auto& [name, update] : event.data.items()) {
        if (name == "__metadata__")
            continue;
        if (name == "__interrupt__") {
            auto& open = told[name] = Json::array();
            for (const auto& interrupt : update)
                open.push_back(question(interrupt));
            continue;
        }
        for (const auto* record : records_of(update))
            if (record->value("status", "") == "succeeded")
                told[record->value("node_id", "")] = member_or_null(*record, "output");
    }
    if (told.empty())
        return std::nullopt;
    if (const auto mark = event.data.find("__metadata__"); mark != event.data.end())
        told["__metadata__"] = *mark;   // of a kept result that is announced again
    return Told{"updates", std::move(told)};
}

std::optional<Telling::Told> Telling::message(const graph::Event& event) const
{
    const auto& metadata = event.data.at(1);
    Json told{event.data.at(0), Json{{"node_id", flow_.flow_node(event.ns, metadata.at("node").get<std::string>())},
                                     {"task", metadata.at("task")},
                                     {"step", superstep_}}};
    return Told{"messages", std::move(told)};
}

}  // namespace dure::executions

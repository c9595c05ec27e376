// Fold; see replay.hpp.
#include "dure/events/replay.hpp"

#include <cmath>

namespace dure::events {

namespace {

// A null of these is a value to show.
bool has_whole_members(std::string_view type)
{
    return type == "Execution" || type == "Workflow" || type == "Session";
}

}  // namespace

bool Fold::apply(const model::Event& event)
{
    if ((end_.version && event.version > *end_.version) || (end_.time && event.created_at > *end_.time))
        return false;
    state_.aggregate_id = event.aggregate_id;
    state_.aggregate_type = event.aggregate_type;
    state_.owner_id = event.owner_id;
    state_.version = event.version;
    state_.at = event.created_at;
    if (event.event_type.starts_with("ExecutionStep"))
        put_step(event.data);
    else if (has_whole_members(event.aggregate_type))
        set_members(event.data);
    else
        state_.state.merge_patch(event.data);
    return true;
}

void Fold::set_members(const Json& data)
{
    for (const auto& [name, value] : data.items())
        if (name != "steps")
            state_.state[name] = value;
    const auto steps = data.find("steps");
    if (steps == data.end())
        return;
    state_.state["steps"] = Json::array();
    state_.state["tokens"] = 0;   // the sums are of these steps
    state_.state["cost"] = 0.0;
    for (const auto& step : *steps)
        put_step(step);
}

void Fold::put_step(const Json& step)
{
    auto& state = state_.state;
    auto& steps = state["steps"];
    const auto tokens = [](const Json& of) { return of.value("tokens", std::int64_t{0}); };
    const auto cost = [](const Json& of) { return std::llround(of.value("cost", 0.0) * 1e9); };
    auto all_tokens = state.value("tokens", std::int64_t{0});
    const auto [place, fresh] =
        steps_.try_emplace({step.value("node_id", ""), step.value("visit", std::int64_t{0})}, steps.size());
    if (fresh) {
        steps.push_back(step);
    } else {
        all_tokens -= tokens(steps[place->second]);
        cost_nano_ -= cost(steps[place->second]);
        steps[place->second] = step;
    }
    cost_nano_ += cost(step);
    state["tokens"] = all_tokens + tokens(step);
    state["cost"] = static_cast<double>(cost_nano_) / 1e9;
}

}  // namespace dure::events

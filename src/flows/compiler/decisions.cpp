// See decisions.hpp.
#include "flows/compiler/decisions.hpp"

#include <algorithm>

namespace dure::flows {

namespace {

std::string started_key(const PlannedNode& node)
{
    return "started " + node.node.id;
}

// join: how many it waits for and hands on (§3); none: all that come.
std::optional<std::size_t> wanted_by(const PlannedNode& node)
{
    if (node.node.kind != "join" || node.node.disabled)
        return std::nullopt;
    const auto wait = node.node.config.value("wait", "all");
    if (wait == "first")
        return 1;
    return wait == "n" ? std::optional(node.node.config.value("n", std::size_t{1})) : std::nullopt;
}

bool may_start(const PlannedNode& node, const Arrivals& arrivals)
{
    if (arrivals.taken.empty())
        return false;
    if (arrivals.open == 0)
        return true;
    const auto wanted = wanted_by(node);
    return wanted && arrivals.taken.size() >= *wanted;
}

}  // namespace

void Decisions::leave(std::size_t place, const std::set<std::string>& handles)
{
    for (const auto index : stage_.nodes[place].outgoing) {
        const auto& edge = stage_.edges[index];
        if (handles.contains(edge.handle))
            take(edge);
        else
            skip_edge(edge);
    }
}

void Decisions::skip(std::size_t place)
{
    const auto& node = stage_.nodes[place];
    skipped_.push_back(Json{{"node_id", node.told_id}, {"status", "skipped"}});
    for (const auto index : node.outgoing)
        skip_edge(stage_.edges[index]);
}

void Decisions::take(const PlannedEdge& edge)
{
    const auto& target = stage_.nodes[edge.target];
    if (target.incoming.size() > 1)
        return decide(edge, true);
    go(graph_name('n', target.node.id));
}

void Decisions::skip_edge(const PlannedEdge& edge)
{
    if (stage_.nodes[edge.target].incoming.size() > 1)
        return decide(edge, false);
    skip(edge.target);
}

void Decisions::decide(const PlannedEdge& edge, bool taken)
{
    edges_[edge.key] = taken;
    go(graph_name('g', stage_.nodes[edge.target].node.id));
}

void Decisions::go(std::string name)
{
    if (std::find(targets_.begin(), targets_.end(), name) == targets_.end())
        targets_.push_back(std::move(name));
}

void Decisions::write_to(graph::Update& update) const
{
    if (!update.values.is_object())
        update.values = Json::object();
    if (!edges_.empty())
        update.values["e"].update(edges_);
    if (!skipped_.empty()) {
        auto& steps = update.values[std::string(step_channel)];
        if (!steps.is_array())
            steps = Json::array();
        steps.insert(steps.end(), skipped_.begin(), skipped_.end());
    }
    for (const auto& name : targets_)
        update.go_to.emplace_back(name);
}

std::vector<std::size_t> started_by(const Stage& stage, const PlannedNode& node, const graph::State& state)
{
    if (node.incoming.size() < 2)
        return node.incoming;
    std::vector<std::size_t> taken;
    const auto* decided = state.find("e");
    if (!decided || !decided->contains(started_key(node)))
        return taken;
    const auto& keys = decided->at(started_key(node));
    for (const auto index : node.incoming)
        if (std::find(keys.begin(), keys.end(), stage.edges[index].key) != keys.end())
            taken.push_back(index);
    return taken;
}

Arrivals arrivals_at(const Stage& stage, const PlannedNode& node, const graph::State& state)
{
    Arrivals arrivals;
    const auto* decided = state.find("e");
    for (const auto index : node.incoming) {
        const auto found = decided ? decided->find(stage.edges[index].key) : Json::const_iterator();
        if (!decided || found == decided->end())
            ++arrivals.open;
        else if (*found == true)
            arrivals.taken.push_back(index);
    }
    return arrivals;
}

Json carried_by(const Stage& stage, const PlannedEdge& edge, const graph::State& state)
{
    const auto& source = stage.nodes[edge.source];
    const auto* output = state.find(graph_name('n', source.node.id));
    if (!output || !output->is_object())
        return {};
    if (edge.handle == "error")
        return output->value("error", Json());
    return output->value(source.main_output, Json());
}

Json input_of(const Stage& stage, const PlannedNode& node, const graph::State& state)
{
    if (node.incoming.empty()) {
        const auto* given = state.find(stage.kind == Stage::Kind::iteration ? "item" : "in");
        return given ? *given : Json();
    }
    const auto taken = started_by(stage, node, state);
    return taken.empty() ? Json() : carried_by(stage, stage.edges[taken.front()], state);
}

graph::NodeFunction gate_of(std::shared_ptr<const Stage> stage, std::size_t place)
{
    return [stage, place](graph::NodeContext& context) -> Task<Result<graph::Update>> {
        const auto& node = stage->nodes[place];
        const auto& state = context.state();
        graph::Update update(Json::object());
        const auto* decided = state.find("e");
        if (decided && decided->contains(started_key(node)))
            co_return update;
        const auto arrivals = arrivals_at(*stage, node, state);
        const bool starts = may_start(node, arrivals);
        if (!starts && arrivals.open > 0)
            co_return update;
        auto keys = Json::array();
        // Of those that came in one superstep, the first by the order of their edges.
        const auto most = wanted_by(node).value_or(arrivals.taken.size());
        for (const auto index : arrivals.taken)
            if (keys.size() < most)
                keys.push_back(stage->edges[index].key);
        update.values["e"] = Json::object();
        update.values["e"][started_key(node)] = std::move(keys);
        if (starts) {
            update.go_to.emplace_back(graph_name('n', node.node.id));
            co_return update;
        }
        Decisions decisions(*stage);
        decisions.skip(place);
        decisions.write_to(update);
        co_return update;
    };
}

}  // namespace dure::flows

// Stored forms; see frontier.hpp.
#include "graph/frontier.hpp"

#include <algorithm>

#include "graph/superstep.hpp"

namespace dure::graph {
namespace {

// S8: untracked channels do not enter a checkpoint by way of a Send either.
Json stored_argument(const Definition& definition, const Json& argument)
{
    if (!argument.is_object())
        return argument;
    auto kept = argument;
    for (std::size_t i = 0; i < definition.reducers.size(); ++i)
        if (!definition.reducers[i].tracked)
            kept.erase((*definition.channel_names)[i]);
    return kept;
}

Json sends_json(const Definition& definition, const std::vector<PlannedTask>& sends, ResultFor where)
{
    auto list = Json::array();
    for (const auto& send : sends) {
        auto one = Json::object();
        one["node"] = definition.nodes[send.node].name;
        one["argument"] = where == ResultFor::memory ? *send.argument : stored_argument(definition, *send.argument);
        if (send.timeout.count() > 0)
            one["timeout_ms"] = send.timeout.count();
        list.push_back(std::move(one));
    }
    return list;
}

std::vector<PlannedTask> sends_from(const Definition& definition, const Json& list, std::vector<std::string>& missing)
{
    std::vector<PlannedTask> sends;
    for (const auto& one : list) {
        const auto& name = one.at("node").get_ref<const std::string&>();
        const auto node = definition.find(name);
        if (!node) {
            missing.push_back(name);
            continue;
        }
        sends.push_back(PlannedTask{*node, std::make_shared<Json>(one.at("argument")),
                                    std::chrono::milliseconds(one.value("timeout_ms", std::int64_t{0}))});
    }
    return sends;
}

void collect_writes(const Update& update, Json& into)
{
    into.push_back(update.values);
    for (const auto& further : update.then)
        collect_writes(further, into);
}

void collect_durable_writes(const Definition& definition, const Update& update, Json& into)
{
    into.push_back(durable_values(definition, update.values));
    for (const auto& further : update.then)
        collect_durable_writes(definition, further, into);
}

const Json& list_in(const Json& object, const char* key)
{
    static const Json none = Json::array();
    const auto at = object.find(key);
    return at == object.end() ? none : *at;
}

void restore_arrived(const Definition& definition, const Json& frontier, Progress& into)
{
    const auto stored = frontier.find("arrived");
    if (stored == frontier.end())
        return;
    for (std::size_t e = 0; e < definition.waiting.size(); ++e) {
        const auto& edge = definition.waiting[e];
        const auto names = stored->find(edge.name);
        if (names == stored->end())
            continue;   // an edge that is new
        for (std::size_t i = 0; i < edge.from.size(); ++i)
            into.arrived[e][i] =
                std::find(names->begin(), names->end(), definition.nodes[edge.from[i]].name) != names->end();
    }
}

}  // namespace

Json frontier_of(const Definition& definition, const Progress& progress)
{
    auto frontier = Json::object();
    auto next = Json::array();
    for (std::size_t i = 0; i < progress.triggered.size(); ++i)
        if (progress.triggered[i])
            next.push_back(definition.nodes[i].name);
    frontier["next"] = std::move(next);
    if (!progress.sent.empty())
        frontier["sent"] = sends_json(definition, progress.sent, ResultFor::storage);
    for (std::size_t e = 0; e < definition.waiting.size(); ++e)
        for (std::size_t i = 0; i < progress.arrived[e].size(); ++i)
            if (progress.arrived[e][i])
                frontier["arrived"][definition.waiting[e].name].push_back(
                    definition.nodes[definition.waiting[e].from[i]].name);
    auto wrote = Json::array();
    for (const auto node : progress.wrote)
        wrote.push_back(definition.nodes[node].name);
    frontier["wrote"] = std::move(wrote);
    return frontier;
}

std::vector<std::string> restore_frontier(const Definition& definition, const Json& frontier, Progress& into)
{
    std::vector<std::string> missing;
    drop_open(into);
    for (const auto& name : list_in(frontier, "next")) {
        if (const auto node = definition.find(name.get_ref<const std::string&>()))
            into.triggered[*node] = true;
        else
            missing.push_back(name.get<std::string>());
    }
    into.sent = sends_from(definition, list_in(frontier, "sent"), missing);
    into.wrote.clear();
    for (const auto& name : list_in(frontier, "wrote"))
        if (const auto node = definition.find(name.get_ref<const std::string&>()))
            into.wrote.push_back(*node);
    restore_arrived(definition, frontier, into);
    return missing;
}

std::vector<std::string> unfinished_nodes(const std::string& thread, const Checkpoint& at,
                                          const std::set<std::string>& settled)
{
    std::vector<std::string> nodes;
    const auto add = [&](const std::string& node, const PlannedTask& task, std::size_t index) {
        if (!settled.contains(make_task_id(thread, at.ns, at.id, node, task, index)) &&
            std::find(nodes.begin(), nodes.end(), node) == nodes.end())
            nodes.push_back(node);
    };
    if (!at.frontier.is_object())
        return nodes;
    for (const auto& name : list_in(at.frontier, "next"))
        if (name.is_string())
            add(name.get<std::string>(), PlannedTask{0, nullptr, {}}, 0);
    std::size_t sent = 0;
    for (const auto& one : list_in(at.frontier, "sent"))
        if (const auto node = one.is_object() ? one.value("node", Json()) : Json(); node.is_string())
            add(node.get<std::string>(), PlannedTask{0, std::make_shared<Json>(), {}}, sent++);
    return nodes;
}

Json durable_values(const Definition& definition, const Json& values)
{
    if (definition.memory_only.empty() || !values.is_object())
        return values;
    auto kept = values;
    for (const auto& name : definition.memory_only)
        kept.erase(name);
    return kept;
}

Json result_json(const Definition& definition, const FinishedTask& task, ResultFor where)
{
    auto stored = Json::object();
    auto writes = Json::array();
    if (where == ResultFor::memory)
        collect_writes(task.update, writes);
    else
        collect_durable_writes(definition, task.update, writes);
    stored["writes"] = std::move(writes);
    auto nodes = Json::array();
    for (const auto node : task.destinations.nodes)
        nodes.push_back(definition.nodes[node].name);
    if (!nodes.empty())
        stored["nodes"] = std::move(nodes);
    if (!task.destinations.sends.empty())
        stored["sends"] = sends_json(definition, task.destinations.sends, where);
    return stored;
}

Result<FinishedTask> result_from(const Definition& definition, std::size_t node, const Json& stored)
{
    FinishedTask task;
    task.node = node;
    bool first = true;
    for (const auto& write : list_in(stored, "writes")) {
        if (first)
            task.update.values = write;
        else
            task.update.then.emplace_back(write);
        first = false;
    }
    std::vector<std::string> missing;
    for (const auto& name : list_in(stored, "nodes")) {
        if (const auto target = definition.find(name.get_ref<const std::string&>()))
            task.destinations.nodes.push_back(*target);
        else
            missing.push_back(name.get<std::string>());
    }
    task.destinations.sends = sends_from(definition, list_in(stored, "sends"), missing);
    if (!missing.empty())
        return Error(Errc::conflict, "The graph has changed: a finished task leads to '" + missing.front() +
                                         "', which it does not have.")
            .reason("GRAPH_VERSION_MISMATCH");
    return task;
}

Json error_json(const Error& error)
{
    auto stored = Json::object();
    stored["code"] = name_of(error.code());
    stored["message"] = error.message();
    if (!error.reason().empty())
        stored["reason"] = error.reason();
    return stored;
}

Error error_from(const Json& stored)
{
    auto code = Errc::internal;
    for (int i = 0; i <= static_cast<int>(Errc::storage_full); ++i)
        if (name_of(static_cast<Errc>(i)) == stored.value("code", ""))
            code = static_cast<Errc>(i);
    return Error(code, stored.value("message", "")).reason(stored.value("reason", ""));
}

Json shown_update(const Update& update)
{
    if (update.then.empty())
        return update.values;
    auto writes = Json::array();
    collect_writes(update, writes);
    return writes;
}

}  // namespace dure::graph

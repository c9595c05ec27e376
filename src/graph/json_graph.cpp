// From JSON to a StateGraph: reads every part, gathers every problem with its place. See json_graph.hpp.
#include "dure/graph/json_graph.hpp"

#include <algorithm>

namespace dure::graph {
namespace {

constexpr std::size_t most_nodes = 500;
constexpr int deepest_graph = 5;

std::string node_name(const std::string& name)
{
    return name == "START" ? std::string(start) : name == "END" ? std::string(end) : name;
}

// Reads one document; the problems of its sub-graphs come up with their place in front.
class Reader {
public:
    Reader(const FunctionRegistry& functions, std::string place, int depth)
        : functions_(functions), place_(std::move(place)), depth_(depth)
    {}

    std::optional<CompiledGraph> read(const Json& document);
    std::vector<std::string> problems;

private:
    void problem(const std::string& where, const std::string& text)
    {
        const auto place = place_ + (place_.empty() || where.empty() ? "" : ".") + where;
        problems.push_back(place + (place.empty() ? "" : " ") + text);
    }
    void only_keys(const Json& object, const std::string& where, std::initializer_list<const char*> known);
    std::vector<std::string> names(const Json& object, const char* key, const std::string& where);
    std::int64_t number(const Json& object, const char* key, std::int64_t otherwise, const std::string& where);
    std::map<std::string, std::string> name_map(const Json& object, const char* key, const std::string& where);
    const Json& part(const Json& object, const char* key, Json::value_t type, const std::string& where);

    void read_channels(const Json& document);
    void read_nodes(const Json& document);
    void read_node(const std::string& name, const Json& node);
    void read_subgraph(const std::string& name, const Json& node, NodeOptions options);
    NodeOptions read_options(const Json& node, const std::string& where);
    void read_edges(const Json& document);
    void read_conditional(const Json& edges, const std::string& where);

    const FunctionRegistry& functions_;
    std::string place_;
    int depth_;
    StateGraph graph_;
};

void Reader::only_keys(const Json& object, const std::string& where, std::initializer_list<const char*> known)
{
    for (const auto& [key, value] : object.items())
        if (std::find(known.begin(), known.end(), key) == known.end())
            problem(where + (where.empty() ? "" : ".") + key, "is no key of this object");
}

const Json& Reader::part(const Json& object, const char* key, Json::value_t type, const std::string& where)
{
    static const Json object_of_nothing = Json::object();
    static const Json list_of_nothing = Json::array();
    const Json& nothing = type == Json::value_t::object ? object_of_nothing : list_of_nothing;
    const auto at = object.find(key);
    if (at == object.end())
        return nothing;
    if (at->type() == type)
        return *at;
    problem(where + (where.empty() ? "" : ".") + key,
            type == Json::value_t::object ? "must be an object" : "must be a list");
    return nothing;
}

std::vector<std::string> Reader::names(const Json& object, const char* key, const std::string& where)
{
    std::vector<std::string> list;
    for (const auto& one : part(object, key, Json::value_t::array, where)) {
        if (one.is_string())
            list.push_back(node_name(one.get<std::string>()));
        else
            problem(where + (where.empty() ? "" : ".") + key, "must hold texts");
    }
    return list;
}

std::map<std::string, std::string> Reader::name_map(const Json& object, const char* key, const std::string& where)
{
    std::map<std::string, std::string> map;
    for (const auto& [from, to] : part(object, key, Json::value_t::object, where).items()) {
        if (to.is_string())
            map[from] = to.get<std::string>();
        else
            problem(where + "." + key + "." + from, "must be a text");
    }
    return map;
}

std::int64_t Reader::number(const Json& object, const char* key, std::int64_t otherwise, const std::string& where)
{
    const auto at = object.find(key);
    if (at == object.end())
        return otherwise;
    if (at->is_number_integer() && *at >= 0 && *at <= std::int64_t{86'400'000})
        return at->get<std::int64_t>();
    problem(where + "." + key, "must be a whole number from 0 to 86400000");
    return otherwise;
}

void Reader::read_channels(const Json& document)
{
    for (const auto& [name, channel] : part(document, "channels", Json::value_t::object, "").items()) {
        const auto where = "channels." + name;
        if (!channel.is_object()) {
            problem(where, "must be an object");
            continue;
        }
        only_keys(channel, where, {"reducer", "initial"});
        const auto reducer_name = channel.contains("reducer") ? channel.at("reducer") : Json("last");
        auto reducer = reducer_name.is_string() ? reducers::by_name(reducer_name.get<std::string>()) : std::nullopt;
        if (!reducer) {
            problem(where + ".reducer",
                    "is not one of last, append, sum, min, max, merge, union, messages, untracked, ephemeral");
            continue;
        }
        if (!channel.contains("initial")) {
            graph_.add_channel(name, std::move(*reducer));
            continue;
        }
        if (reducer->check_value)
            if (const auto wrong = reducer->check_value(channel.at("initial")))
                problem(where + ".initial", *wrong);
        graph_.add_channel(name, std::move(*reducer), channel.at("initial"));
    }
}

NodeOptions Reader::read_options(const Json& node, const std::string& where)
{
    NodeOptions options;
    if (const auto defer = node.find("defer"); defer != node.end()) {
        if (defer->is_boolean())
            options.defer = defer->get<bool>();
        else
            problem(where + ".defer", "must be true or false");
    }
    options.destinations = names(node, "destinations", where);
    options.input = names(node, "input", where);
    options.tags = names(node, "tags", where);
    options.timeouts.run = std::chrono::milliseconds(number(node, "timeout_ms", 0, where));
    options.timeouts.idle = std::chrono::milliseconds(number(node, "idle_timeout_ms", 0, where));
    const auto& retry = part(node, "retry", Json::value_t::object, where);
    if (!retry.empty()) {
        only_keys(retry, where + ".retry", {"attempts", "first_pause_ms", "factor", "longest_pause_ms", "jitter"});
        RetryPolicy policy;
        policy.attempts = static_cast<int>(std::min<std::int64_t>(number(retry, "attempts", 3, where + ".retry"), 100));
        if (policy.attempts < 1)
            problem(where + ".retry.attempts", "must be at least 1, the first one");
        policy.first_pause = std::chrono::milliseconds(number(retry, "first_pause_ms", 500, where + ".retry"));
        policy.longest_pause = std::chrono::milliseconds(number(retry, "longest_pause_ms", 128'000, where + ".retry"));
        if (const auto factor = retry.find("factor"); factor != retry.end()) {
            if (factor->is_number() && *factor >= 1 && *factor <= 100)
                policy.factor = factor->get<double>();
            else
                problem(where + ".retry.factor", "must be a number from 1 to 100");
        }
        if (const auto jitter = retry.find("jitter"); jitter != retry.end()) {
            if (jitter->is_boolean())
                policy.jitter = jitter->get<bool>();
            else
                problem(where + ".retry.jitter", "must be true or false");
        }
        options.retry.push_back(std::move(policy));
    }
    return options;
}

void Reader::read_subgraph(const std::string& name, const Json& node, NodeOptions options)
{
    const auto where = "nodes." + name;
    if (depth_ == deepest_graph) {
        problem(where + ".graph", "lies deeper than " + std::to_string(deepest_graph) + " graphs");
        return;
    }
    SubgraphOptions of;
    static_cast<NodeOptions&>(of) = std::move(options);
    of.input_map = name_map(node, "input_map", where);
    of.output_map = name_map(node, "output_map", where);
    const auto persistence = node.contains("persistence") ? node.at("persistence") : Json("inherit");
    if (persistence == "own" || persistence == true)   // true and false: the contract's words (G3)
        of.persistence = Persistence::own;
    else if (persistence == "none" || persistence == false)
        of.persistence = Persistence::none;
    else if (persistence != "inherit")
        problem(where + ".persistence", "must be one of inherit, own (true), none (false)");
    Reader inner(functions_, place_ + (place_.empty() ? "" : ".") + where + ".graph", depth_ + 1);
    auto compiled = inner.read(node.at("graph"));
    problems.insert(problems.end(), inner.problems.begin(), inner.problems.end());
    if (compiled)
        graph_.add_subgraph(name, std::move(*compiled), std::move(of));
}

void Reader::read_node(const std::string& name, const Json& node)
{
    const auto where = "nodes." + name;
    if (!node.is_object()) {
        problem(where, "must be an object");
        return;
    }
    if (node.contains("graph"))
        only_keys(node, where,
                  {"graph", "persistence", "input_map", "output_map", "defer", "input", "destinations", "tags", "retry",
                   "timeout_ms", "idle_timeout_ms"});
    else
        only_keys(
            node, where,
            {"function", "config", "defer", "input", "destinations", "tags", "retry", "timeout_ms", "idle_timeout_ms"});
    auto options = read_options(node, where);
    if (node.contains("graph"))
        return read_subgraph(name, node, std::move(options));
    const auto function = node.find("function");
    const auto* factory =
        function != node.end() && function->is_string() ? functions_.node(function->get<std::string>()) : nullptr;
    if (!factory) {
        problem(where + ".function", "names no function");
        return;
    }
    auto made = (*factory)(part(node, "config", Json::value_t::object, where));
    if (made)
        graph_.add_node(name, std::move(*made), std::move(options));
    else
        problem(where + ".config", made.error().message());
}

void Reader::read_nodes(const Json& document)
{
    const auto& nodes = part(document, "nodes", Json::value_t::object, "");
    if (nodes.size() > most_nodes)
        problem("nodes", "are more than " + std::to_string(most_nodes));
    else
        for (const auto& [name, node] : nodes.items())
            read_node(name, node);
}

void Reader::read_edges(const Json& document)
{
    std::size_t i = 0;
    for (const auto& edge : part(document, "edges", Json::value_t::array, "")) {
        const auto where = "edges[" + std::to_string(i++) + "]";
        const bool pair = edge.is_array() && edge.size() == 2 && edge.at(1).is_string();
        const bool several =
            pair && edge.at(0).is_array() &&
            std::all_of(edge.at(0).begin(), edge.at(0).end(), [](const Json& one) { return one.is_string(); });
        if (several)
            graph_.add_edge(edge.at(0).get<std::vector<std::string>>(), node_name(edge.at(1).get<std::string>()));
        else if (pair && edge.at(0).is_string())
            graph_.add_edge(node_name(edge.at(0).get<std::string>()), node_name(edge.at(1).get<std::string>()));
        else
            problem(where, "must be [from, to] or [[from, from], to]");
    }
}

void Reader::read_conditional(const Json& edges, const std::string& where)
{
    if (!edges.is_object() || !edges.contains("from") || !edges.at("from").is_string()) {
        problem(where, "must be an object with from and function");
        return;
    }
    only_keys(edges, where, {"from", "function", "config", "labels"});
    const auto function = edges.find("function");
    const auto* factory =
        function != edges.end() && function->is_string() ? functions_.route(function->get<std::string>()) : nullptr;
    if (!factory) {
        problem(where + ".function", "names no function");
        return;
    }
    auto made = (*factory)(part(edges, "config", Json::value_t::object, where));
    if (!made)
        return problem(where + ".config", made.error().message());
    const auto from = node_name(edges.at("from").get<std::string>());
    if (!edges.contains("labels")) {
        graph_.add_conditional_edges(from, std::move(*made));
        return;
    }
    auto labels = name_map(edges, "labels", where);
    for (auto& [label, target] : labels)
        target = node_name(target);
    graph_.add_conditional_edges(from, std::move(*made), std::move(labels));
}

std::optional<CompiledGraph> Reader::read(const Json& document)
{
    if (!document.is_object()) {
        problem("", place_.empty() ? "it must be an object" : "must be an object");
        return std::nullopt;
    }
    only_keys(
        document, "",
        {"channels", "nodes", "edges", "conditional_edges", "input", "output", "interrupt_before", "interrupt_after"});
    read_channels(document);
    read_nodes(document);
    read_edges(document);
    std::size_t i = 0;
    for (const auto& edges : part(document, "conditional_edges", Json::value_t::array, ""))
        read_conditional(edges, "conditional_edges[" + std::to_string(i++) + "]");
    CompileOptions options;
    options.input = names(document, "input", "");
    options.output = names(document, "output", "");
    options.interrupt_before = names(document, "interrupt_before", "");
    options.interrupt_after = names(document, "interrupt_after", "");
    if (!problems.empty())
        return std::nullopt;
    auto compiled = graph_.compile(options);
    if (compiled)
        return std::move(*compiled);
    for (const auto& one : compiled.error().extra().problems)
        problem("", one.message);
    return std::nullopt;
}

}  // namespace

FunctionRegistry& FunctionRegistry::add_node(std::string name, NodeFactory factory)
{
    nodes_[std::move(name)] = std::move(factory);
    return *this;
}

FunctionRegistry& FunctionRegistry::add_route(std::string name, RouteFactory factory)
{
    routes_[std::move(name)] = std::move(factory);
    return *this;
}

const FunctionRegistry::NodeFactory* FunctionRegistry::node(const std::string& name) const
{
    const auto at = nodes_.find(name);
    return at == nodes_.end() ? nullptr : &at->second;
}

const FunctionRegistry::RouteFactory* FunctionRegistry::route(const std::string& name) const
{
    const auto at = routes_.find(name);
    return at == routes_.end() ? nullptr : &at->second;
}

Result<CompiledGraph> compile_json(const Json& document, const FunctionRegistry& functions)
{
    Reader reader(functions, "", 1);
    if (auto compiled = reader.read(document); compiled && reader.problems.empty())
        return std::move(*compiled);
    std::string text = "The graph is not valid:";
    for (const auto& one : reader.problems)
        text += (&one == &reader.problems.front() ? " " : "; ") + one;
    return Error(Errc::invalid_argument, text + ".").reason("INVALID_GRAPH");
}

}  // namespace dure::graph

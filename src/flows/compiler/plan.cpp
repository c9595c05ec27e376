// Plans stages: nodes with their edges, parsed configs, policies, bodies. See stage.hpp.
#include <algorithm>

#include "dure/flows/kinds.hpp"
#include "flows/compiler/stage.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

constexpr int deepest_subflow_level = 5;

Error cannot_run(const Node& node, std::string reason, std::string message)
{
    const auto whole = "Node " + in_quotes(node.id) + " cannot run: " + std::move(message);
    return Error(Errc::invalid_argument, whole)
        .problem({{"nodes", node.id}, whole, reason, FieldProblem::Part{node.id, {}}})
        .reason(std::move(reason))
        .param(node.id);
}

std::string label_of(const Node& node)
{
    const auto* data = member(node.raw, "data");
    const auto* label = data ? member(*data, "label") : nullptr;
    return label && label->is_string() ? label->get<std::string>() : std::string();
}

bool is_attach(const Edge& edge)
{
    return edge.target_handle == "tools" || edge.target_handle == "worker" || edge.source_handle == "workers";
}

// Kept as they are written: schemas, and what has a parser of its own.
std::set<std::string_view> raw_fields(const Node& node)
{
    std::set<std::string_view> raw{"output_schema", "schema", "cases", "until", "ops"};
    if (node.kind == "iteration")
        raw.insert("output");
    return raw;
}

std::set<std::string_view> secret_fields(const Node& node)
{
    return node.kind == "http" ? std::set<std::string_view>{"headers", "auth", "query"} : std::set<std::string_view>{};
}

Result<ConfigTemplate> config_of(const Node& node)
{
    auto parsed = ConfigTemplate::parse(node.config, raw_fields(node), secret_fields(node));
    if (!parsed)
        return cannot_run(node, parsed.error().reason(), parsed.error().message());
    return parsed;
}

// `on` of a retry (§7), without it: what may pass.
std::function<bool(const Error&)> faults_named(const OrderedJson* list)
{
    if (!list || !list->is_array())
        return graph::is_passing_fault;
    std::set<std::string> words;
    for (const auto& word : *list)
        if (word.is_string())
            words.insert(word.get<std::string>());
    return [words](const Error& error) {
        if (error.reason() == crash_reason)
            return false;
        if (words.contains("any"))
            return error.code() != Errc::cancelled;
        if (error.code() == Errc::timeout)
            return words.contains("timeout");
        if (error.code() == Errc::rate_limited)
            return words.contains("rate_limit");
        return words.contains("upstream") && graph::is_passing_fault(error);
    };
}

graph::RetryPolicy retry_of(const OrderedJson& given)
{
    using std::chrono::milliseconds;
    graph::RetryPolicy retry;
    retry.attempts = given.value("max_attempts", 1);
    retry.first_pause = milliseconds(given.value("backoff_ms", std::int64_t{500}));
    retry.factor = given.value("factor", 2.0);
    retry.longest_pause = milliseconds(given.value("max_backoff_ms", std::int64_t{30'000}));
    retry.jitter = given.value("jitter", true);
    retry.matches = faults_named(member(given, "on"));
    return retry;
}

PlannedPolicy policy_of(const Node& node)
{
    PlannedPolicy policy;
    graph::RetryPolicy once;
    once.attempts = 1;
    policy.retry = once;
    if (!node.policy.is_object())
        return policy;
    policy.timeout = std::chrono::milliseconds(node.policy.value("timeout_ms", std::int64_t{0}));
    if (const auto* retry = member(node.policy, "retry"))
        policy.retry = retry_of(*retry);
    const auto on_error = node.policy.value("on_error", std::string("fail"));
    using OnError = PlannedPolicy::OnError;
    policy.on_error = on_error == "branch"     ? OnError::branch
                      : on_error == "default"  ? OnError::use_default
                      : on_error == "continue" ? OnError::go_on
                                               : OnError::fail;
    if (const auto* given = member(node.policy, "default"))
        policy.default_output = Json(*given);
    const auto on_crash = node.policy.value("on_crash", std::string("retry"));
    using OnCrash = PlannedPolicy::OnCrash;
    policy.on_crash = on_crash == "wait" ? OnCrash::wait : on_crash == "fail" ? OnCrash::fail : OnCrash::retry;
    return policy;
}

std::string main_output_of(const Node& node, const Kind& kind)
{
    if (node.kind == "prompt" && member(node.config, "messages"))
        return "messages";
    if (node.kind == "template" && node.config.value("as", "") == "json")
        return "json";
    return kind.main_output;
}

Result<ConditionGroup> conditions_of(const Node& node, const OrderedJson& written)
{
    Problems problems;
    auto group = ConditionGroup::compile(written, {}, node.id, problems);
    if (!group)
        return cannot_run(node, "condition_type",
                          problems.empty() ? "its condition is wrong" : problems.list().front().message);
    return std::move(*group);
}

class StagePlan {
public:
    StagePlan(const Document& document, const SubflowSource& subflows, int depth)
        : document_(document), subflows_(subflows), depth_(depth)
    {
        for (const auto& edge : document.edges)
            if (is_attach(edge))
                attached_.insert(edge.target_handle == "tools" ? edge.source : edge.target);
        for (const auto& edge : document.edges)
            if (!is_attach(edge))
                flowing_.insert({edge.source, edge.target});
    }

    Result<std::shared_ptr<const Stage>> plan(const std::string& parent, Stage::Kind kind, const std::string& prefix)
    {
        auto stage = std::make_shared<Stage>();
        stage->kind = kind;
        stage->prefix = prefix;
        add_state(*stage);
        const auto reached = reached_in(parent, stage->is_body());
        for (const auto& node : document_.nodes) {
            if (!reached.contains(node.id) || node.kind == "note" || hangs_on(node))
                continue;
            if (auto added = add_node(*stage, node); !added)
                return added.error();
        }
        add_edges(*stage);
        for (std::size_t i = 0; i < stage->nodes.size(); ++i)
            if (stage->nodes[i].incoming.empty() && (stage->is_body() || stage->nodes[i].node.kind == "start"))
                stage->entries.push_back(i);
        if (kind == Stage::Kind::subflow)
            stage->inputs = Json(document_.inputs);
        return std::shared_ptr<const Stage>(std::move(stage));
    }

private:
    // Used by another node only.
    bool hangs_on(const Node& node) const
    {
        if (!attached_.contains(node.id))
            return false;
        return std::none_of(flowing_.begin(), flowing_.end(),
                            [&](const auto& edge) { return edge.first == node.id || edge.second == node.id; });
    }

    // A node that nothing leads to is a warning (§9): it stays out, and nobody waits for its edges.
    std::set<std::string_view> reached_in(const std::string& parent, bool body) const
    {
        std::set<std::string_view> targets;
        for (const auto& [source, target] : flowing_)
            targets.insert(target);
        std::vector<std::string_view> open;
        for (const auto& node : document_.nodes)
            if (node.parent == parent && (body ? !targets.contains(node.id) : node.kind == "start"))
                open.push_back(node.id);
        std::set<std::string_view> reached(open.begin(), open.end());
        while (!open.empty()) {
            const auto source = open.back();
            open.pop_back();
            for (auto edge = flowing_.lower_bound({std::string(source), std::string()});
                 edge != flowing_.end() && edge->first == source; ++edge)
                if (reached.insert(edge->second).second)
                    open.push_back(edge->second);
        }
        return reached;
    }

    void add_state(Stage& stage) const
    {
        if (!document_.state.is_array())
            return;
        for (const auto& entry : document_.state) {
            StateVariable variable;
            variable.name = entry.value("name", "");
            variable.reducer = entry.value("reducer", "last");
            variable.session = entry.value("scope", "run") == "session";
            if (const auto* initial = member(entry, "default"))
                variable.initial = Json(*initial);
            stage.state.push_back(std::move(variable));
        }
    }

    Result<void> add_node(Stage& stage, const Node& node)
    {
        const auto* kind = find_kind(node.kind);
        if (!kind || !kind->available || node.kind == "unsupported")
            return cannot_run(node, node.kind == "unsupported" ? "unsupported_node" : "kind_not_available",
                              "there is no way to run a " + in_quotes(node.kind) + " here");
        PlannedNode planned;
        planned.node = node;
        planned.told_id = stage.prefix + node.id;
        planned.main_output = main_output_of(node, *kind);
        if (node.kind == "router")
            planned.cases_handle = "class";
        planned.handles = source_handles(*kind, node);
        planned.policy = policy_of(node);
        auto config = config_of(node);
        if (!config)
            return config.error();
        planned.config = std::move(*config);
        Asked asked;
        planned.config.gather(asked);
        planned.asks_now = asked.now;
        if (auto done = add_parts(planned); !done)
            return done;
        stage.places.emplace(node.id, stage.nodes.size());
        stage.nodes.push_back(std::move(planned));
        return {};
    }

    Result<void> add_parts(PlannedNode& planned)
    {
        const auto& node = planned.node;
        if (node.kind == "condition")
            return add_cases(planned);
        if (node.kind == "set")
            return add_operations(planned);
        if (node.kind == "agent" || node.kind == "supervisor")
            return add_attached(planned);
        if (node.disabled)
            return {};
        if (node.kind == "iteration" || node.kind == "loop")
            return add_body(planned);
        if (node.kind == "subflow")
            return add_subflow(planned);
        return {};
    }

    static Result<void> add_cases(PlannedNode& planned)
    {
        for (const auto& entry : planned.node.config.value("cases", OrderedJson::array())) {
            auto group = conditions_of(planned.node, entry);
            if (!group)
                return group.error();
            planned.cases.push_back({entry.value("id", ""), std::move(*group)});
        }
        return {};
    }

    static Result<void> add_operations(PlannedNode& planned)
    {
        for (const auto& entry : planned.node.config.value("ops", OrderedJson::array())) {
            const auto target = entry.value("target", std::string());
            const auto dot = target.find('.');
            if (dot == std::string::npos)
                return cannot_run(planned.node, "expression_unknown", "it sets " + in_quotes(target));
            const auto* given = member(entry, "value");
            auto value = ConfigTemplate::parse(OrderedJson::array({given ? *given : OrderedJson()}));
            if (!value)
                return cannot_run(planned.node, "expression_syntax", value.error().message());
            Asked asked;
            value->gather(asked);
            planned.asks_now = planned.asks_now || asked.now;
            planned.operations.push_back(
                {target.substr(0, dot), target.substr(dot + 1), entry.value("op", "set"), std::move(*value)});
        }
        return {};
    }

    Result<AttachedNode> attached(const Node& node) const
    {
        auto config = config_of(node);
        if (!config)
            return config.error();
        return AttachedNode{node.id, label_of(node), std::move(*config), {}};
    }

    Result<std::vector<AttachedNode>> tools_of(const Node& node) const
    {
        std::vector<AttachedNode> tools;
        for (const auto& edge : document_.edges) {
            const auto* tool =
                edge.target == node.id && edge.target_handle == "tools" ? document_.find_node(edge.source) : nullptr;
            if (!tool || tool->disabled)
                continue;
            auto one = attached(*tool);
            if (!one)
                return one.error();
            tools.push_back(std::move(*one));
        }
        return tools;
    }

    Result<void> add_attached(PlannedNode& planned) const
    {
        auto tools = tools_of(planned.node);
        if (!tools)
            return tools.error();
        planned.tools = std::move(*tools);
        for (const auto& edge : document_.edges) {
            const auto* worker = edge.source == planned.node.id && edge.source_handle == "workers"
                                     ? document_.find_node(edge.target)
                                     : nullptr;
            if (!worker || worker->disabled)
                continue;
            auto one = attached(*worker);
            if (!one)
                return one.error();
            auto own = tools_of(*worker);
            if (!own)
                return own.error();
            one->tools = std::move(*own);
            planned.workers.push_back(std::move(*one));
        }
        return {};
    }

    Result<void> add_body(PlannedNode& planned)
    {
        const auto& node = planned.node;
        const bool loop = node.kind == "loop";
        auto body = plan(node.id, loop ? Stage::Kind::loop : Stage::Kind::iteration,
                         planned.told_id.substr(0, planned.told_id.size() - node.id.size()));
        if (!body)
            return body.error();
        auto stage = std::make_shared<Stage>(**body);
        if (stage->entries.empty())
            return cannot_run(node, "body_empty", "it has no body");
        Asked asked;
        if (const auto* until = member(node.config, "until"); loop && until) {
            auto group = conditions_of(node, *until);
            if (!group)
                return group.error();
            for (const auto& used : group->templates())
                asked.add(*used.text);
            stage->until = std::move(*group);
        }
        if (const auto* output = member(node.config, "output"); !loop && output) {
            auto parsed = ConfigTemplate::parse(OrderedJson::array({*output}));
            if (!parsed)
                return cannot_run(node, "expression_syntax", parsed.error().message());
            parsed->gather(asked);
            stage->result = std::move(*parsed);
        }
        for (const auto& entry : node.config.value("vars", OrderedJson::array()))
            stage->variables.push_back(entry.value("name", ""));
        gather_body(*stage, asked);
        for (const auto& part : asked.nodes)
            if (!stage->find(part.first))
                stage->outer.insert(part);
        stage->start_read = std::move(asked.start);
        stage->state_used = std::move(asked.state);
        planned.body = std::move(stage);
        return {};
    }

    static void gather_body(const Stage& stage, Asked& asked)
    {
        for (const auto& planned : stage.nodes) {
            planned.config.gather(asked);
            for (const auto& one : planned.cases)
                for (const auto& used : one.holds.templates())
                    asked.add(*used.text);
            for (const auto& operation : planned.operations) {
                operation.value.gather(asked);
                if (!only_adds(stage, operation))
                    asked.state.insert(operation.name);
            }
            gather_attached(planned.tools, asked);
            gather_attached(planned.workers, asked);
            if (planned.body && planned.body->is_body()) {
                asked.nodes.insert(planned.body->outer.begin(), planned.body->outer.end());
                asked.start.insert(planned.body->start_read.begin(), planned.body->start_read.end());
                asked.state.insert(planned.body->state_used.begin(), planned.body->state_used.end());
            } else if (planned.body) {
                asked.start.emplace("user_id", "");   // goes on into sub-flows
            }
        }
    }

    // What it leaves does not depend on what was there.
    static bool only_adds(const Stage& stage, const PlannedOperation& operation)
    {
        if (operation.root == "loop")
            return true;
        const auto* variable = stage.find_state(operation.name, operation.root == "session");
        return variable && variable->reducer == "append" && operation.op == "append";
    }

    static void gather_attached(const std::vector<AttachedNode>& list, Asked& asked)
    {
        for (const auto& one : list) {
            one.config.gather(asked);
            gather_attached(one.tools, asked);
        }
    }

    Result<void> add_subflow(PlannedNode& planned)
    {
        const auto& node = planned.node;
        if (node.config.value("wait", OrderedJson(true)) == false)
            return cannot_run(node, "subflow_wait", "wait: false is not available, a flow waits for its sub-flows");
        const auto text = [&](const char* key) {
            const auto* value = member(node.config, key);
            return value ? text_of(Json(*value)) : std::string();
        };
        const auto* document = subflows_ ? subflows_(text("flow"), text("version")) : nullptr;
        if (!document)
            return cannot_run(node, "flow_unknown", "there is no flow " + in_quotes(text("flow")));
        if (depth_ >= deepest_subflow_level)
            return cannot_run(node, "subflow_cycle", "flows are nested deeper than five");
        auto body = plan_flow(*document, subflows_, planned.told_id + "/", depth_ + 1);
        if (!body)
            return body.error();
        planned.body = std::move(*body);
        return {};
    }

    void add_edges(Stage& stage) const
    {
        for (const auto& edge : document_.edges) {
            const auto source = stage.places.find(edge.source);
            const auto target = stage.places.find(edge.target);
            if (is_attach(edge) || source == stage.places.end() || target == stage.places.end())
                continue;
            const auto index = stage.edges.size();
            stage.edges.push_back({source->second, target->second, edge.source_handle, std::to_string(index)});
            stage.nodes[source->second].outgoing.push_back(index);
            stage.nodes[target->second].incoming.push_back(index);
        }
    }

    const Document& document_;
    const SubflowSource& subflows_;
    const int depth_;
    std::set<std::string> attached_;
    std::set<std::pair<std::string, std::string>> flowing_;
};

}  // namespace

const StateVariable* Stage::find_state(std::string_view name, bool session) const
{
    for (const auto& variable : state)
        if (variable.name == name && variable.session == session)
            return &variable;
    return nullptr;
}

Result<std::shared_ptr<const Stage>> plan_flow(const Document& document, const SubflowSource& subflows,
                                               std::string prefix, int depth)
{
    const auto whole = drawn(document);
    auto stage =
        StagePlan(whole, subflows, depth).plan("", depth == 0 ? Stage::Kind::flow : Stage::Kind::subflow, prefix);
    if (!stage)
        return stage;
    if ((*stage)->entries.empty()) {
        const auto* why = "The flow has nothing to run: it needs a start node, or settings that draw one.";
        return Error(Errc::invalid_argument, why)
            .problem({{"nodes"}, why, "start_missing", FieldProblem::Part{}})
            .reason("start_missing");
    }
    return stage;
}

}  // namespace dure::flows

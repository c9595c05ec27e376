// compile_flow(): the stages of a document become graphs, from the inside out; see compiler.hpp and stage.hpp.
#include <algorithm>

#include "dure/flows/inputs.hpp"
#include "flows/compiler/containers.hpp"
#include "flows/compiler/node_run.hpp"
#include "flows/compiler/operations.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

constexpr std::int64_t usual_steps = 500;

// Told and forgotten: steps are read out of the events of the tasks.
graph::Reducer told_only()
{
    graph::Reducer reducer;
    reducer.name = "told";
    reducer.tracked = false;
    reducer.in_results = true;   // a kept result is told again
    reducer.in_place = true;
    reducer.initial = Json::array();  // what is changed in place must be there
    reducer.apply = [](Json&, const Json&) { return Result<void>(); };
    return reducer;
}

graph::Reducer reducer_named(const std::string& name)
{
    if (name == "append")
        return graph::reducers::append();
    if (name == "add")
        return graph::reducers::sum();
    return name == "merge" ? graph::reducers::merge() : graph::reducers::last();
}

class Build {
public:
    explicit Build(std::shared_ptr<const Stage> stage) : stage_(std::move(stage)) {}

    Result<graph::CompiledGraph> build()
    {
        add_channels();
        for (std::size_t i = 0; i < stage_->nodes.size(); ++i)
            if (auto added = add_node(i); !added)
                return added.error();
        for (const auto entry : stage_->entries)
            graph_.add_edge(graph::start, graph_name('n', stage_->nodes[entry].node.id));
        if (stage_->kind != Stage::Kind::flow) {
            graph::NodeOptions last;
            last.defer = true;
            last.counts = false;
            graph_.add_node(std::string(closing_node), closing_of(stage_), last);
            graph_.add_edge(graph::start, std::string(closing_node));
        }
        graph::CompileOptions options;
        if (stage_->kind == Stage::Kind::flow) {
            options.output = {"r", "o", "leaf"};
            for (const auto& variable : stage_->state)
                if (variable.session)
                    options.output.push_back("s." + variable.name);
            if (has_session_changes())
                options.output.emplace_back(session_channel);
        }
        return graph_.compile(options);
    }

private:
    bool has_session_changes() const
    {
        return stage_->kind == Stage::Kind::flow &&
               std::any_of(stage_->state.begin(), stage_->state.end(), [](const auto& one) { return one.session; });
    }

    void add_channels()
    {
        graph_.add_channel("start").add_channel("e", graph::reducers::merge());
        graph_.add_channel("r", graph::reducers::append()).add_channel("leaf", graph::reducers::append());
        graph_.add_channel("o", graph::reducers::merge()).add_channel(std::string(step_channel), told_only());
        for (const auto& variable : stage_->state) {
            auto reducer = reducer_named(variable.reducer);
            if (variable.initial)
                graph_.add_channel("s." + variable.name, std::move(reducer), *variable.initial);
            else
                graph_.add_channel("s." + variable.name, std::move(reducer));
        }
        if (has_session_changes())
            graph_.add_channel(std::string(session_channel), session_changes(stage_->state));
        if (stage_->kind == Stage::Kind::flow)
            return;
        graph_.add_channel("done").add_channel("context").add_channel("in").add_channel("ops",
                                                                                        graph::reducers::append());
        if (stage_->kind == Stage::Kind::iteration)
            graph_.add_channel("item").add_channel("index");
        if (stage_->kind == Stage::Kind::loop)
            graph_.add_channel("count");
        for (const auto& name : stage_->variables)
            graph_.add_channel("v." + name);
    }

    // Where a node's edges may lead: its targets, their gates, and what hangs on skipped ones.
    void add_targets(std::size_t place, std::set<std::string>& targets, std::set<std::size_t>& visited) const
    {
        if (!visited.insert(place).second)
            return;
        for (const auto index : stage_->nodes[place].outgoing) {
            const auto target = stage_->edges[index].target;
            const auto& node = stage_->nodes[target];
            if (node.incoming.size() > 1) {
                targets.insert(graph_name('g', node.node.id));
                continue;
            }
            targets.insert(graph_name('n', node.node.id));
            add_targets(target, targets, visited);   // when it is skipped
        }
    }
    std::vector<std::string> targets_of(std::size_t place) const
    {
        std::set<std::string> targets;
        std::set<std::size_t> visited;
        add_targets(place, targets, visited);
        return {targets.begin(), targets.end()};
    }

    Result<void> add_node(std::size_t place)
    {
        const auto& planned = stage_->nodes[place];
        const auto name = graph_name('n', planned.node.id);
        graph_.add_channel(name);
        if (planned.incoming.size() > 1) {
            graph::NodeOptions gate;
            gate.counts = false;
            gate.destinations = targets_of(place);
            gate.destinations.push_back(name);
            gate.retry = {*planned.policy.retry};
            graph_.add_node(graph_name('g', planned.node.id), gate_of(stage_, place), gate);
        }
        graph::NodeOptions options;
        options.destinations = targets_of(place);
        options.retry = {*planned.policy.retry};
        options.on_error = error_handler_of(stage_, place);
        if (is_container(planned))
            options.destinations.push_back(graph_name('d', planned.node.id));
        else
            options.timeouts.run = planned.policy.timeout;
        graph_.add_node(name, node_of(stage_, place), options);
        return is_container(planned) ? add_container(place) : Result<void>();
    }

    Result<void> add_container(std::size_t place)
    {
        const auto& planned = stage_->nodes[place];
        const auto& id = planned.node.id;
        const bool iteration = planned.node.kind == "iteration";
        graph_.add_channel(graph_name('k', id));
        graph_.add_channel(graph_name('c', id), iteration ? graph::reducers::append() : graph::reducers::last());
        if (iteration)
            graph_.add_channel(graph_name('i', id));
        auto inner = build_graph(planned.body);
        if (!inner)
            return inner.error();
        // Rounds end by the container's own bound; what runs inside of one counts on its own level (graph-semantics P6, G5).
        graph::SubgraphOptions body;
        body.counts = false;
        body.input_map = {{"in", ""}};   // rounds are sent with an input of their own
        body.output_map = {{graph_name('c', id), "done"}};
        body.timeouts.run = planned.policy.timeout;
        // A repeat goes on where the round failed (graph-semantics G5): what it has finished does not run again.
        body.retry = {*planned.policy.retry};
        body.on_error = body_error_handler(planned);
        graph_.add_subgraph(graph_name('b', id), std::move(*inner), std::move(body));
        graph::NodeOptions driver;
        driver.counts = false;
        driver.destinations = targets_of(place);
        driver.destinations.push_back(graph_name('b', id));
        driver.destinations.push_back(graph_name('d', id));
        graph::RetryPolicy once;
        once.attempts = 1;
        driver.retry = {once};
        graph_.add_node(graph_name('d', id), driver_of(stage_, place), driver);
        graph_.add_edge(graph_name('b', id), graph_name('d', id));
        return {};
    }

    std::shared_ptr<const Stage> stage_;
    graph::StateGraph graph_;
};

// The stage a namespace leads to: "b.loop:task|b.call:task".
const Stage* stage_at(const Stage* stage, std::string_view ns)
{
    while (!ns.empty() && stage) {
        const auto bar = ns.find('|');
        const auto part = ns.substr(0, bar);
        const auto* planned = stage->find(id_of_graph_name(part.substr(0, part.find(':'))));
        stage = planned ? planned->body.get() : nullptr;
        ns = bar == std::string_view::npos ? std::string_view() : ns.substr(bar + 1);
    }
    return stage;
}

Json message_of(const Json& leaf)
{
    return leaf.is_string() ? leaf : leaf.is_null() ? Json("") : Json(text_of(leaf));
}

// What a flow without a reply answers: of an end with one output that is a text, that text.
Json answer_of(const Json& leaf, const Json& outputs)
{
    if (leaf.is_object() && leaf.size() == 1 && leaf == outputs && leaf.begin()->is_string())
        return *leaf.begin();
    return message_of(leaf);
}

// Otherwise a reducer would have to go on from what it cannot fold.
bool holds(const Json& state, const std::string& name, const Json& value)
{
    return !state.is_array() || std::all_of(state.begin(), state.end(), [&](const Json& declared) {
        return declared.value("name", "") != name || fits_variable(declared, value);
    });
}

bool of_session(const Json& state, const std::string& name)
{
    return state.is_array() && std::any_of(state.begin(), state.end(), [&](const Json& declared) {
        return declared.value("name", "") == name && declared.value("scope", "run") == "session";
    });
}

}  // namespace

Result<graph::CompiledGraph> build_graph(std::shared_ptr<const Stage> stage)
{
    return Build(std::move(stage)).build();
}

Result<CompiledFlow> compile_flow(const Document& document, const SubflowSource& subflows)
{
    auto stage = plan_flow(document, subflows, "", 0);
    if (!stage)
        return stage.error();
    auto graph = build_graph(*stage);
    if (!graph)
        return graph.error();
    const auto flow_node = [stage = *stage](std::string_view ns, std::string_view name) {
        const auto* at = stage_at(stage.get(), ns);
        if (!at || !name.starts_with("n."))
            return std::string();
        const auto* planned = at->find(id_of_graph_name(name));
        return planned ? planned->told_id : std::string();
    };
    CompiledFlow flow{std::move(*graph), flow_node, usual_steps, Json(document.state)};
    if (document.limits.is_object())
        flow.max_steps = document.limits.value("max_steps", usual_steps);
    return flow;
}

Json flow_input(const RunFacts& facts)
{
    Json input{
        {"start",
         {{"message", facts.message}, {"inputs", facts.inputs}, {"files", facts.files}, {"user_id", facts.user_id}}}};
    for (const auto& [name, value] : facts.session_state.items())
        input["s." + name] = graph::overwrite(value);
    return input;
}

Json flow_result(const Json& graph_output)
{
    const auto list = [&](const char* key) {
        const auto found = graph_output.find(key);
        return found == graph_output.end() ? Json::array() : *found;
    };
    const auto replies = list("r");
    const auto leaves = list("leaf");
    std::string text;
    for (const auto& reply : replies)
        text += (text.empty() ? "" : "\n\n") + reply.value("text", std::string());
    const auto outputs = graph_output.value("o", Json::object());
    Json result{{"text", replies.empty() ? (leaves.empty() ? Json("") : answer_of(leaves.back().at("value"), outputs))
                                         : Json(text)},
                {"outputs", outputs},
                {"replies", replies}};
    auto session = Json::object();
    for (const auto& [key, value] : graph_output.items())
        if (key.starts_with("s."))
            session[key.substr(2)] = value;
    if (!session.empty())
        result["session_state"] = std::move(session);
    if (const auto changes = graph_output.find(session_channel); changes != graph_output.end())
        result["session_changes"] = *changes;
    return result;
}

std::map<std::string, std::int64_t> containers_under_way(const CompiledFlow& flow, const Json& values)
{
    std::map<std::string, std::int64_t> began;
    for (const auto& [channel, progress] : values.items())
        if (channel.starts_with("k.") && progress.is_object() && progress.contains("step"))
            began.emplace(flow.flow_node("", graph_name('n', drawn_id(channel))), progress["step"].get<std::int64_t>());
    return began;
}

Result<Json> patched_values(const CompiledFlow& flow, const Json& values, const std::vector<std::string>& next,
                            const Json& patch)
{
    const auto refused = [](std::vector<std::string> place, const std::string& message) {
        place.insert(place.begin(), {"body", "patch"});
        return Error(Errc::invalid_argument, message)
            .reason("patch_invalid")
            .param("patch")
            .problem({std::move(place), message, "value_error"});
    };
    if (!patch.is_object())
        return refused({}, "patch must be an object with nodes and state.");
    auto changed = values;
    const auto channels = flow.graph.channels();
    const auto has = [&](const std::string& name) {
        return std::find(channels.begin(), channels.end(), name) != channels.end();
    };
    const auto runs_next = [&](const std::string& name) {
        return std::any_of(next.begin(), next.end(), [&](const std::string& node) { return drawn_id(node) == name; });
    };
    for (const auto& [part, members] : patch.items()) {
        if ((part != "nodes" && part != "state") || !members.is_object())
            return refused({part}, "A patch has the members nodes and state, objects by name.");
        for (const auto& [name, value] : members.items()) {
            const auto channel = part == "nodes" ? graph_name('n', name) : "s." + name;
            if (!has(channel))
                return refused({part, name}, "The flow has no " + std::string(part == "nodes" ? "node " : "state ") +
                                                 in_quotes(name) + ".");
            if (part == "nodes" && runs_next(name))
                return refused({part, name}, "The node " + in_quotes(name) +
                                                 " runs in the step the fork begins at: its own "
                                                 "output takes the place of this one. Fork at a step behind it.");
            if (part == "nodes" && !value.is_object())
                return refused({part, name}, "The output of " + in_quotes(name) + " must be an object.");
            if (part == "state" && !holds(flow.state, name, value))
                return refused({part, name}, "The state " + in_quotes(name) + " cannot hold this value.");
            changed[channel] = value;
            if (part == "state" && of_session(flow.state, name))
                changed[std::string(session_channel)][name] = Json{{"replaced", true}};
        }
    }
    return changed;
}

namespace {

// A field of a question: its default where nothing is given, else of its type and among its options. The problem; empty: none.
std::string fill_field(const Json& field, Json& given)
{
    const auto part = [&](const char* key) {
        const auto found = field.is_object() ? field.find(key) : field.end();
        return field.is_object() && found != field.end() ? *found : Json();
    };
    if (!part("name").is_string())
        return {};
    const auto name = part("name").get<std::string>();
    const auto value = given.find(name);
    if (value == given.end() || value->is_null()) {
        if (!part("default").is_null())
            given[name] = part("default");
        else if (part("required") == true)
            return "The field '" + name + "' is required.";
        return {};
    }
    const auto type = part("type");
    if (type.is_string() && !fits_type(type.get<std::string>(), *value))
        return "The field '" + name + "' must be of type " + type.get<std::string>() + ".";
    const auto options = part("options");
    const bool closed =
        options.is_array() && !options.empty() &&
        std::none_of(options.begin(), options.end(), [](const Json& one) { return one.is_structured(); });
    if (closed && !is_offered(options, *value))
        return "The field '" + name + "' must be one of " + dump(options) + ".";
    return {};
}

}  // namespace

Result<Json> check_answer(const Json& question, Json answer)
{
    if (!question.is_object() || !question.contains("actions"))
        return answer;
    if (answer.is_object() && answer.size() == 1 && answer.value("timeout", Json()) == true)
        return answer;
    const auto wrong = [](const char* field, std::string message) {
        return Error(Errc::invalid_argument, message)
            .reason("answer_invalid")
            .param(field)
            .problem({{"body", field}, message, "value_error"});
    };
    const auto action = answer.is_object() ? answer.value("action", Json()) : Json();
    const auto& offered = question.at("actions");
    const bool known = offered.is_array() && std::any_of(offered.begin(), offered.end(), [&](const Json& one) {
                           return one.is_object() ? one.value("id", Json()) == action : one == action;
                       });
    if (!action.is_string() || !known)
        return wrong("action", "This action is not offered.");
    const auto fields = answer.find("fields");
    if (fields != answer.end() && !fields->is_null() && !fields->is_object())
        return wrong("fields", "must be an object");
    auto filled = fields != answer.end() && fields->is_object() ? *fields : Json::object();
    for (const auto& field : question.value("fields", Json::array()))
        if (auto problem = fill_field(field, filled); !problem.empty())
            return wrong("fields", std::move(problem));
    if (!filled.empty())
        answer["fields"] = std::move(filled);
    return answer;
}

}  // namespace dure::flows

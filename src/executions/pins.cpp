// See pins.hpp.
#include "executions/pins.hpp"

#include "dure/flows/expression.hpp"

namespace dure::executions {

namespace {

struct Wanted {
    std::string node_id, flow, version;
    std::int64_t depth = 1;
};

// What the sub-flow nodes of a document name.
void add_wanted(const flows::Document& document, std::int64_t depth, std::vector<Wanted>& wanted)
{
    for (const auto& node : document.nodes) {
        if (node.kind != "subflow" || !node.config.is_object() || !node.config.contains("flow"))
            continue;
        Wanted one;
        one.node_id = node.id;
        one.flow = flows::text_of(Json(node.config.at("flow")));
        if (const auto version = node.config.find("version"); version != node.config.end())
            one.version = flows::text_of(Json(*version));
        one.depth = depth;
        wanted.push_back(std::move(one));
    }
}

Error too_deep(const std::string& flow)
{
    return Error(Errc::invalid_argument, "Sub-flows are nested deeper than " + std::to_string(deepest_subflow) +
                                             " at \"" + flow + "\", or call each other in a circle.")
        .reason("subflow_cycle");
}

// The flow that was asked for is there: a sub-flow that is not is a fault of its document.
Error unknown_subflow(const Wanted& wanted, const Error& cause)
{
    const auto message = "Node '" + wanted.node_id + "' calls the flow \"" + wanted.flow +
                         "\", which is not there to run: " + cause.message();
    return Error(Errc::invalid_argument, message)
        .reason("flow_unknown")
        .param("flow")
        .problem({{"nodes", wanted.node_id, "data", "config", "flow"},
                  message,
                  "flow_unknown",
                  FieldProblem::Part{wanted.node_id, {}}});
}

Task<Result<RunnableFlow>> find_subflow(FlowSource& flows, const Caller& caller, const Wanted& wanted)
{
    if (!wanted.version.empty())
        co_return co_await flows.find(caller, wanted.flow, wanted.version);
    auto published = co_await flows.find(caller, wanted.flow, "published");
    if (published || published.error().reason() != "flow_not_published")
        co_return published;
    co_return co_await flows.find(caller, wanted.flow, "draft");
}

// A published version runs with the models it was published with, whatever else a bound key opens.
void add_models(const RunnableFlow& flow, flows::Rights& rights)
{
    if (!rights.models || !flow.published)
        return;
    for (auto& name : flows::models_named(*flow.document))
        if (!rights.may_ask(name))
            rights.models->push_back(std::move(name));
}

}  // namespace

std::string subflow_key(std::string_view flow, std::string_view version)
{
    return std::string(flow) + "@" + std::string(version);
}

Task<Result<Json>> find_pins(FlowSource& flows, Caller caller, const RunnableFlow& flow, flows::Rights& rights)
{
    auto pins = Json::object();
    add_models(flow, rights);
    if (flow.published)
        caller.models = std::nullopt;
    std::vector<Wanted> wanted;
    add_wanted(*flow.document, 1, wanted);
    while (!wanted.empty()) {
        const auto one = std::move(wanted.back());
        wanted.pop_back();
        if (one.depth > deepest_subflow)
            co_return too_deep(one.flow);
        const auto found = co_await find_subflow(flows, caller, one);
        if (!found)
            co_return found.error().code() == Errc::not_found ? unknown_subflow(one, found.error()) : found.error();
        add_models(*found, rights);
        pins[subflow_key(one.flow, one.version)] = Json{{"id", found->id}, {"version", found->version}};
        add_wanted(*found->document, one.depth + 1, wanted);
        if (wanted.size() > 10'000)
            co_return too_deep(one.flow);
    }
    co_return pins;
}

Task<Result<SubflowDocuments>> load_pins(FlowSource& flows, Json pins)
{
    SubflowDocuments documents;
    for (const auto& [key, pin] : pins.items()) {
        auto found = co_await flows.pinned(pin.at("id").get<std::string>(), pin.at("version").get<std::int64_t>());
        if (!found)
            co_return found.error();
        documents[key] = found->document;
    }
    co_return documents;
}

}  // namespace dure::executions

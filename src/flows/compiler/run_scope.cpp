// See run_scope.hpp. Found values lie in the snapshot of the superstep; made ones are kept here.
#include "flows/compiler/run_scope.hpp"

namespace dure::flows {

const Json* RunScope::find(Root root, std::string_view name) const
{
    const auto key = std::pair(root, std::string(name));
    if (const auto found = known_.find(key); found != known_.end())
        return found->second;
    return known_[key] = look_up(root, name);
}

const Json* RunScope::look_up(Root root, std::string_view name) const
{
    switch (root) {
    case Root::input: return &input_;
    case Root::start: {
        const auto* start = state_.find("start");
        const auto found = start ? start->find(name) : Json::const_iterator();
        return start && found != start->end() ? &*found : nullptr;
    }
    case Root::nodes:
        if (stage_.find(name))
            return state_.find(graph_name('n', name));
        return of_context("nodes", name);
    case Root::state: return state_.find("s." + std::string(name));
    case Root::item: return stage_.kind == Stage::Kind::iteration ? state_.find("item") : of_context("item", {});
    case Root::index: return stage_.kind == Stage::Kind::iteration ? state_.find("index") : of_context("index", {});
    case Root::loop:
        if (stage_.kind != Stage::Kind::loop)
            return of_context("loop", name);
        return state_.find(name == "count" ? "count" : "v." + std::string(name));
    case Root::session: return of_session(name);
    case Root::run:
    case Root::flow: return of_run(root, name);
    case Root::vars:
    case Root::secrets: return of_vault(root, name);
    case Root::step: return name == "now" && !now_.is_null() ? &now_ : nullptr;
    }
    return nullptr;
}

// What a body was given of the stages around it.
const Json* RunScope::of_context(const char* part, std::string_view name) const
{
    const auto* context = state_.find("context");
    const auto found = context ? context->find(part) : Json::const_iterator();
    if (!context || found == context->end())
        return nullptr;
    if (name.empty())
        return &*found;
    const auto inner = found->find(name);
    return inner == found->end() ? nullptr : &*inner;
}

const Json* RunScope::of_session(std::string_view name) const
{
    if (stage_.find_state(name, true))
        return state_.find("s." + std::string(name));
    if (name == "id")
        return keep(run_.facts.session_id);
    if (name == "turn")
        return keep(run_.facts.turn);
    return name == "history" ? &run_.facts.history : nullptr;
}

const Json* RunScope::of_run(Root root, std::string_view name) const
{
    const auto& facts = run_.facts;
    if (root == Root::run)
        return name == "id"           ? keep(facts.execution_id)
               : name == "started_at" ? keep(rfc3339(facts.started_at))
                                      : nullptr;
    if (name == "id")
        return keep(facts.flow_id);
    if (name == "slug")
        return keep(facts.slug);
    return name == "version" ? keep(facts.flow_version) : nullptr;
}

const Json* RunScope::of_vault(Root root, std::string_view name) const
{
    if (!run_.services)
        return nullptr;
    if (root == Root::vars) {
        auto value = run_.services->variable(run_.facts.owner, name);
        return value ? keep(std::move(*value)) : nullptr;
    }
    auto value = run_.services->secret(run_.facts.owner, name);
    return value ? keep(std::move(*value)) : nullptr;
}

}  // namespace dure::flows

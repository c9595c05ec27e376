// check_names(): do the paths of expressions lead somewhere: nodes, their fields, state, inputs, variables of loops.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "dure/flows/expression.hpp"
#include "dure/flows/kinds.hpp"
#include "dure/flows/validation.hpp"
#include "flows/document/fields.hpp"
#include "flows/validation/order.hpp"

namespace dure::flows {

namespace {

std::set<std::string> names_in(const OrderedJson& list, std::string_view scope = {})
{
    std::set<std::string> names;
    if (!list.is_array())
        return names;
    for (const auto& entry : list) {
        const auto* name = member(entry, "name");
        const auto* own = member(entry, "scope");
        const bool session = own && *own == "session";
        if (name && name->is_string() && (scope.empty() || session == (scope == "session")))
            names.insert(name->get<std::string>());
    }
    return names;
}

class NameCheck {
public:
    NameCheck(const Document& document, Problems& problems)
        : document_(document), problems_(problems), order_(document), inputs_(names_in(document.inputs)),
          run_state_(names_in(document.state, "run")), session_state_(names_in(document.state, "session"))
    {
        for (std::size_t i = 0; i < document.nodes.size(); ++i)
            places_.emplace(document.nodes[i].id, i);
    }

    void run()
    {
        for (std::size_t i = 0; i < document_.nodes.size(); ++i) {
            const auto& node = document_.nodes[i];
            if (node.kind != "note" && node.kind != "unsupported")
                check_texts(i, node.config, Location{"nodes", std::to_string(node.index), "data", "config"});
            if (node.kind == "set")
                check_targets(i);
        }
    }

private:
    void unknown(std::size_t node, const Location& place, std::string message)
    {
        problems_.add({"expression_unknown", place, std::move(message), Level::error, document_.nodes[node].id});
    }

    void check_texts(std::size_t node, const OrderedJson& value, const Location& place)
    {
        if (value.is_array() || value.is_object()) {
            std::size_t index = 0;
            for (const auto& [key, inner] : value.items())
                check_texts(node, inner, value.is_array() ? place / index++ : place / key);
            return;
        }
        if (!value.is_string())
            return;
        const auto text = Template::parse(value.get_ref<const std::string&>());
        if (!text)
            return;   // check_configs() says so
        for (const auto* expression : text->expressions())
            check(node, *expression, place);
    }

    void check(std::size_t node, const Expression& expression, const Location& place)
    {
        const std::string name(expression.name());
        const auto one_of = [&](std::initializer_list<std::string_view> known) {
            if (std::find(known.begin(), known.end(), name) == known.end())
                unknown(node, place, std::string(name_of(expression.root)) + " has no " + in_quotes(name));
        };
        switch (expression.root) {
        case Root::nodes: return check_node(node, expression, place);
        case Root::state: return check_state(node, name, place);
        case Root::start:
            one_of({"message", "inputs", "files", "user_id"});
            return check_input(node, expression, place);
        case Root::session:
            if (!session_state_.contains(name))
                one_of({"id", "turn", "history"});
            return;
        case Root::run: return one_of({"id", "started_at"});
        case Root::flow: return one_of({"id", "slug", "version"});
        case Root::step: return one_of({"now"});
        case Root::item:
        case Root::index:
            if (!container_of(node, "iteration"))
                unknown(node, place, std::string(name_of(expression.root)) + " exists inside an iteration only");
            return;
        case Root::loop: return check_loop(node, name, place);
        case Root::input:
        case Root::vars:
        case Root::secrets: return;   // known when it runs
        }
    }

    // The innermost container of that kind around a node; its own config counts too, where output and until look inside.
    const Node* container_of(std::size_t node, std::string_view kind) const
    {
        const auto* at = &document_.nodes[node];
        for (std::size_t steps = 0; at && steps <= document_.nodes.size(); ++steps) {
            if (at->kind == kind)
                return at;
            const auto parent = places_.find(at->parent);
            at = parent == places_.end() ? nullptr : &document_.nodes[parent->second];
        }
        return nullptr;
    }

    bool sees_inside(std::size_t node, const std::string& parent) const
    {
        const auto* at = &document_.nodes[node];
        for (std::size_t steps = 0; at && steps <= document_.nodes.size(); ++steps) {
            if (at->id == parent)
                return true;
            const auto next = places_.find(at->parent);
            at = next == places_.end() ? nullptr : &document_.nodes[next->second];
        }
        return parent.empty();
    }

    void check_node(std::size_t node, const Expression& expression, const Location& place)
    {
        const std::string id(expression.name());
        const auto found = places_.find(id);
        if (found == places_.end())
            return unknown(node, place, "there is no node " + in_quotes(id));
        const auto& other = document_.nodes[found->second];
        if (!sees_inside(node, other.parent))
            return unknown(node, place,
                           in_quotes(id) +
                               " stands in a container; outside of it only the container's output can be used");
        const auto* kind = find_kind(other.kind);
        if (kind && !kind->open_outputs && expression.path.size() > 1) {
            const auto* field = std::get_if<std::string>(&expression.path[1]);
            const bool error = kind->may_branch_on_error && field && *field == "error";
            if (!field ||
                (!error && std::find(kind->outputs.begin(), kind->outputs.end(), *field) == kind->outputs.end()))
                return unknown(node, place,
                               in_quotes(id) + " has no output " + (field ? in_quotes(*field) : "with a number"));
        }
        // what a container says of its own body is read after the body has run
        const bool own_body = other.parent == document_.nodes[node].id;
        if (!own_body && !expression.has_default() && !order_.certain_before(found->second, node))
            problems_.add({"expression_order", place,
                           in_quotes(id) + " may not have run when this is read; use default(…)", Level::warning,
                           document_.nodes[node].id});
    }

    void check_state(std::size_t node, const std::string& name, const Location& place)
    {
        if (!run_state_.contains(name))
            unknown(node, place, "the flow's state has no " + in_quotes(name));
    }

    void check_input(std::size_t node, const Expression& expression, const Location& place)
    {
        if (expression.name() != "inputs" || expression.path.size() < 2 || inputs_.empty())
            return;
        const auto* name = std::get_if<std::string>(&expression.path[1]);
        if (name && !inputs_.contains(*name))
            unknown(node, place, "the flow has no input " + in_quotes(*name));
    }

    void check_loop(std::size_t node, const std::string& name, const Location& place)
    {
        const auto* loop = container_of(node, "loop");
        const auto* vars = loop ? member(loop->config, "vars") : nullptr;
        if (!loop)
            unknown(node, place, "loop exists inside a loop only");
        else if (name != "count" && !(vars && names_in(*vars).contains(name)))
            unknown(node, place, "the loop has no variable " + in_quotes(name));
    }

    // "state.x", "session.x", "loop.x" of a set's operations.
    void check_targets(std::size_t node)
    {
        const auto* ops = member(document_.nodes[node].config, "ops");
        for (std::size_t i = 0; ops && ops->is_array() && i < ops->size(); ++i) {
            const auto place = Location{
                "nodes", std::to_string(document_.nodes[node].index), "data", "config", "ops", std::to_string(i),
                "target"};
            const auto* target = member((*ops)[i], "target");
            if (!target || !target->is_string())
                continue;
            const auto text = target->get<std::string>();
            const auto dot = text.find('.');
            const auto root = text.substr(0, dot);
            const auto name = dot == std::string::npos ? std::string() : text.substr(dot + 1);
            if (root == "state")
                check_state(node, name, place);
            else if (root == "session" && !session_state_.contains(name))
                unknown(node, place, "the flow's state has no " + in_quotes(name) + " of scope session");
            else if (root == "loop")
                check_loop(node, name, place);
            else if (root != "session")
                unknown(node, place, "a target begins with state., session. or loop.");
        }
    }

    const Document& document_;
    Problems& problems_;
    const RunOrder order_;
    std::unordered_map<std::string, std::size_t> places_;
    const std::set<std::string> inputs_, run_state_, session_state_;
};

}  // namespace

void check_names(const Document& document, Problems& problems)
{
    NameCheck(document, problems).run();
}

void check_document(const Document& document, Problems& problems)
{
    // A list that is too long was not read; what the rest says of it is neither right nor wrong.
    const auto& known = problems.list();
    if (std::any_of(known.begin(), known.end(), [](const Problem& one) { return one.code == "too_large"; }))
        return;
    check_settings(document, problems);
    check_structure(document, problems);
    check_types(document, problems);
    check_approvals(document, problems);
    check_configs(document, problems);
    check_names(document, problems);
    check_flow(document, problems);
}

}  // namespace dure::flows

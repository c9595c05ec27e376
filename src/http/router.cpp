// A tree of path segments. Matching walks text before parameters and takes a step back where a text branch ends blind,
// so that "/a/{id}/x" is found beside "/a/me".
#include "dure/http/router.hpp"

#include <functional>

#include "dure/base/text.hpp"

namespace dure::http {

struct RouteTree::Node {
    struct Route {
        int id = -1;
        std::vector<std::string> names;   // of the parameters, in the order of the path
    };

    std::map<std::string, std::unique_ptr<Node>, std::less<>> text;
    std::unique_ptr<Node> parameter;
    std::unique_ptr<Node> rest;
    std::array<Route, 7> routes;

    bool has_routes() const
    {
        return std::any_of(routes.begin(), routes.end(), [](const Route& route) { return route.id >= 0; });
    }

    const Route& route_for(Method method) const
    {
        const auto& exact = routes[static_cast<std::size_t>(method)];
        if (exact.id < 0 && method == Method::head)
            return routes[static_cast<std::size_t>(Method::get)];
        return exact;
    }
};

namespace router_parts {

std::string_view take_segment(std::string_view& path)
{
    path.remove_prefix(1);
    const auto segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

bool is_parameter(std::string_view segment)
{
    return segment.size() >= 2 && segment.front() == '{' && segment.back() == '}';
}

[[noreturn]] void refuse_pattern(std::string_view pattern, std::string_view why)
{
    throw InvariantBroken("route pattern " + std::string(pattern) + ": " + std::string(why));
}

template <class Tree>
Tree& child(std::unique_ptr<Tree>& place)
{
    if (!place)
        place = std::make_unique<Tree>();
    return *place;
}

}  // namespace router_parts

RouteTree::RouteTree() : root_(std::make_unique<Node>()) {}
RouteTree::~RouteTree() = default;
RouteTree::RouteTree(RouteTree&&) noexcept = default;

void RouteTree::add(Method method, std::string_view pattern, int route)
{
    using namespace router_parts;
    if (pattern.empty() || pattern.front() != '/' || route < 0)
        refuse_pattern(pattern, "does not start with / or has no route");
    auto* node = root_.get();
    std::vector<std::string> names;
    for (auto left = pattern == "/" ? std::string_view() : pattern; !left.empty();) {
        const auto segment = take_segment(left);
        if (!is_parameter(segment)) {
            if (segment.empty() || segment.find_first_of("{}") != segment.npos)
                refuse_pattern(pattern, "has an empty or malformed segment");
            node = &child(node->text[std::string(segment)]);
            continue;
        }
        auto name = segment.substr(1, segment.size() - 2);
        const bool rest = name.ends_with("...");
        if (rest)
            name.remove_suffix(3);
        if (name.empty() || name.find_first_of("{}.") != name.npos || (rest && !left.empty()))
            refuse_pattern(pattern, "has a malformed parameter");
        names.emplace_back(name);
        node = rest ? &child(node->rest) : &child(node->parameter);
    }
    auto& place = node->routes[static_cast<std::size_t>(method)];
    if (place.id >= 0)
        refuse_pattern(pattern, "is there twice");
    place = {route, std::move(names)};
    if (place.names.empty())
        fixed_.emplace(pattern, node);
}

namespace router_parts {

// Depth of the walk is the number of segments; the values collected belong to the branch being tried.
template <class Tree>
const Tree* walk(const Tree& node, const std::vector<std::string>& segments, std::size_t at,
                 std::vector<std::string>& values)
{
    if (at == segments.size())
        return node.has_routes() ? &node : nullptr;
    if (const auto text = node.text.find(segments[at]); text != node.text.end())
        if (const auto* found = walk(*text->second, segments, at + 1, values))
            return found;
    if (node.parameter && segments[at].find('/') == std::string::npos) {
        values.push_back(segments[at]);
        if (const auto* found = walk(*node.parameter, segments, at + 1, values))
            return found;
        values.pop_back();
    }
    if (!node.rest)
        return nullptr;
    std::string rest = segments[at];
    for (auto i = at + 1; i < segments.size(); ++i)
        rest.append("/").append(segments[i]);
    values.push_back(std::move(rest));
    return node.rest.get();
}

}  // namespace router_parts

Result<RouteTree::Match> RouteTree::find(Method method, std::string_view path) const
{
    const auto malformed = [] {
        return Error(Errc::invalid_argument, "The path is not well-formed.").reason("invalid_path");
    };
    std::vector<std::string> values;
    Match match;
    const Node* node = nullptr;
    if (const auto fixed = fixed_.find(path); fixed != fixed_.end()) {   // text goes before parameters in the walk too
        node = fixed->second;
    } else {
        const auto segments = parse_path(path, EncodedSlash::kept);
        if (!segments)
            return malformed();
        node = router_parts::walk(*root_, *segments, 0, values);
    }
    if (!node) {
        if (!parse_path(path))   // an encoded slash where no parameter takes the rest
            return malformed();
        return match;
    }
    const auto& route = node->route_for(method);
    match.route = route.id;
    if (route.id < 0) {
        for (std::size_t i = 0; i < node->routes.size(); ++i)
            if (node->route_for(static_cast<Method>(i)).id >= 0)
                match.allowed.push_back(static_cast<Method>(i));
        return match;
    }
    for (std::size_t i = 0; i < route.names.size(); ++i)
        match.parameters.emplace_back(route.names[i], std::move(values[i]));
    return match;
}

}  // namespace dure::http

// Router<Route>: path patterns to routes. Patterns are "/api/chat/history/{session_id}"; a segment is text or {name};
// the last may be {name...}, which takes the rest of the path (model ids hold '/'). Text wins over parameters. Built once
// at start (throws InvariantBroken on a duplicate or malformed pattern), then read-only and thread-safe.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/http/message.hpp"

namespace dure::http {

using PathParameters = std::vector<std::pair<std::string, std::string>>;

// The untyped tree; Router<Route> below puts types on it. -1: no route.
class RouteTree {
public:
    RouteTree();
    ~RouteTree();
    RouteTree(RouteTree&&) noexcept;
    void add(Method method, std::string_view pattern, int route);

    struct Match {
        int route = -1;
        PathParameters parameters;             // decoded
        std::vector<Method> allowed;           // of the path, when the method did not fit; empty: unknown path
    };
    // invalid path (threat-model §3): Errc::invalid_argument. HEAD falls back to GET.
    Result<Match> find(Method method, std::string_view path) const;

private:
    struct Node;
    std::unique_ptr<Node> root_;
    std::map<std::string, const Node*, std::less<>> fixed_;   // paths without parameters, as they are written
};

}  // namespace dure::http

// ConfigTemplate: the config of a node with its expressions parsed once (§4.6), evaluated for each run of the node.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dure/flows/expression.hpp"

namespace dure::flows {

// Names under a root, each with the member that is read of it; an empty one: all of it.
using PartsRead = std::set<std::pair<std::string, std::string>>;

// What expressions ask for, gathered over a part of a flow.
struct Asked {
    PartsRead nodes;
    PartsRead start;
    std::set<std::string> state;  // of the run and of the session
    bool now = false;

    void add(const Template& text);
};

class ConfigTemplate {
public:
    // invalid_argument "expression_syntax". `raw`: top-stage keys that are given back as they are written.
    static Result<ConfigTemplate> parse(const OrderedJson& value, const std::set<std::string_view>& raw = {},
                                        const std::set<std::string_view>& may_hold_secrets = {});

    Result<Json> evaluate(const Scope& scope) const;
    void gather(Asked& asked) const;

private:
    struct Member;
    using List = std::vector<ConfigTemplate>;
    using Object = std::vector<Member>;
    std::variant<Json, Template, List, Object> part_;
    Secrets secrets_ = Secrets::refused;

    static Result<ConfigTemplate> parse_inner(const OrderedJson& value, Secrets secrets);
};

struct ConfigTemplate::Member {
    std::string key;
    ConfigTemplate value;
};

}  // namespace dure::flows

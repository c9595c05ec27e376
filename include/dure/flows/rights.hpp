// Rights: what a run of a flow may use of the server: the permissions of whoever started it, as they were then, and the models a
// bound key opens. Kept with the execution; what the owner may do *now* is asked besides (threat-model §4, §5). Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/json.hpp"
#include "dure/flows/document.hpp"
#include "dure/model/spend_limits.hpp"

namespace dure::flows {

struct Rights {
    // The key that a run was started with; its calls of models are charged to it.
    struct Key {
        std::string id;   // empty: no key
        model::SpendLimits limits = {};   // beside those of the owner
    };
    std::vector<std::string> permissions;
    std::optional<std::vector<std::string>> models = {};  // of a bound key, see models_named(); nothing: every model
    Key key = {};

    bool may(std::string_view permission) const;
    bool may_ask(std::string_view model) const;
    // Never more than `other` has.
    void narrow(const std::vector<std::string>& other);
};

Json to_json(const Rights& rights);
Rights rights_from(const Json& json);

// The name under which a node's model stands in Rights::models: "model", "provider/model", "provider/" (the provider's first one) or
// "" (nothing named: the server's own choice).
std::string model_name(std::string_view provider, std::string_view model);

// The models that a document names without an expression, "" among them: what it was published with.
std::vector<std::string> models_named(const Document& document);

}  // namespace dure::flows

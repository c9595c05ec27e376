// What a document names outside of itself: models, tools, other flows, knowledge bases (flow-format §9). A name that leads
// nowhere is a warning when the flow is saved and an error when it is published.
//   for (const auto& one : references_of(document)) …
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/flows/document.hpp"

namespace dure::flows {

// What this server has. The composition root fills it. Thread-safe; never waits.
class References {
public:
    virtual ~References() = default;
    // Has any model of this provider.
    virtual bool has_provider(std::string_view name) const = 0;
    // `provider` may be empty.
    virtual bool has_model(std::string_view provider, std::string_view model) const = 0;
    virtual bool has_tool(std::string_view name) const = 0;
    virtual bool has_knowledge(std::string_view id) const = 0;
};

// provider: named without a model. unavailable: what no server has yet (T2), `name` says what.
enum class ReferenceKind { model, provider, tool, flow, knowledge, unavailable };

struct Reference {
    ReferenceKind kind;
    std::string name;
    std::string provider;  // of a model; may be empty
    std::string version;  // of a flow: "", published, draft, a number
    std::vector<std::string> location;
    std::string node_id;  // empty: in the flow's settings
};

// Names that are fixed; those an expression gives are known when it runs.
std::vector<Reference> references_of(const Document& document);

// model_unknown, tool_unknown, knowledge_unknown, kind_not_available. Of flows the service knows.
void check_references(const std::vector<Reference>& references, const References& known, Level level,
                      Problems& problems);

}  // namespace dure::flows

// What this server has of what flows name: models and tools. Knowledge bases are not there yet (F14), so none is known.
#pragma once

#include <algorithm>

#include "dure/flows/references.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/tools/registry.hpp"

namespace dure::app {

class KnownNames final : public flows::References {
public:
    // All outlive it.
    KnownNames(const llm::Gateway& gateway, const tools::Registry& tools) : gateway_(gateway), tools_(tools) {}

    bool has_provider(std::string_view name) const override
    {
        const auto models = gateway_.models();
        return std::any_of(models.begin(), models.end(), [&](const auto& model) { return model.provider == name; });
    }
    // As nodes find it: by "provider/model", or by its id.
    bool has_model(std::string_view provider, std::string_view model) const override
    {
        return gateway_.serves(model) ||
               (!provider.empty() && gateway_.serves(std::string(provider) + "/" + std::string(model)));
    }
    bool has_tool(std::string_view name) const override { return tools_.find(name) != nullptr; }
    bool has_knowledge(std::string_view) const override { return false; }

private:
    const llm::Gateway& gateway_;
    const tools::Registry& tools_;
};

}  // namespace dure::app

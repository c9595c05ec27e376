// unbuilt_settings(); see unbuilt.hpp.
#include "app/unbuilt.hpp"

namespace dure::app {

std::string unbuilt_settings(const config::Settings& settings)
{
    if (!settings.tools.mcp.empty())
        return "tools.mcp: this build has no MCP client";
    for (const auto& provider : settings.providers)
        if (provider.dialect == "anthropic")
            return "providers." + provider.name + ": this build has no anthropic dialect";
    for (const auto& model : settings.model)
        if (model.cache != "off")
            return "model." + model.id + ".cache: this build has no response cache";
    return {};
}

}  // namespace dure::app

// See agent_tools.hpp.
#include "nodes/agent_tools.hpp"

#include <algorithm>

#include "nodes/tool_use.hpp"

namespace dure::nodes {
namespace {

constexpr std::size_t most_tools = 128;

void add_tool(AgentTools& tools, std::string name)
{
    if (std::find(tools.names.begin(), tools.names.end(), name) == tools.names.end())
        tools.names.push_back(std::move(name));
}

// "name", {"name"} or {"tool"}.
std::string name_in(const Json& entry)
{
    if (entry.is_string())
        return entry.get<std::string>();
    if (entry.is_object())
        for (const char* member : {"name", "tool"})
            if (const auto found = entry.find(member); found != entry.end() && found->is_string())
                return found->get<std::string>();
    return {};
}

void read_own(ConfigReader& reader, AgentTools& tools)
{
    const auto* list = reader.list("tools");
    for (std::size_t i = 0; list && i < list->size(); ++i) {
        auto name = name_in((*list)[i]);
        if (name.empty())
            reader.problem("tools[" + std::to_string(i) + "]", "must be the name of a tool");
        else
            add_tool(tools, std::move(name));
    }
    for (auto& name : reader.texts("require_approval"))
        tools.rules.approval.insert(std::move(name));
    if (tools.names.size() > most_tools)
        reader.problem("tools", "may have at most 128 entries");
}

// A tool node that is attached: its arguments are set by the flow, the model gives the others.
void read_attached(const Json& attached, ConfigReader& reader, AgentTools& tools)
{
    const auto list = attached.is_object() ? attached.find("tools") : attached.end();
    if (!attached.is_object() || list == attached.end() || !list->is_array())
        return;
    std::map<std::string, Json> attached_with;
    for (const auto& entry : *list) {
        const auto& config = entry.at("config");
        auto name = name_in(config);
        if (name.empty()) {
            reader.problem("tools", "has an attached node that names no tool");
            continue;
        }
        const auto given = config.find("arguments");
        const auto fixed = given != config.end() && given->is_object() && !given->empty() ? *given : Json();
        if (const auto [first, is_new] = attached_with.emplace(name, fixed); !is_new && first->second != fixed)
            reader.problem("tools",
                           "has '" + name + "' attached with other arguments twice: the model could call only one");
        if (!fixed.is_null())
            tools.rules.fixed[name] = fixed;
        add_tool(tools, std::move(name));
    }
}

// Without the arguments that are set: the model is not asked for them.
void hide_fixed(const Json& fixed, model::ToolDefinition& definition)
{
    auto& schema = definition.parameters;
    for (const auto& [name, value] : fixed.items()) {
        if (schema.contains("properties") && schema["properties"].is_object())
            schema["properties"].erase(name);
        if (schema.contains("required") && schema["required"].is_array()) {
            auto& required = schema["required"];
            required.erase(std::remove(required.begin(), required.end(), Json(name)), required.end());
        }
    }
}

Result<model::ToolDefinition> definition_of(const Shared& shared, const tools::Caller& caller, const std::string& name,
                                            DurableCalls::Rules& rules)
{
    const auto tool = shared.parts.tools.find(name);
    if (!tool)
        return Error(Errc::not_found, "There is no tool named '" + name + "'.").reason("tool_not_found").param("tools");
    if (const auto why = tool->why_unavailable(); !why.empty())
        return Error(Errc::unavailable, "The tool '" + name + "' is not available: " + why)
            .reason("tool_unavailable")
            .param("tools");
    auto approving = caller;
    approving.approves = true;
    if (auto why = tools::why_not_allowed(*tool, approving); !why.empty())
        return Error(Errc::permission_denied, "The tool '" + name + "' cannot be used: " + why)
            .reason("tools_not_permitted")
            .param("tools");
    if (tool->acts())
        rules.approval.insert(name);
    auto definition = tool->definition();
    if (const auto fixed = rules.fixed.find(name); fixed != rules.fixed.end())
        hide_fixed(fixed->second, definition);
    return definition;
}

}  // namespace

Task<Result<AgentTools>> tools_for(const Shared& shared, const flows::RunFacts& facts, const Json& config,
                                   const Json& attached, tools::Caller& caller)
{
    ConfigReader reader(config);
    AgentTools tools;
    read_own(reader, tools);
    read_attached(attached, reader, tools);
    for (const auto& name : tools.rules.approval)
        if (std::find(tools.names.begin(), tools.names.end(), name) == tools.names.end())
            reader.problem("require_approval", "names '" + name + "', which is no tool of this agent");
    if (auto fine = reader.done(); !fine)
        co_return fine.error();
    if (tools.names.empty())
        co_return tools;
    auto owner = co_await caller_for(shared, facts);
    if (!owner)
        co_return owner.error();
    caller = std::move(*owner);
    for (const auto& name : tools.names) {
        auto definition = definition_of(shared, caller, name, tools.rules);
        if (!definition)
            co_return definition.error();
        tools.definitions.push_back(std::move(*definition));
    }
    co_return tools;
}

}  // namespace dure::nodes

// The record of a run among its channels, so that a process that goes on with it knows what was said, used and run.
#include "agents/run.hpp"

namespace dure::agents {
namespace kept {

Json json_of(const model::Usage& usage)
{
    Json json{{"prompt", usage.prompt_tokens},         {"completion", usage.completion_tokens},
              {"cached", usage.cached_tokens},         {"reasoning", usage.reasoning_tokens},
              {"cache_write", usage.cache_write_tokens}, {"reported", usage.reported},
              {"estimated", usage.estimated}};
    if (usage.cost_nano)
        json["cost_nano"] = *usage.cost_nano;
    return json;
}

model::Usage usage_from(const Json& json)
{
    model::Usage usage;
    usage.prompt_tokens = json.at("prompt").get<std::int64_t>();
    usage.completion_tokens = json.at("completion").get<std::int64_t>();
    usage.cached_tokens = json.at("cached").get<std::int64_t>();
    usage.reasoning_tokens = json.at("reasoning").get<std::int64_t>();
    usage.cache_write_tokens = json.at("cache_write").get<std::int64_t>();
    usage.reported = json.at("reported").get<bool>();
    usage.estimated = json.at("estimated").get<bool>();
    if (const auto cost = json.find("cost_nano"); cost != json.end())
        usage.cost_nano = cost->get<std::int64_t>();
    return usage;
}

Json json_of(const ToolUse& use)
{
    return {{"name", use.name},
            {"arguments", use.arguments},
            {"success", use.success},
            {"result", use.result},
            {"duration_ms", use.duration_ms}};
}

ToolUse use_from(const Json& json)
{
    return {json.at("name").get<std::string>(), json.at("arguments").get<std::string>(), json.at("success").get<bool>(),
            json.at("result").get<std::string>(), json.at("duration_ms").get<std::int64_t>()};
}

}  // namespace kept

Json to_json(const AgentRecord& record)
{
    const auto& said = record.completion;
    auto tools = Json::array();
    for (const auto& use : record.tools_used)
        tools.push_back(kept::json_of(use));
    return {{"text", said.text},
            {"reasoning", said.reasoning},
            {"refusal", said.refusal},
            {"finish_reason", said.finish_reason},
            {"usage", kept::json_of(said.usage)},
            {"answered_by", said.answered_by},
            {"attempts", said.attempts},
            {"tools_used", std::move(tools)},
            {"path", record.path}};
}

AgentRecord record_from(const Json& json)
{
    AgentRecord record;
    auto& said = record.completion;
    said.text = json.at("text").get<std::string>();
    said.reasoning = json.at("reasoning").get<std::string>();
    said.refusal = json.at("refusal").get<std::string>();
    said.finish_reason = json.at("finish_reason").get<std::string>();
    said.usage = kept::usage_from(json.at("usage"));
    said.answered_by = json.at("answered_by").get<std::string>();
    said.attempts = json.at("attempts").get<int>();
    for (const auto& use : json.at("tools_used"))
        record.tools_used.push_back(kept::use_from(use));
    record.path = json.at("path").get<std::vector<std::string>>();
    return record;
}

void take_up(AgentRun& run, const graph::State& state)
{
    if (!std::exchange(run.takes_up, false))
        return;
    if (const auto& kept = state.at("record"); kept.is_object() && !kept.empty())
        run.record = record_from(kept);
    for (const auto& name : state.at("candidates"))
        if (const auto tool = run.registry.find(name.get_ref<const std::string&>());
            tool && tools::why_not_allowed(*tool, run.caller).empty())
            run.server_tools.push_back(tool->definition());
}

}  // namespace dure::agents

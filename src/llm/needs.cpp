// Reads the few fields that decide and sorts the targets by them; see needs.hpp.
#include "llm/needs.hpp"

#include <algorithm>
#include <functional>
#include <tuple>

#include "dure/schema/json_view.hpp"
#include "llm/answer_form.hpp"
#include "llm/prompt_size.hpp"

namespace dure::llm {

namespace {

Needs relay_needs(const RelayRequest& request)
{
    Needs needs;
    bool forbidden = false;
    const auto read = [&](std::string_view key, const schema::JsonView& value, std::string_view) {
        if (key == "tools")
            needs.tools = value.is_array() && value.size() > 0;
        else if (key == "tool_choice")
            forbidden = value.string_is("none");
        else if (key == "n")
            needs.several_choices = value.as_int64().value_or(1) > 1;
        else if (key == "logprobs")
            needs.logprobs = value.raw() == "true";
        else if (key == "response_format")
            needs.json_schema = !schema_of_format(value.raw()).empty();
        else if (key == "messages")
            needs.images = value.raw().find("\"image_url\"") != std::string_view::npos;
    };
    if (request.members != nullptr)
        request.members->for_each_member_span(read);
    else
        schema::JsonView(request.body).for_each_member_span(read);
    needs.tools = needs.tools && !forbidden;
    needs.prompt_tokens = needs.images ? 0 : prompt_size(request).tokens();
    return needs;
}

Needs typed_needs(const CompletionRequest& request)
{
    Needs needs;
    needs.tools = !request.tools.empty() && request.tool_choice != "none";
    const auto size = prompt_size(request);
    needs.images = size.images > 0;
    needs.prompt_tokens = needs.images ? 0 : size.tokens();
    return needs;
}

using Test = std::function<bool(const Target&)>;

bool any(const std::vector<bool>& flags)
{
    return std::find(flags.begin(), flags.end(), true) != flags.end();
}

std::vector<bool> narrowed(const ModelEntry& model, std::vector<bool> flags, const Test& test)
{
    for (std::size_t i = 0; i < flags.size(); ++i)
        flags[i] = flags[i] && test(model.targets[i]);
    return flags;
}

// Only when something is left.
void prefer(const ModelEntry& model, std::vector<bool>& flags, const Test& test)
{
    if (auto fewer = narrowed(model, flags, test); any(fewer))
        flags = std::move(fewer);
}

}  // namespace

Needs needs_of(const Ask& ask)
{
    return ask.relay != nullptr ? relay_needs(*ask.relay) : typed_needs(*ask.typed);
}

Result<std::vector<bool>> capable_targets(const ModelEntry& model, const Ask& ask)
{
    std::vector<bool> flags(model.targets.size(), true);
    if (!model.targets_differ)
        return flags;
    const auto needs = needs_of(ask);
    if (needs.tools) {
        flags = narrowed(model, std::move(flags), [](const Target& target) { return target.tools; });
        if (!any(flags))
            return Error(Errc::invalid_argument, "The model '" + model.info.id + "' cannot call tools.")
                .reason("tools_not_supported")
                .param("tools");
    }
    // A schema told in words is checked for one choice only.
    const bool checked_choices = needs.json_schema && needs.several_choices;
    for (const auto& [needed, param, able] : std::initializer_list<std::tuple<bool, const char*, Test>>{
             {needs.several_choices, "n",
              [&](const Target& one) { return one.several_choices && (one.json_schema || !checked_choices); }},
             {needs.logprobs, "logprobs", [](const Target& one) { return one.logprobs; }}}) {
        if (!needed)
            continue;
        flags = narrowed(model, std::move(flags), able);
        if (!any(flags))
            return Error(Errc::invalid_argument, "The model '" + model.info.id + "' does not support the parameter '" +
                                                     param + "' of this request.")
                .reason("unsupported_parameter")
                .param(param);
    }
    if (needs.images)
        prefer(model, flags, [](const Target& target) { return target.vision; });
    prefer(model, flags, [&](const Target& target) { return target.context_window >= needs.prompt_tokens; });
    return flags;
}

}  // namespace dure::llm

// See rights.hpp.
#include "dure/flows/rights.hpp"

#include <algorithm>

#include "dure/flows/references.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

bool is_among(const std::vector<std::string>& list, std::string_view one)
{
    return std::find(list.begin(), list.end(), one) != list.end();
}

// A provider without a model is no reference: it means its first model.
void add_lone_provider(const OrderedJson& object, std::string_view provider_key, std::string_view model_key,
                       std::vector<std::string>& names)
{
    const auto* provider = member(object, provider_key);
    const auto* model = member(object, model_key);
    const bool names_model = model && !(model->is_string() && model->get_ref<const std::string&>().empty());
    if (!provider || !provider->is_string() || names_model)
        return;
    const auto& name = provider->get_ref<const std::string&>();
    if (!name.empty() && name.find("{{") == std::string::npos)
        names.push_back(model_name(name, ""));
}

}  // namespace

bool Rights::may(std::string_view permission) const
{
    return is_among(permissions, permission);
}

bool Rights::may_ask(std::string_view model) const
{
    return !models || is_among(*models, model);
}

void Rights::narrow(const std::vector<std::string>& other)
{
    std::erase_if(permissions, [&](const std::string& one) { return !is_among(other, one); });
}

Json to_json(const Rights& rights)
{
    Json json{{"permissions", rights.permissions}, {"models", rights.models ? Json(*rights.models) : Json()}};
    const auto& [id, limits] = rights.key;
    if (!id.empty())
        json["key"] = {{"id", id},
                       {"tokens_per_minute", limits.tokens_per_minute},
                       {"tokens_per_day", limits.tokens_per_day},
                       {"cost_per_day", limits.cost_per_day}};
    return json;
}

Rights rights_from(const Json& json)
{
    Rights rights;
    rights.permissions = json.at("permissions").get<std::vector<std::string>>();
    if (const auto& models = json.at("models"); !models.is_null())
        rights.models = models.get<std::vector<std::string>>();
    if (const auto key = json.find("key"); key != json.end())   // not of runs from before keys had limits
        rights.key = {key->at("id").get<std::string>(),
                      {key->at("tokens_per_minute").get<std::int64_t>(), key->at("tokens_per_day").get<std::int64_t>(),
                       key->at("cost_per_day").get<std::int64_t>()}};
    return rights;
}

std::string model_name(std::string_view provider, std::string_view model)
{
    return provider.empty() ? std::string(model) : std::string(provider) + "/" + std::string(model);
}

std::vector<std::string> models_named(const Document& document)
{
    std::vector<std::string> names{""};
    for (const auto& one : references_of(document))
        if (one.kind == ReferenceKind::model)
            names.push_back(model_name(one.provider, one.name));
    add_lone_provider(document.chat_config, "llm_provider", "llm_model", names);
    add_lone_provider(document.supervisor_config, "llm_provider", "llm_model", names);
    for (const auto& node : document.nodes)
        add_lone_provider(node.config, "provider", "model", names);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace dure::flows

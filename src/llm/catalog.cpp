// Reads [models], [[providers]] and [[model]]; the provider and model `mock` and the embedder `local` are always there.
// See catalog.hpp.
#include "llm/catalog.hpp"

#include "dure/base/text.hpp"
#include "llm/mock/provider.hpp"
#include "llm/openai/provider.hpp"

namespace dure::llm {

namespace {

constexpr std::size_t most_waiting = 4096;
constexpr std::size_t most_running_locally = 1 << 20;

ProviderEntry local_provider(const config::Settings& settings)
{
    ProviderEntry entry;
    entry.provider = std::make_unique<mock::MockProvider>(settings.models.mock_delay);
    entry.running = std::make_unique<Bulkhead>(most_running_locally, most_waiting);
    entry.dialect = "mock";
    return entry;
}

}  // namespace

Catalog::Catalog(const config::Settings& settings, http::Client& client, Logger& logger)
    : default_model_(settings.models.default_model)
{
    add_providers(settings, client, logger);
    for (const auto& model : settings.model)
        add_model(model, settings);
    add_built_in(settings);
    if (find(default_model_) == nullptr)
        throw InvariantBroken("models.default names the unknown model '" + default_model_ + "'");
}

void Catalog::add_providers(const config::Settings& settings, http::Client& client, Logger& logger)
{
    for (const auto& provider : settings.providers) {
        ProviderEntry entry;
        entry.dialect = provider.dialect;
        if (provider.dialect == "openai")
            entry.provider = openai::make_provider(provider, client, logger);
        else if (provider.dialect == "mock")
            entry.provider = std::make_unique<mock::MockProvider>(settings.models.mock_delay);
        entry.running = std::make_unique<Bulkhead>(static_cast<std::size_t>(std::max<std::int64_t>(1, provider.max_running)),
                                                   most_waiting);
        providers_.insert_or_assign(provider.name, std::move(entry));
    }
    if (providers_.find("mock") == providers_.end())
        providers_.emplace("mock", local_provider(settings));
}

Target Catalog::read_target(const std::string& model, const std::string& text) const
{
    const auto slash = text.find('/');
    Target target;
    target.provider = text.substr(0, slash);
    target.model = slash == std::string::npos ? std::string() : text.substr(slash + 1);
    const auto found = providers_.find(target.provider);
    if (found == providers_.end() || target.model.empty())
        throw InvariantBroken("model '" + model + "': target '" + text + "' does not name a configured provider and model");
    if (!found->second.provider)
        throw InvariantBroken("model '" + model + "': provider '" + target.provider + "' has the dialect '" +
                              found->second.dialect + "', which this version does not speak");
    return target;
}

void Catalog::add_model(const config::Model& model, const config::Settings& settings)
{
    ModelEntry entry;
    entry.info.id = model.id;
    entry.info.name = model.name.empty() ? model.id : model.name;
    entry.info.tools = model.tools;
    entry.info.vision = model.vision;
    entry.info.context_window = model.context_window;
    entry.max_output = model.max_output;
    entry.attempts = model.attempts;
    entry.next_after_content_filter = model.on_content_filter == "next";
    for (const auto& target : model.targets)
        entry.targets.push_back(read_target(model.id, target));
    if (entry.targets.empty())
        throw InvariantBroken("model '" + model.id + "' has no targets");
    entry.info.provider = entry.targets.front().provider;
    entry.embeds = model.id == settings.models.embeddings || ascii_lower(model.id).find("embed") != std::string::npos;
    by_id_.insert_or_assign(model.id, models_.size());
    models_.push_back(std::move(entry));
}

void Catalog::add_built_in(const config::Settings& settings)
{
    for (const std::string id : {"mock", "local"}) {
        if (by_id_.contains(id))
            continue;
        config::Model model;
        model.id = id;
        model.targets = {"mock/" + id};
        add_model(model, settings);
        models_.back().embeds = id == "local";
    }
}

const ModelEntry* Catalog::find(std::string_view id) const
{
    const auto found = by_id_.find(id.empty() ? std::string_view(default_model_) : id);
    return found == by_id_.end() ? nullptr : &models_[found->second];
}

}  // namespace dure::llm

// Reads [models], [[providers]] and [[model]]; the provider and model `mock` and the embedder `local` are always there.
// See catalog.hpp.
#include "llm/catalog.hpp"

#include <algorithm>

#include "dure/base/text.hpp"
#include "llm/anthropic/provider.hpp"
#include "llm/mock/provider.hpp"
#include "llm/openai/provider.hpp"
#include "llm/price.hpp"

namespace dure::llm {

namespace {

constexpr std::size_t most_waiting = 4096;
constexpr std::size_t most_running_locally = 1 << 20;

std::unique_ptr<Provider> make_provider(const config::Provider& settings, std::chrono::milliseconds mock_delay,
                                        http::Client& client, Logger& logger)
{
    if (settings.dialect == "openai")
        return openai::make_provider(settings, client, logger);
    if (settings.dialect == "anthropic")
        return anthropic::make_provider(settings, client, logger);
    if (settings.dialect == "mock")
        return std::make_unique<mock::MockProvider>(mock_delay);
    throw InvariantBroken("provider '" + settings.name + "' has the unknown dialect '" + settings.dialect + "'");
}

bool same_keys(const config::Provider& a, const config::Provider& b)
{
    return a.base_url == b.base_url && std::equal(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(),
                                                  [](const auto& x, const auto& y) { return x.reveal() == y.reveal(); });
}

bool same_breaker(const config::Breaker& a, const config::Breaker& b)
{
    return a.failures == b.failures && a.open == b.open && a.max_open == b.max_open;
}

// What is said of a target itself: by the model that has no other; in a chain by the entry whose only target it is, else by
// the chain.
const config::Model& about(const std::string& target, const config::Model& model, const config::Settings& settings)
{
    if (model.targets.size() == 1)
        return model;
    const auto found = std::find_if(settings.model.begin(), settings.model.end(), [&](const config::Model& one) {
        return one.targets.size() == 1 && one.targets.front() == target;
    });
    return found == settings.model.end() ? model : *found;
}

std::shared_ptr<TargetShares> shares_of(const config::Model& model)
{
    if (model.ranks.empty() && model.weights.empty())
        return nullptr;
    const std::vector<std::int64_t> equal(model.targets.size(), 1);
    const auto& ranks = model.ranks.empty() ? equal : model.ranks;
    const auto& weights = model.weights.empty() ? equal : model.weights;
    if (ranks.size() != equal.size() || weights.size() != equal.size())
        throw InvariantBroken("model '" + model.id + "': ranks and weights have one number for each target");
    return std::make_shared<TargetShares>(ranks, weights);
}

bool differ(const std::vector<Target>& targets)
{
    const auto& first = targets.front();
    return std::any_of(targets.begin(), targets.end(), [&](const Target& one) {
        return !one.tools || !one.several_choices || !one.logprobs || !one.json_schema || one.vision != first.vision || one.context_window != first.context_window;
    });
}

}  // namespace

Catalog::Catalog(const config::Settings& settings, http::Client& client, Logger& logger, const Catalog* before)
    : default_model_(settings.models.default_model), embeddings_(settings.models.embeddings), breaker_(settings.breaker)
{
    for (const auto& provider : settings.providers)
        add_provider(provider, settings, client, logger, before);
    if (!providers_.contains("mock")) {
        config::Provider mock;
        mock.name = "mock";
        mock.dialect = "mock";
        mock.max_running = most_running_locally;
        add_provider(mock, settings, client, logger, before);
    }
    if (before != nullptr && same_breaker(before->breaker_, breaker_))
        for (const auto& [label, health] : before->health_) {
            const auto name = label.substr(0, label.find('/'));
            const auto then = before->providers_.find(name);
            const auto now = providers_.find(name);
            if (now != providers_.end() && then != before->providers_.end() && then->second.keys == now->second.keys)
                health_.emplace(label, health);
        }
    for (const auto& model : settings.model)
        add_model(model, settings);
    add_built_in(settings);
    if (find(default_model_) == nullptr)
        throw InvariantBroken("models.default names the unknown model '" + default_model_ + "'");
}

void Catalog::add_provider(const config::Provider& provider, const config::Settings& settings, http::Client& client,
                           Logger& logger, const Catalog* before)
{
    ProviderEntry entry;
    entry.settings = provider;
    entry.provider = make_provider(provider, settings.models.mock_delay, client, logger);
    if (before != nullptr)
        if (const auto then = before->providers_.find(provider.name); then != before->providers_.end()) {
            if (then->second.settings.max_running == provider.max_running)
                entry.running = then->second.running;
            if (same_keys(then->second.settings, provider))
                entry.keys = then->second.keys;
        }
    if (!entry.running)
        entry.running = std::make_shared<Bulkhead>(static_cast<std::size_t>(std::max<std::int64_t>(1, provider.max_running)),
                                                   most_waiting);
    if (!entry.keys)
        entry.keys = std::make_shared<KeyRing>(provider.keys.size());
    providers_.insert_or_assign(provider.name, std::move(entry));
}

std::shared_ptr<TargetHealth> Catalog::health_of(const Target& target, const config::Breaker& rules)
{
    auto& health = health_[target.label];
    if (!health)
        health = std::make_shared<TargetHealth>(providers_.at(target.provider).keys,
                                                TargetHealth::Rules{rules.failures, rules.open, rules.max_open});
    return health;
}

Target Catalog::read_target(const config::Model& model, const std::string& text, const config::Settings& settings)
{
    const auto slash = text.find('/');
    Target target;
    target.provider = text.substr(0, slash);
    target.model = slash == std::string::npos ? std::string() : text.substr(slash + 1);
    const auto found = providers_.find(target.provider);
    if (found == providers_.end() || target.model.empty())
        throw InvariantBroken("model '" + model.id + "': target '" + text + "' does not name a configured provider and model");
    target.label = text;
    auto rules = settings.breaker;
    if (found->second.settings.dialect == "mock")
        rules.failures = 0;   // in the process: there is nothing to spare
    target.health = health_of(target, rules);
    const auto& said = about(text, model, settings);
    target.prices = said.prices;
    target.price_version = price_version(said.prices);
    target.in_process = found->second.settings.dialect == "mock";
    target.context_window = said.context_window;
    target.max_output = said.max_output;
    target.embedding_batch = static_cast<std::size_t>(said.embedding_batch);
    target.tools = said.tools;
    target.vision = said.vision;
    const bool plain_answers = found->second.settings.dialect == "anthropic";   // one choice, without logprobs
    target.several_choices = said.n && !plain_answers;
    target.logprobs = said.logprobs && !plain_answers;
    target.json_schema = said.json_schema;
    target.developer_role = said.developer_role;
    target.in_chain = model.targets.size() > 1;
    target.drains = said.on_client_gone == "drain";
    target.reasoning = said.reasoning;
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
    entry.attempts = model.attempts;
    entry.next_after_content_filter = model.on_content_filter == "next";
    entry.exact_cache = model.cache == "exact";
    if (model.targets.empty())
        throw InvariantBroken("model '" + model.id + "' has no targets");
    for (const auto& text : model.targets) {
        auto target = read_target(model, text, settings);
        target.tools = target.tools && model.tools;
        entry.revision += text + "\n" + providers_.at(target.provider).settings.base_url + "\n";
        entry.targets.push_back(std::move(target));
    }
    entry.shares = shares_of(model);
    entry.info.provider = entry.targets.front().provider;
    const bool by_name = model.id == settings.models.embeddings || ascii_lower(model.id).find("embed") != std::string::npos;
    entry.embeds = model.kind == "embedding" || (model.kind == "auto" && by_name);
    entry.targets_differ = differ(entry.targets);
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
        if (id == "local")
            model.kind = "embedding";
        add_model(model, settings);
    }
}

const ModelEntry* Catalog::find(std::string_view id) const
{
    const auto found = by_id_.find(id.empty() ? std::string_view(default_model_) : id);
    return found == by_id_.end() ? nullptr : &models_[found->second];
}

}  // namespace dure::llm

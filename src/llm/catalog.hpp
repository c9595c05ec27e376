// Settings made ready to serve: providers with their limits, models with their targets. Built once, then only read; a reload
// makes another one, and calls under way keep theirs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/bulkhead.hpp"
#include "dure/config/settings.hpp"
#include "llm/provider.hpp"
#include "llm/shares.hpp"

namespace dure::llm {

struct ProviderEntry {
    std::unique_ptr<Provider> provider;
    std::shared_ptr<Bulkhead> running;
    std::shared_ptr<KeyRing> keys;
    config::Provider settings;
};

struct ModelEntry {
    ModelInfo info;
    std::vector<Target> targets;
    std::int64_t attempts = 6;
    bool next_after_content_filter = false;
    bool embeds = false;
    bool targets_differ = false;          // or lack something a request may need
    bool exact_cache = false;
    std::shared_ptr<TargetShares> shares;   // null: targets are tried in their order
    std::string revision;                 // tells configurations apart whose answers must not be mixed
};

class Catalog {
public:
    // Throws InvariantBroken when a model cannot be served as configured. What `before` knows of unchanged providers (cool-downs,
    // running requests) is kept.
    Catalog(const config::Settings& settings, http::Client& client, Logger& logger, const Catalog* before = nullptr);

    const std::vector<ModelEntry>& models() const { return models_; }
    // The default model for an empty name; null for an unknown one.
    const ModelEntry* find(std::string_view id) const;
    const ProviderEntry& provider(const std::string& name) const { return providers_.at(name); }
    const std::string& default_model() const { return default_model_; }
    const std::string& embeddings() const { return embeddings_; }

private:
    void add_provider(const config::Provider& provider, const config::Settings& settings, http::Client& client,
                      Logger& logger, const Catalog* before);
    void add_model(const config::Model& model, const config::Settings& settings);
    void add_built_in(const config::Settings& settings);
    Target read_target(const config::Model& model, const std::string& text, const config::Settings& settings);
    std::shared_ptr<TargetHealth> health_of(const Target& target, const config::Breaker& rules);

    std::map<std::string, ProviderEntry, std::less<>> providers_;
    std::map<std::string, std::shared_ptr<TargetHealth>, std::less<>> health_;   // by label
    std::vector<ModelEntry> models_;
    std::map<std::string, std::size_t, std::less<>> by_id_;
    std::string default_model_;
    std::string embeddings_;
    config::Breaker breaker_;
};

}  // namespace dure::llm

// Settings made ready to serve: providers with their limits, models with their targets. Built once, then only read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/config/settings.hpp"
#include "llm/bulkhead.hpp"
#include "llm/provider.hpp"

namespace dure::llm {

struct ProviderEntry {
    std::unique_ptr<Provider> provider;
    std::unique_ptr<Bulkhead> running;
    std::string dialect;
};

struct ModelEntry {
    ModelInfo info;
    std::vector<Target> targets;
    std::int64_t max_output = 0;
    std::int64_t attempts = 6;
    bool next_after_content_filter = false;
    bool embeds = false;
};

class Catalog {
public:
    // Throws InvariantBroken when a model cannot be served as configured.
    Catalog(const config::Settings& settings, http::Client& client, Logger& logger);

    const std::vector<ModelEntry>& models() const { return models_; }
    // The default model for an empty name; null for an unknown one.
    const ModelEntry* find(std::string_view id) const;
    const ProviderEntry& provider(const std::string& name) const { return providers_.at(name); }
    const std::string& default_model() const { return default_model_; }

private:
    void add_providers(const config::Settings& settings, http::Client& client, Logger& logger);
    void add_model(const config::Model& model, const config::Settings& settings);
    void add_built_in(const config::Settings& settings);
    Target read_target(const std::string& model, const std::string& text) const;

    std::map<std::string, ProviderEntry, std::less<>> providers_;
    std::vector<ModelEntry> models_;
    std::map<std::string, std::size_t, std::less<>> by_id_;
    std::string default_model_;
};

}  // namespace dure::llm

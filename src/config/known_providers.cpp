// Providers and models that are there without a file, as soon as a key of theirs is in the environment.
#include "config/collector.hpp"

namespace dure::config {

namespace known {

struct KnownModel {
    const char* id;
    const char* name;
    const char* openai;        // its name at OpenAI; empty: not sold there
    const char* openrouter;
    const char* anthropic;     // its name at Anthropic; empty: not sold there
    std::int64_t context_window;
    std::int64_t max_output;
    Prices prices;
};

// Nano-dollars per million tokens: {input, cached input, cache write, output}.
constexpr std::int64_t cent = 10'000'000;
constexpr KnownModel models[] = {
    {"gpt-4o", "GPT-4o", "gpt-4o", "openai/gpt-4o", "", 128000, 16384, {250 * cent, 125 * cent, 0, 1000 * cent}},
    {"gpt-4o-mini",
     "GPT-4o mini",
     "gpt-4o-mini",
     "openai/gpt-4o-mini",
     "",
     128000,
     16384,
     {15 * cent, 75 * cent / 10, 0, 60 * cent}},
    {"claude-3-sonnet",
     "Claude 3 Sonnet",
     "",
     "anthropic/claude-3-sonnet",
     "claude-3-sonnet-20240229",
     200000,
     4096,
     {300 * cent, 0, 0, 1500 * cent}},
};

bool has(const Variables& variables, const char* name)
{
    const auto found = variables.find(name);
    return found != variables.end() && !found->second.value.empty();
}

Provider provider(const char* name, const char* base_url, const char* key)
{
    Provider made;
    made.name = name;
    made.base_url = base_url;
    made.keys_env = {key};
    return made;
}

}  // namespace known

void add_known_providers(const Variables& variables, Collector& collector)
{
    auto& settings = collector.loaded.settings;
    if (!settings.providers.empty() || !settings.model.empty())
        return;   // a file that lists its own knows better
    const bool openai = known::has(variables, "OPENAI_API_KEY");
    const bool openrouter = known::has(variables, "OPENROUTER_API_KEY");
    if (openai)
        settings.providers.push_back(known::provider("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"));
    if (openrouter)
        settings.providers.push_back(
            known::provider("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"));
    const bool anthropic = known::has(variables, "ANTHROPIC_API_KEY");
    if (anthropic) {
        settings.providers.push_back(known::provider("anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY"));
        settings.providers.back().dialect = "anthropic";
        settings.providers.back().version = "2023-06-01";   // what the models below were made for
    }
    for (const auto& one : known::models) {
        Model model;
        if (openai && *one.openai != '\0')
            model.targets.push_back(std::string("openai/") + one.openai);
        if (anthropic && *one.anthropic != '\0')
            model.targets.push_back(std::string("anthropic/") + one.anthropic);
        if (openrouter)
            model.targets.push_back(std::string("openrouter/") + one.openrouter);
        if (model.targets.empty())
            continue;
        model.id = one.id;
        model.name = one.name;
        model.vision = true;
        model.context_window = one.context_window;
        model.max_output = one.max_output;
        model.prices = one.prices;
        settings.model.push_back(std::move(model));
    }
    if (!settings.model.empty() && !collector.was_set("models.default"))
        settings.models.default_model = settings.model.front().id;
}

}  // namespace dure::config

// What loading has gathered so far: settings, problems, warnings, and where each key was set.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "dure/config/load.hpp"

namespace dure::config {

struct Collector {
    Loaded& loaded;
    std::map<std::string, std::string, std::less<>> set_at;   // "server.port", "model[1].targets" -> "dure.toml:12"

    void problem(std::string where, std::string message)
    {
        loaded.problems.push_back({std::move(where), std::move(message)});
    }
    bool was_set(std::string_view path) const { return set_at.find(path) != set_at.end(); }
    std::string where(std::string_view path) const
    {
        const auto found = set_at.find(path);
        return found == set_at.end() ? "configuration" : found->second;
    }
};

// The TOML file into the settings.
void read_toml_file(const std::filesystem::path& file, Collector& collector);

// One variable: its value, and what problems call it.
// Later ones win, whichever of its names a key has there.
enum class Layer { env_file, environment };
struct Variable {
    std::string value;
    std::string where;
    Layer layer = Layer::environment;
};
using Variables = std::map<std::string, Variable>;

// KEY=VALUE lines of .env; what is there already (the environment) stays.
void read_env_file(const std::filesystem::path& file, Variables& variables, Collector& collector);

// DURE_… variables and the short names into the settings.
void apply_variables(const Variables& variables, Collector& collector);
// A secret that stands where the name of its variable belongs is a problem, and is taken out so that nothing shows it.
void refuse_secrets_as_names(Collector& collector);
// keys_env of every provider into its keys.
void resolve_provider_keys(const Variables& variables, Collector& collector);
void resolve_mail_url(const Variables& variables, Collector& collector);
// flows.secrets_env into flows.secrets.
void resolve_flow_secrets(const Variables& variables, Collector& collector);
// Providers and models of the known keys, when the file lists none.
void add_known_providers(const Variables& variables, Collector& collector);

// What no single key can tell: names that refer to each other, settings that exclude each other.
void check_together(Collector& collector);

}  // namespace dure::config

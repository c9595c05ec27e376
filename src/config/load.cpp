// load: the order of the sources; see load.hpp.
#include "dure/config/load.hpp"

#include "config/collector.hpp"
#include "config/values.hpp"

namespace dure::config {

namespace loading {

// Empty: no file, which is fine unless one was named.
std::optional<std::filesystem::path> chosen_file(const LoadOptions& options, const Variables& variables,
                                                 Collector& collector)
{
    auto file = options.file;
    auto where = std::string("--config");
    if (const auto named = variables.find("DURE_CONFIG");
        !file && named != variables.end() && !named->second.value.empty()) {
        file = named->second.value;
        where = named->second.where;
    }
    std::error_code failed;
    const auto standard = options.directory / "config" / "dure.toml";
    if (!file)
        return std::filesystem::is_regular_file(standard, failed) ? std::optional(standard.lexically_normal())
                                                                  : std::nullopt;
    if (std::filesystem::is_regular_file(*file, failed))
        return file;
    collector.problem(where, "there is no file " + file->string());
    return std::nullopt;
}

void apply_overrides(const LoadOptions& options, Collector& collector)
{
    for (const auto& [path, value] : options.overrides) {
        const auto* key = find_key(setting_keys(), path);
        const auto wrong = key ? set_from_text(*key, &collector.loaded.settings, value) : std::string("is no key");
        if (!wrong.empty())
            collector.problem("command line", path + " " + wrong);
        collector.set_at[path] = "command line";
    }
}

void apply_rules(const LoadOptions& options, Collector& collector)
{
    for (const auto& rule : options.rules)
        if (auto fault = rule.fault(collector.loaded.settings); !fault.empty())
            collector.problem(collector.where(rule.key), std::move(fault));
}

}  // namespace loading

Loaded load(const LoadOptions& options)
{
    Loaded loaded;
    Collector collector{loaded, {}};
    Variables variables;
    for (const auto& [name, value] : options.environment)
        variables[name] = {value, name};
    read_env_file(options.directory / ".env", variables, collector);
    if (const auto file = loading::chosen_file(options, variables, collector))
        read_toml_file(*file, collector);
    apply_variables(variables, collector);
    loading::apply_overrides(options, collector);
    add_known_providers(variables, collector);
    refuse_secrets_as_names(collector);
    resolve_provider_keys(variables, collector);
    resolve_mail_url(variables, collector);
    resolve_flow_secrets(variables, collector);
    for (const auto& [name, variable] : variables)
        loaded.settings.tools.variables.emplace(name, SecretString(variable.value));
    check_together(collector);
    loading::apply_rules(options, collector);
    return loaded;
}

}  // namespace dure::config

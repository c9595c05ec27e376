// Environment variables: .env, DURE_… names, the short names, keys of providers; see collector.hpp.
#include <algorithm>
#include <fstream>

#include "config/collector.hpp"
#include "config/values.hpp"
#include "dure/base/log.hpp"
#include "dure/base/text.hpp"

extern char** environ;

namespace dure::config {

namespace variables {

// Read by others than the key table: the file's name, and the program that test harnesses start.
constexpr std::string_view other_names[] = {"DURE_CONFIG", "DURE_BINARY"};

bool is_name(std::string_view name)
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

// The value of a .env line: in quotes exactly, otherwise up to a comment. Empty optional: a quote does not end.
std::optional<std::string> env_value(std::string_view text)
{
    text = trim(text);
    if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
        const auto end = text.find(text.front(), 1);
        const auto rest = end == std::string_view::npos ? text : trim(text.substr(end + 1));
        if (end == std::string_view::npos || (!rest.empty() && rest.front() != '#'))
            return std::nullopt;
        return std::string(text.substr(1, end - 1));
    }
    if (const auto comment = text.find(" #"); comment != std::string_view::npos)
        text = trim(text.substr(0, comment));
    return std::string(text.starts_with('#') ? std::string_view() : text);
}

// "DURE_SERVER__PORT" -> "server.port"
std::string path_of(std::string_view name)
{
    auto path = ascii_lower(name.substr(5));
    for (auto at = path.find("__"); at != std::string::npos; at = path.find("__", at + 1))
        path.replace(at, 2, ".");
    return path;
}

std::string variable_of(std::string_view path)
{
    std::string name = "DURE_";
    for (const char c : path)
        name += c == '.' ? std::string("__") : std::string(1, c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    return name;
}

void set_key(const Key& key, const Variable& variable, Collector& collector)
{
    const auto wrong = set_from_text(key, &collector.loaded.settings, variable.value);
    if (!wrong.empty())
        collector.problem(variable.where, key.path + " " + wrong);
    collector.set_at[key.path] = variable.where;
}

// A short name counts when it is not empty: compose files pass on variables that nobody has set.
const Variable* filled(const Variables& all, const std::string& name)
{
    const auto found = all.find(name);
    return found == all.end() || found->second.value.empty() ? nullptr : &found->second;
}

std::string percent_encoded(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.' || c == '~';
        const auto digits = hex(std::string_view(&c, 1));
        out += plain ? std::string(1, c) : "%" + digits;
    }
    return out;
}

// Of a server's address in a URL: IPv6 in brackets, the folder of a socket encoded.
std::string host_in_url(const std::string& host)
{
    if (host.starts_with('/'))
        return percent_encoded(host);
    const bool bare = !host.starts_with('[') && std::count(host.begin(), host.end(), ':') > 1;
    return bare ? "[" + host + "]" : host;
}

bool stands_in(Layer layer, const Variable* variable)
{
    return variable != nullptr && variable->layer == layer;
}

// A password may come from another layer than the host it belongs to.
void apply_database_parts(Layer layer, const Variables& all, Collector& collector)
{
    const auto part = [&](const char* name, const char* fallback) {
        const auto* found = filled(all, name);
        return found ? found->value : std::string(fallback);
    };
    const auto* host = filled(all, "DB_HOST");
    if (!host) {
        for (const auto* name : {"DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"})
            if (const auto* other = filled(all, name); stands_in(layer, other) && !filled(all, "DATABASE_URL"))
                collector.problem(other->where, "needs DB_HOST too");
        return;
    }
    if (!stands_in(layer, host))
        return;
    const auto port = part("DB_PORT", "5432");
    if (port.size() > 5 || port.find_first_not_of("0123456789") != port.npos || std::stoi(port) > 65535)
        return collector.problem(all.at("DB_PORT").where, "must be the number of a port");
    const auto user = part("DB_USER", "postgres");
    const auto password = part("DB_PASSWORD", "");
    const auto url = "postgresql://" + percent_encoded(user) +
                     (password.empty() ? "" : ":" + percent_encoded(password)) + "@" + host_in_url(host->value) +
                     ":" + port + "/" + percent_encoded(part("DB_NAME", user.c_str()));
    set_key(*find_key(setting_keys(), "database.url"), {url, host->where}, collector);
}

void apply_short_names(Layer layer, const Variables& all, Collector& collector)
{
    const std::pair<const char*, const char*> names[] = {{"BACKEND_HOST", "server.host"},
                                                         {"BACKEND_PORT", "server.port"},
                                                         {"DATABASE_URL", "database.url"},
                                                         {"REDIS_URL", "redis.url"}};
    for (const auto& [name, path] : names)
        if (const auto* variable = filled(all, name); stands_in(layer, variable))
            set_key(*find_key(setting_keys(), path), *variable, collector);
    if (!stands_in(layer, filled(all, "DATABASE_URL")))
        apply_database_parts(layer, all, collector);
}

void apply_names_without_keys(const Variables& all, Collector& collector)
{
    auto& auth = collector.loaded.settings.auth;
    if (const auto* secret = filled(all, "SECRET_KEY")) {
        auth.secret_key = SecretString(secret->value);
        collector.set_at["auth.secret_key"] = secret->where;
    }
    if (const auto* email = filled(all, "ADMIN_EMAIL")) {
        auth.admin_email = email->value;
        collector.set_at["auth.admin_email"] = email->where;
    }
    if (const auto* password = filled(all, "ADMIN_PASSWORD")) {
        auth.admin_password = SecretString(password->value);
        collector.set_at["auth.admin_password"] = password->where;
    }
}

}  // namespace variables

void read_env_file(const std::filesystem::path& file, Variables& variables, Collector& collector)
{
    std::ifstream in(file);
    std::string line;
    Variables found;
    for (int number = 1; std::getline(in, line); ++number) {
        std::string_view text = line;
        if (number == 1 && text.starts_with("\xEF\xBB\xBF"))   // editors of Windows write the mark of UTF-8
            text.remove_prefix(3);
        text = trim(text);
        const auto where = file.filename().string() + ":" + std::to_string(number);
        if (text.empty() || text.front() == '#')
            continue;
        if (text.starts_with("export "))
            text = trim(text.substr(7));
        const auto equals = text.find('=');
        const auto name = trim(text.substr(0, equals));
        const auto value =
            equals == std::string_view::npos ? std::nullopt : variables::env_value(text.substr(equals + 1));
        if (!variables::is_name(name) || !value)
            collector.problem(where, "is not of the form NAME=value");
        else
            found[std::string(name)] = {*value, where + " (" + std::string(name) + ")",
                                        Layer::env_file};   // the last line of a name counts
    }
    variables.merge(found);
}

namespace variables {

void apply_full_names(Layer layer, const Variables& all, Collector& collector)
{
    for (const auto& [name, variable] : all) {
        const bool other = std::find(std::begin(other_names), std::end(other_names), name) != std::end(other_names);
        if (!name.starts_with("DURE_") || other || variable.layer != layer)
            continue;
        const auto path = path_of(name);
        const auto* key = find_key(setting_keys(), path);
        if (key && variable_of(path) == name) {
            set_key(*key, variable, collector);
            continue;
        }
        const auto near = suggestion(setting_keys(), path);
        const auto begin = near.find("mean ");
        const auto hint = near.empty()
                              ? std::string()
                              : " (did you mean " + variable_of(near.substr(begin + 5, near.size() - begin - 7)) + "?)";
        collector.problem(variable.where, "unknown variable" + hint);
    }
}

}  // namespace variables

void apply_variables(const Variables& all, Collector& collector)
{
    for (const auto layer : {Layer::env_file, Layer::environment}) {
        variables::apply_short_names(layer, all, collector);   // the full names win over the short ones beside them
        variables::apply_full_names(layer, all, collector);
    }
    variables::apply_names_without_keys(all, collector);
}

namespace variables {

void keep_names_only(std::string& name, const std::string& path, Collector& collector)
{
    if (name.empty() || (is_name(name) && redact(name) == name))
        return;
    name.clear();
    collector.problem(collector.where(path), path + " must hold names of variables, not what they hold");
}

void keep_names_only(std::map<std::string, std::string>& names, const std::string& path, Collector& collector)
{
    for (auto& [what, name] : names)
        keep_names_only(name, path, collector);
    std::erase_if(names, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace variables

namespace flow_secrets {

bool is_host_pattern(std::string_view host)
{
    if (host.starts_with("*."))
        host.remove_prefix(2);
    return !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string_view::npos;
}

// "VARIABLE" or "VARIABLE@host,*.domain": the name, and to which hosts its value may go.
void check(std::map<std::string, std::string>& entries, Collector& collector)
{
    const std::string path = "flows.secrets_env";
    for (auto& [secret, entry] : entries) {
        const auto at = entry.find('@');
        auto name = entry.substr(0, at);
        variables::keep_names_only(name, path, collector);
        if (name.empty()) {
            entry.clear();
            continue;
        }
        for (std::size_t from = at; from != std::string::npos;) {
            const auto comma = entry.find(',', ++from);
            if (!is_host_pattern(std::string_view(entry).substr(from, comma - from)))
                collector.problem(collector.where(path), path + "." + secret +
                                                             " must be VARIABLE or VARIABLE@host,host: names of hosts in "
                                                             "small letters, or *. and the end of them");
            from = comma;
        }
    }
    std::erase_if(entries, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace flow_secrets

void refuse_secrets_as_names(Collector& collector)
{
    auto& settings = collector.loaded.settings;
    for (std::size_t i = 0; i < settings.providers.size(); ++i) {
        auto& names = settings.providers[i].keys_env;
        for (auto& name : names)
            variables::keep_names_only(name, "providers[" + std::to_string(i) + "].keys_env", collector);
        std::erase(names, "");
    }
    for (std::size_t i = 0; i < settings.tools.mcp.size(); ++i) {
        const auto path = "tools.mcp[" + std::to_string(i) + "].";
        variables::keep_names_only(settings.tools.mcp[i].secrets_env, path + "secrets_env", collector);
        variables::keep_names_only(settings.tools.mcp[i].headers_env, path + "headers_env", collector);
    }
    flow_secrets::check(settings.flows.secrets_env, collector);
    variables::keep_names_only(settings.mail.smtp_url_env, "mail.smtp_url_env", collector);
}

void resolve_provider_keys(const Variables& all, Collector& collector)
{
    auto& providers = collector.loaded.settings.providers;
    for (std::size_t i = 0; i < providers.size(); ++i) {
        for (const auto& name : providers[i].keys_env) {
            const auto* variable = variables::filled(all, name);
            const auto key =
                variable != nullptr ? trim(variable->value) : std::string_view();   // a file's last line break
            if (std::any_of(key.begin(), key.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }))
                collector.problem(collector.where("providers[" + std::to_string(i) + "].keys_env"),
                                  "variable " + name + " of provider " + providers[i].name +
                                      " cannot be a key: it has control characters");
            else if (!key.empty())
                providers[i].keys.emplace_back(std::string(key));
            else
                collector.loaded.warnings.push_back(collector.where("providers[" + std::to_string(i) + "].keys_env") +
                                                    ": variable " + name + " of provider " + providers[i].name +
                                                    " is not set");
        }
    }
}

void resolve_mail_url(const Variables& all, Collector& collector)
{
    auto& mail = collector.loaded.settings.mail;
    if (mail.sender != "smtp")
        return;
    if (const auto* variable = variables::filled(all, mail.smtp_url_env))
        mail.smtp_url = SecretString(variable->value);
    else
        collector.problem(collector.where(mail.smtp_url_env.empty() ? "mail.sender" : "mail.smtp_url_env"),
                          "mail.sender = \"smtp\" needs mail.smtp_url_env, the name of a variable that is set");
}

void resolve_flow_secrets(const Variables& all, Collector& collector)
{
    auto& flows = collector.loaded.settings.flows;
    for (const auto& [name, entry] : flows.secrets_env) {
        const auto holder = entry.substr(0, entry.find('@'));
        if (const auto* variable = variables::filled(all, holder))
            flows.secrets.emplace(name, SecretString(variable->value));
        else
            collector.loaded.warnings.push_back(collector.where("flows.secrets_env") + ": variable " + holder +
                                                " of the secret " + name + " is not set");
    }
}

Environment process_environment()
{
    Environment all;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text(*entry);
        if (const auto equals = text.find('='); equals != std::string_view::npos)
            all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

}  // namespace dure::config

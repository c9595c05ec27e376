// Checks over several keys; see collector.hpp.
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <set>

#include "config/collector.hpp"
#include "dure/base/text.hpp"
#include "dure/http/client.hpp"

namespace dure::config {

namespace checks {

constexpr std::size_t shortest_secret = 32;

bool address_or_block(const std::string& text)
{
    boost::system::error_code failed;
    if (text.find('/') == std::string::npos)
        boost::asio::ip::make_address(text, failed);
    else if (text.find(':') == std::string::npos)
        boost::asio::ip::make_network_v4(text, failed);
    else
        boost::asio::ip::make_network_v6(text, failed);
    return !failed;
}

bool loopback(const std::string& host)
{
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(host, failed);
    return failed ? host == "localhost" : address.is_loopback();
}

// An address that requests go to, as the client of this server reads it.
void check_address(const std::string& where, const std::string& path, const std::string& url, Collector& collector)
{
    if (!ascii_lower(url).starts_with("http://") && !ascii_lower(url).starts_with("https://"))
        collector.problem(where, path + " must begin with http:// or https://");
    else if (const auto read = http::parse_url(url); !read)
        collector.problem(where, path + " cannot be used: " + read.error().message());
}

bool http_url(std::string_view url)
{
    const auto lower = ascii_lower(url);
    const bool scheme = lower.starts_with("http://") || lower.starts_with("https://");
    const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F; });
    return scheme && plain && url.size() > lower.find("//") + 2;
}

// An address or localhost with a port; IPv6 in brackets.
bool address_with_port(const std::string& text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return false;
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string::npos)
        return false;
    const auto port = text.substr(colon + 1);
    boost::system::error_code failed;
    boost::asio::ip::make_address(host, failed);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    return (!failed || host == "localhost") && digits && std::stoul(port) <= 65535;
}

// "host:port" of an egress exception; IPv6 in brackets.
bool host_with_port(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0)
        return false;
    const auto host = text.substr(0, colon);
    const auto port = text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
    if (!bracketed && host.find_first_of("[]:/@ \t") != std::string_view::npos)
        return false;
    unsigned number = 0;
    const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
    return failed == std::errc() && end == port.data() + port.size() && number >= 1 && number <= 65535;
}

// An address, or a name that could be one of this machine's.
bool listenable(std::string_view host)
{
    boost::system::error_code failed;
    boost::asio::ip::make_address(host, failed);
    return !failed || (host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                  c == '-' || c == '.';
                       }));
}

bool repeats(std::string_view text, std::string_view word)
{
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] != word[i % word.size()])
            return false;
    return true;
}

// Keys from tutorials and templates, also when they were lengthened or repeated to look long enough.
bool known_sample(std::string_view secret)
{
    static constexpr std::array<std::string_view, 8> words = {"secret",      "password",   "default",    "mysecret",
                                                              "supersecret", "secret-key", "secret_key", "test"};
    static constexpr std::array<std::string_view, 9> parts = {"changeme",    "change-me",         "change_me",
                                                              "change-this", "change_this",       "your-secret",
                                                              "your_secret", "your-super-secret", "yoursecretkey"};
    const auto lower = ascii_lower(secret);
    return std::any_of(words.begin(), words.end(), [&](auto word) { return repeats(lower, word); }) ||
           std::any_of(parts.begin(), parts.end(), [&](auto part) { return lower.find(part) != std::string::npos; });
}

// One that was named and is not there may come before it is read again; that nothing is read now should not be silent. Those of
// the defaults need not be there.
void check_folder(std::string_view key, const std::string& folder, const std::string& usual, Collector& collector)
{
    std::error_code failed;
    if (collector.was_set(key) && !folder.empty() && folder != usual && !std::filesystem::is_directory(folder, failed))
        collector.loaded.warnings.push_back(collector.where(key) + ": " + std::string(key) + ": there is no folder " +
                                            folder);
}

// Empty: it may be used. The key itself is never part of the answer.
std::string fault_of_secret(std::string_view secret)
{
    if (secret.size() < shortest_secret)
        return "must have at least 32 bytes";
    if (repeats(secret, secret.substr(0, 1)))
        return "must not repeat one character";
    return known_sample(secret) ? "is a known sample: make one with `openssl rand -hex 32`" : "";
}

bool header_name(std::string_view name)
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

void check_server(const Settings& settings, Collector& collector)
{
    const auto& server = settings.server;
    if (server.host.empty())
        collector.problem(collector.where("server.host"), "server.host must not be empty");
    else if (!listenable(server.host))
        collector.problem(collector.where("server.host"), "server.host must be an address or a host name");
    else if (!loopback(server.host) && !settings.auth.accounts)
        collector.problem(collector.where("auth.accounts"),
                          "auth.accounts = false is possible on a loopback address only, and server.host is " +
                              server.host);
    if (server.tls_cert.empty() != server.tls_key.empty())
        collector.problem(collector.where(server.tls_cert.empty() ? "server.tls_key" : "server.tls_cert"),
                          "server.tls_cert and server.tls_key belong together");
    if (!server.public_url.empty() && !http_url(server.public_url))
        collector.problem(collector.where("server.public_url"),
                          "server.public_url must begin with http:// or https://");
    for (const auto& origin : server.cors_origins)
        if (!http_url(origin) || origin.find('/', origin.find("//") + 2) != std::string::npos)
            collector.problem(
                collector.where("server.cors_origins"),
                "server.cors_origins must hold origins such as \"https://chat.example.com\", without a path or *");
    for (const auto& proxy : server.trusted_proxies)
        if (!address_or_block(proxy))
            collector.problem(collector.where("server.trusted_proxies"),
                              "server.trusted_proxies: " + proxy + " is neither an IP address nor a CIDR block");
    if (server.trusted_proxies.empty() != server.proxy_header.empty())
        collector.problem(
            collector.where(server.proxy_header.empty() ? "server.trusted_proxies" : "server.proxy_header"),
            "server.trusted_proxies and server.proxy_header belong together");
    // A name that no header can have would leave every client with the proxy's address.
    if (!server.proxy_header.empty() && !header_name(server.proxy_header))
        collector.problem(collector.where("server.proxy_header"),
                          "server.proxy_header must be the name of a header, e.g. X-Forwarded-For");
    if (!settings.metrics.listen.empty() && !address_with_port(settings.metrics.listen))
        collector.problem(collector.where("metrics.listen"),
                          "metrics.listen must be an address and a port, as 127.0.0.1:9100 or [::1]:9100");
}

void check_database(const Settings& settings, Collector& collector)
{
    const auto url = settings.database.url.reveal();
    const bool sqlite = url.starts_with("sqlite:") && url.size() > 7;
    if (!sqlite && !url.starts_with("postgresql://") && !url.starts_with("postgres://"))
        collector.problem(collector.where("database.url"),
                          "database.url must be sqlite:FILE or postgresql://user:password@host:port/name");
    const auto redis = settings.redis.url.reveal();
    if (!redis.empty() && !redis.starts_with("redis://") && !redis.starts_with("rediss://"))
        collector.problem(collector.where("redis.url"), "redis.url must begin with redis:// or rediss://");
    if (!settings.redis.ca_file.empty() && !redis.starts_with("rediss://"))
        collector.problem(collector.where("redis.ca_file"),
                          "redis.ca_file needs a redis.url that begins with rediss://");
}

void check_auth(const Settings& settings, Collector& collector)
{
    const auto& auth = settings.auth;
    if (!auth.secret_key.empty())
        if (const auto fault = fault_of_secret(auth.secret_key.reveal()); !fault.empty())
            collector.problem(collector.where("auth.secret_key"), "SECRET_KEY " + fault);
    if (auth.registration == "redirect" && !http_url(auth.signup_url))
        collector.problem(collector.where("auth.registration"),
                          "auth.registration = \"redirect\" needs auth.signup_url, an http(s) address");
    else if (!auth.signup_url.empty() && !http_url(auth.signup_url))
        collector.problem(collector.where("auth.signup_url"), "auth.signup_url must begin with http:// or https://");
    if (auth.admin_email.empty() != auth.admin_password.empty())
        collector.problem(collector.where(auth.admin_email.empty() ? "auth.admin_password" : "auth.admin_email"),
                          "ADMIN_EMAIL and ADMIN_PASSWORD belong together");
    if (!auth.admin_email.empty() && (auth.admin_email.find('@') == std::string::npos || auth.admin_email.size() > 254))
        collector.problem(collector.where("auth.admin_email"), "ADMIN_EMAIL must be an e-mail address");
}

std::set<std::string> check_providers(const Settings& settings, Collector& collector)
{
    std::set<std::string> names = {"mock"};
    for (std::size_t i = 0; i < settings.providers.size(); ++i) {
        const auto& provider = settings.providers[i];
        const auto place = "providers[" + std::to_string(i) + "]";
        const auto where = collector.where(place);
        if (provider.name.empty() || provider.name.find('/') != std::string::npos)
            collector.problem(where, place + ".name must not be empty or hold a /");
        else if (!names.insert(provider.name).second)
            collector.problem(where, "provider " + provider.name + " is there twice" +
                                         (provider.name == "mock" ? " (mock is built in)" : ""));
        if (provider.dialect != "mock")
            check_address(where, place + ".base_url", provider.base_url, collector);
        for (const auto& [name, value] : provider.headers)
            if (!header_name(name) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
                collector.problem(where, place + ".headers: " + name + " is no valid header");
    }
    return names;
}

void check_models(const Settings& settings, const std::set<std::string>& providers, Collector& collector)
{
    std::set<std::string> ids = {"mock", "coe-agent-v1", settings.models.embeddings};
    for (std::size_t i = 0; i < settings.model.size(); ++i) {
        const auto& model = settings.model[i];
        const auto place = "model[" + std::to_string(i) + "]";
        const auto where = collector.where(place);
        if (model.id.empty() || model.id.size() > 200 || model.id.starts_with("flow:"))
            collector.problem(where, place + ".id must not be empty, longer than 200 bytes or begin with flow:");
        else if (!ids.insert(model.id).second && model.id != settings.models.embeddings)
            collector.problem(where, "model " + model.id + " is there twice or the name of a built-in one");
        if (model.targets.empty())
            collector.problem(where, place + ".targets must name at least one provider/model");
        for (const auto& target : model.targets) {
            const auto slash = target.find('/');
            if (slash == std::string::npos || slash + 1 == target.size())
                collector.problem(where, place + ".targets: " + target + " is not of the form provider/model");
            else if (!providers.contains(target.substr(0, slash)))
                collector.problem(where, place + ".targets: there is no provider " + target.substr(0, slash));
        }
        for (const auto& [name, list] : {std::pair{"ranks", &model.ranks}, std::pair{"weights", &model.weights}}) {
            if (list->empty())
                continue;
            if (list->size() != model.targets.size())
                collector.problem(where, place + "." + name + " must have one number for each of its targets");
            if (model.kind == "embedding" ||
                (model.kind == "auto" &&
                 (model.id == settings.models.embeddings || ascii_lower(model.id).find("embed") != std::string::npos)))
                collector.problem(where,
                                  place + "." + name +
                                      " is not for embeddings: vectors of different targets do not fit together");
        }
    }
    const auto known = [&](const std::string& id) {
        return id == "mock" ||
               std::any_of(settings.model.begin(), settings.model.end(), [&](const Model& m) { return m.id == id; });
    };
    if (!known(settings.models.default_model))
        collector.problem(collector.where("models.default"),
                          "models.default: there is no model " + settings.models.default_model);
    if (!settings.agent.model.empty() && !known(settings.agent.model))
        collector.problem(collector.where("agent.model"), "agent.model: there is no model " + settings.agent.model);
    if (settings.models.embeddings != "local" && !known(settings.models.embeddings))
        collector.problem(collector.where("models.embeddings"),
                          "models.embeddings: there is no model " + settings.models.embeddings);
}

void check_tools(const Settings& settings, Collector& collector)
{
    std::set<std::string> names;
    for (std::size_t i = 0; i < settings.tools.mcp.size(); ++i) {
        const auto& mcp = settings.tools.mcp[i];
        const auto place = "tools.mcp[" + std::to_string(i) + "]";
        if (mcp.name.empty() || !names.insert(mcp.name).second)
            collector.problem(collector.where(place), place + ".name must be there and unique");
        else if (!header_name(mcp.name))   // it may become a part of names of tools
            collector.problem(collector.where(place), place + ".name must consist of letters, digits, - and _");
        if (mcp.transport == "stdio" && mcp.command.empty())
            collector.problem(collector.where(place), place + " needs a command");
        if (mcp.transport == "http")
            check_address(collector.where(place), place + ".url", mcp.url, collector);
    }
    for (const auto& place : settings.egress.allow)
        if (!host_with_port(place))
            collector.problem(collector.where("egress.allow"),
                              "egress.allow: " + place + " is not of the form host:port");
    for (const auto& [path, url] : {std::pair{"tools.weather_url", &settings.tools.weather_url},
                                    std::pair{"tools.geocoding_url", &settings.tools.geocoding_url},
                                    std::pair{"tools.search_url", &settings.tools.search_url}})
        if (!url->empty())
            check_address(collector.where(path), path, *url, collector);
    const Settings usual{};
    check_folder("tools.directory", settings.tools.directory, usual.tools.directory, collector);
    check_folder("agent.prompts", settings.agent.prompts, usual.agent.prompts, collector);
    if (settings.breaker.max_open < settings.breaker.open)
        collector.problem(collector.where("breaker.max_open"),
                          "breaker.max_open must not be shorter than breaker.open");
}

}  // namespace checks

void check_together(Collector& collector)
{
    const auto& settings = collector.loaded.settings;
    checks::check_server(settings, collector);
    checks::check_database(settings, collector);
    checks::check_auth(settings, collector);
    const auto providers = checks::check_providers(settings, collector);
    checks::check_models(settings, providers, collector);
    checks::check_tools(settings, collector);
}

}  // namespace dure::config

// The tables of the keys that occur once; see key.hpp. Defaults stand in settings.hpp only.
#include <algorithm>
#include <numeric>
#include <utility>

#include "config/key.hpp"

namespace dure::config {

namespace keys {

template <class Access>
Key setting(std::string path, Access access, std::string comment)
{
    return key_of<Settings>(std::move(path), access, std::move(comment));
}

void add_server(std::vector<Key>& all)
{
    const std::vector<Key> list = {
        setting(
            "server.host", [](Settings& s) { return &s.server.host; },
            "Address to listen on; others than loopback need auth.accounts = true"),
        setting(
            "server.port", [](Settings& s) { return &s.server.port; }, "0: a free one")
            .between(0, 65535),
        setting(
            "server.threads", [](Settings& s) { return &s.server.threads; }, "0: one per core")
            .between(0, 256),
        setting(
            "server.public_url", [](Settings& s) { return &s.server.public_url; },
            "How clients reach this server, for links"),
        setting(
            "server.trusted_proxies", [](Settings& s) { return &s.server.trusted_proxies; },
            "Addresses whose proxy_header is believed"),
        setting(
            "server.proxy_header", [](Settings& s) { return &s.server.proxy_header; },
            "Header with the client's address, e.g. X-Forwarded-For"),
        setting(
            "server.cors_origins", [](Settings& s) { return &s.server.cors_origins; },
            "Web pages that may call from a browser, exact origins"),
        setting(
            "server.tls_cert", [](Settings& s) { return &s.server.tls_cert; }, "PEM file; together with tls_key"),
        setting(
            "server.tls_key", [](Settings& s) { return &s.server.tls_key; }, "PEM file"),
        setting(
            "server.shutdown_deadline", [](Settings& s) { return &s.server.shutdown_deadline; },
            "How long running answers may take after SIGTERM"),
    };
    all.insert(all.end(), list.begin(), list.end());
}

void add_server_limits(std::vector<Key>& all)
{
    const auto limit = [&](const char* name, std::int64_t ServerLimits::* member, const char* comment) {
        return setting(
            std::string("server.limits.") + name, [member](Settings& s) { return &(s.server.limits.*member); },
            comment);
    };
    const auto time = [&](const char* name, Milliseconds ServerLimits::* member, const char* comment) {
        all.push_back(setting(
                          std::string("server.limits.") + name,
                          [member](Settings& s) { return &(s.server.limits.*member); }, comment)
                          .between(1, 86400000));
    };
    const std::int64_t most = 4ll << 30;
    all.push_back(
        limit("json_body", &ServerLimits::json_body, "Largest JSON body").as(Unit::bytes).between(1024, most));
    all.push_back(limit("chat_body", &ServerLimits::chat_body, "Largest body on /v1/*, which carries images")
                      .as(Unit::bytes)
                      .between(1024, most));
    all.push_back(
        limit("flow_body", &ServerLimits::flow_body, "Largest flow document").as(Unit::bytes).between(1024, most));
    all.push_back(
        limit("upload_body", &ServerLimits::upload_body, "Largest uploaded file").as(Unit::bytes).between(1024, most));
    all.push_back(limit("bodies_in_memory", &ServerLimits::bodies_in_memory, "All bodies at once")
                      .as(Unit::bytes)
                      .between(1 << 20, 1ll << 40));
    all.push_back(limit("connections", &ServerLimits::connections, "Open connections").between(1, 1000000));
    all.push_back(
        limit("connections_per_address", &ServerLimits::connections_per_address, "Open connections of one address")
            .between(1, 1000000));
    all.push_back(limit("requests_per_connection", &ServerLimits::requests_per_connection,
                        "Requests until a connection is closed")
                      .between(1, 1000000000));
    time("header_timeout", &ServerLimits::header_timeout, "A request's head must be complete in this time");
    time("body_idle", &ServerLimits::body_idle, "Longest silence while a body is sent");
    time("body_total", &ServerLimits::body_total, "A body must be complete in this time");
    time("keep_alive", &ServerLimits::keep_alive, "Idle connections are closed after this");
    time("write_stall", &ServerLimits::write_stall, "A peer that takes nothing for this long is dropped");
    time("request", &ServerLimits::request, "Longest request without a stream");
    time("chat_request", &ServerLimits::chat_request, "Longest request on /v1/* without a stream");
    time("sse_heartbeat", &ServerLimits::sse_heartbeat, "A comment is sent after this much silence in a stream");
    all.push_back(limit("stream_buffer", &ServerLimits::stream_buffer, "Output waiting for a slow reader")
                      .as(Unit::bytes)
                      .between(4096, 1 << 30));
}

void add_storage_and_accounts(std::vector<Key>& all)
{
    const std::vector<Key> list = {
        setting(
            "database.url", [](Settings& s) { return &s.database.url; },
            "sqlite:FILE or postgresql://user:password@host:port/name"),
        setting(
            "database.pool", [](Settings& s) { return &s.database.pool; }, "Connections; 0: automatic")
            .between(0, 1000),
        setting(
            "database.statement_timeout", [](Settings& s) { return &s.database.statement_timeout; },
            "Longest statement")
            .between(10, 600000),
        setting(
            "redis.url", [](Settings& s) { return &s.redis.url; }, "redis://… or rediss://… (TLS); empty: everything in this process"),
        setting(
            "redis.ca_file", [](Settings& s) { return &s.redis.ca_file; },
            "PEM file of authorities for rediss://, besides the system's"),
        setting(
            "auth.accounts", [](Settings& s) { return &s.auth.accounts; },
            "false: every caller is one local user; on loopback only"),
        setting(
            "auth.registration", [](Settings& s) { return &s.auth.registration; }, "Who may make an account")
            .one_of({"closed", "open", "redirect"}),
        setting(
            "auth.signup_url", [](Settings& s) { return &s.auth.signup_url; },
            "Where registration = \"redirect\" leads"),
        setting(
            "auth.token_lifetime", [](Settings& s) { return &s.auth.token_lifetime; }, "Of an access token")
            .between(60000, 30ll * 86400000),
        setting(
            "auth.password_hash_memory", [](Settings& s) { return &s.auth.password_hash_memory; },
            "Memory of one argon2id hash")
            .as(Unit::bytes)
            .between(19 << 20, 1 << 30),
    };
    all.insert(all.end(), list.begin(), list.end());
}

void add_limits(std::vector<Key>& all)
{
    const auto role = [&](const std::string& name, RoleLimits Limits::* member) {
        const auto one = [&](const char* what, std::int64_t RoleLimits::* count, const char* comment) {
            all.push_back(
                setting(
                    "limits." + name + "." + what, [=](Settings& s) { return &(s.limits.*member.*count); }, comment)
                    .between(0, 10000000));
        };
        one("chat_per_minute", &RoleLimits::chat_per_minute, "Chat requests");
        one("requests_per_minute", &RoleLimits::requests_per_minute, "All requests");
        one("streams", &RoleLimits::streams, "Streams at the same time");
        one("runs", &RoleLimits::runs, "Flow runs at the same time");
    };
    const auto spending = [&](const std::string& name, RoleLimits Limits::* member) {
        const auto one = [&](const char* what, std::int64_t RoleLimits::* amount, const char* comment) {
            return setting(
                "limits." + name + "." + what, [=](Settings& s) { return &(s.limits.*member.*amount); }, comment);
        };
        all.push_back(one("tokens_per_minute", &RoleLimits::tokens_per_minute, "Tokens of model calls; 0: not limited")
                          .between(0, 1'000'000'000'000));
        all.push_back(one("tokens_per_day", &RoleLimits::tokens_per_day, "Tokens of a day (UTC); 0: not limited")
                          .between(0, 1'000'000'000'000));
        all.push_back(one("cost_per_day", &RoleLimits::cost_per_day, "USD of a day (UTC); 0: not limited")
                          .as(Unit::nano_dollars)
                          .between(0, 1'000'000'000'000'000));
    };
    role("anonymous", &Limits::anonymous);
    role("user", &Limits::user);
    spending("user", &Limits::user);
    role("developer", &Limits::developer);
    spending("developer", &Limits::developer);
    role("admin", &Limits::admin);
    spending("admin", &Limits::admin);
    all.push_back(setting(
                      "limits.login.failures_per_account",
                      [](Settings& s) { return &s.limits.login_failures_per_account; },
                      "Wrong passwords before an account has to wait")
                      .between(1, 1000));
    all.push_back(setting(
                      "limits.login.failures_per_address",
                      [](Settings& s) { return &s.limits.login_failures_per_address; },
                      "Wrong passwords of one address in ten minutes")
                      .between(1, 100000));
}

void add_chat(std::vector<Key>& all)
{
    const std::vector<Key> list = {
        setting(
            "sessions.ttl", [](Settings& s) { return &s.sessions.ttl; }, "How long an unused session stays live")
            .between(1000, 365ll * 86400000),
        setting(
            "sessions.keep_messages", [](Settings& s) { return &s.sessions.keep_messages; },
            "Messages given to the model again")
            .between(1, 1000),
        setting(
            "sessions.max_turns", [](Settings& s) { return &s.sessions.max_turns; },
            "Turns until a session is summarised")
            .between(1, 1000),
        setting(
            "agent.model", [](Settings& s) { return &s.agent.model; },
            "Model the agent thinks with; empty: models.default"),
        setting(
            "agent.strategy", [](Settings& s) { return &s.agent.strategy; }, "How the agent works")
            .one_of({"graph", "chat", "simple", "planner"}),
        setting(
            "agent.max_iterations", [](Settings& s) { return &s.agent.max_iterations; },
            "Rounds of model and tools for one answer")
            .between(1, 100),
        setting(
            "agent.tools_top_k", [](Settings& s) { return &s.agent.tools_top_k; }, "Tools offered to the model at once")
            .between(1, 100),
        setting(
            "agent.prompts", [](Settings& s) { return &s.agent.prompts; },
            "Folder with prompts that replace the built-in ones"),
        setting(
            "agent.language", [](Settings& s) { return &s.agent.language; }, "auto: the user's")
            .one_of({"auto", "ko", "en"}),
        setting(
            "agent.durability", [](Settings& s) { return &s.agent.durability; }, "When steps are stored")
            .one_of({"exit", "async", "sync"}),
        setting(
            "models.default", [](Settings& s) { return &s.models.default_model; }, "Used where no model is named"),
        setting(
            "models.embeddings", [](Settings& s) { return &s.models.embeddings; }, "\"local\": the built-in embedder"),
        setting(
            "models.mock_delay", [](Settings& s) { return &s.models.mock_delay; },
            "Pause of the mock model before each token")
            .between(0, 60000),
        setting(
            "models.usage_retention", [](Settings& s) { return &s.models.usage_retention; },
            "Rows behind the usage reports are kept for this long; 0s: for ever")
            .between(0, 3650ll * 86400000),
        setting(
            "models.attempts_retention", [](Settings& s) { return &s.models.attempts_retention; },
            "Rows of single attempts at providers are kept for this long; 0s: for ever")
            .between(0, 3650ll * 86400000),
        setting(
            "breaker.failures", [](Settings& s) { return &s.breaker.failures; },
            "Failures in a row that close off a target; 0: off")
            .between(0, 1000),
        setting(
            "breaker.open", [](Settings& s) { return &s.breaker.open; }, "First pause of a target")
            .between(1, 3600000),
        setting(
            "breaker.max_open", [](Settings& s) { return &s.breaker.max_open; }, "Longest pause")
            .between(1, 86400000),
    };
    all.insert(all.end(), list.begin(), list.end());
}

void add_tools_and_flows(std::vector<Key>& all)
{
    const std::vector<Key> list = {
        setting(
            "tools.directory", [](Settings& s) { return &s.tools.directory; }, "Folder of tool files"),
        setting(
            "tools.result_cache", [](Settings& s) { return &s.tools.result_cache; },
            "Remembered results of tools without side effects")
            .between(0, 1000000),
        setting(
            "tools.timeout", [](Settings& s) { return &s.tools.timeout; }, "Longest tool call")
            .between(1, 600000),
        setting(
            "tools.weather_url", [](Settings& s) { return &s.tools.weather_url; },
            "Forecasts in Open-Meteo's form, e.g. https://api.open-meteo.com; none: no weather tool"),
        setting(
            "tools.geocoding_url", [](Settings& s) { return &s.tools.geocoding_url; },
            "Places in Open-Meteo's form, e.g. https://geocoding-api.open-meteo.com; none: that of weather_url"),
        setting(
            "tools.search_url", [](Settings& s) { return &s.tools.search_url; },
            "A SearXNG server; none: no search tool"),
        setting(
            "egress.allow", [](Settings& s) { return &s.egress.allow; },
            "host:port that tools and flows may reach although it is private"),
        setting(
            "egress.ports", [](Settings& s) { return &s.egress.ports; },
            "Ports that tools and flows may reach on public addresses")
            .between(1, 65535),
        setting(
            "flows.directory", [](Settings& s) { return &s.flows.directory; }, "Folder of flow files"),
        setting(
            "flows.run_timeout", [](Settings& s) { return &s.flows.run_timeout; },
            "Longest run, waiting for people not counted")
            .between(1000, 86400000),
        setting(
            "flows.max_parallel", [](Settings& s) { return &s.flows.max_parallel; },
            "Nodes of one run at the same time")
            .between(1, 1024),
        setting(
            "flows.max_steps", [](Settings& s) { return &s.flows.max_steps; }, "Steps of one run")
            .between(1, 1000000),
        setting(
            "flows.max_nodes", [](Settings& s) { return &s.flows.max_nodes; }, "Nodes of one flow")
            .between(1, 10000),
        setting(
            "flows.variables", [](Settings& s) { return &s.flows.variables; },
            "Texts that every flow may read: {name = \"text\"} is {{vars.name}}"),
        setting(
            "flows.secrets_env", [](Settings& s) { return &s.flows.secrets_env; },
            "Secrets that flows may send: {name = \"VARIABLE@host\"} is {{secrets.name}}, the value of that variable; without @ to any host"),
        setting(
            "executions.workers", [](Settings& s) { return &s.executions.workers; }, "0: automatic")
            .between(0, 1024),
        setting(
            "executions.lease", [](Settings& s) { return &s.executions.lease; },
            "A worker that is silent for this long loses its run")
            .between(1000, 600000),
        setting(
            "executions.retention", [](Settings& s) { return &s.executions.retention; },
            "Finished runs are kept for this long")
            .between(3600000, 3650ll * 86400000),
    };
    all.insert(all.end(), list.begin(), list.end());
}

void add_operation(std::vector<Key>& all)
{
    const std::vector<Key> list = {
        setting(
            "mail.sender", [](Settings& s) { return &s.mail.sender; },
            "log: mails go into a file beside the database that only its owner reads")
            .one_of({"log", "smtp"}),
        setting(
            "mail.smtp_url_env", [](Settings& s) { return &s.mail.smtp_url_env; },
            "Name of the variable with smtp://user:password@host:port"),
        setting(
            "mail.from", [](Settings& s) { return &s.mail.from; }, "Sender address"),
        setting(
            "log.level", [](Settings& s) { return &s.log.level; }, "debug shows texts of users")
            .one_of({"debug", "info", "warn", "error"}),
        setting(
            "log.format", [](Settings& s) { return &s.log.format; }, "text: for people")
            .one_of({"json", "text"}),
        setting(
            "log.file", [](Settings& s) { return &s.log.file; }, "Empty: standard error"),
        setting(
            "metrics.listen", [](Settings& s) { return &s.metrics.listen; },
            "Own address, as 127.0.0.1:9100; empty: main port with permission metrics:read"),
    };
    all.insert(all.end(), list.begin(), list.end());
}

std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
        }
    }
    return row.back();
}

}  // namespace keys

const std::vector<Key>& setting_keys()
{
    static const std::vector<Key> all = [] {
        std::vector<Key> list;
        keys::add_server(list);
        keys::add_server_limits(list);
        keys::add_storage_and_accounts(list);
        keys::add_limits(list);
        keys::add_chat(list);
        keys::add_tools_and_flows(list);
        keys::add_operation(list);
        return list;
    }();
    return all;
}

const Key* find_key(const std::vector<Key>& keys, std::string_view path)
{
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.path == path; });
    return found == keys.end() ? nullptr : &*found;
}

std::string suggestion(const std::vector<Key>& keys, std::string_view path)
{
    if (path.size() > 100)
        return {};
    const Key* best = nullptr;
    std::size_t distance = 3;
    for (const auto& key : keys)
        if (const auto edits = keys::edit_distance(path, key.path); edits < distance)
            best = &key, distance = edits;
    return best ? " (did you mean " + best->path + "?)" : std::string();
}

}  // namespace dure::config

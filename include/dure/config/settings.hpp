// Every setting of the process with its default, as read from the TOML file, .env and the environment. Names are those of
// the configuration reference (docs/configuration); the table in src/config/ that fills these structs is the only reader.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/secret.hpp"

namespace dure::config {

using Milliseconds = std::chrono::milliseconds;

struct ServerLimits {
    std::int64_t json_body = 1 << 20;              // bytes
    std::int64_t chat_body = 32 << 20;
    std::int64_t flow_body = 4 << 20;
    std::int64_t upload_body = 20 << 20;
    std::int64_t bodies_in_memory = 512ll << 20;
    std::int64_t connections = 4096;
    std::int64_t connections_per_address = 256;
    std::int64_t requests_per_connection = 10000;
    Milliseconds header_timeout{10000};
    Milliseconds body_idle{15000};
    Milliseconds body_total{60000};
    Milliseconds keep_alive{60000};
    Milliseconds write_stall{20000};
    Milliseconds request{120000};                  // without stream
    Milliseconds chat_request{300000};             // /v1/* without stream
    Milliseconds sse_heartbeat{15000};
    std::int64_t stream_buffer = 256 << 10;
};

struct Server {
    std::string host = "127.0.0.1";
    std::int64_t port = 8000;
    std::int64_t threads = 0;                      // 0: cores
    std::string public_url;
    std::vector<std::string> trusted_proxies;
    std::string proxy_header;
    std::vector<std::string> cors_origins;
    std::string tls_cert;
    std::string tls_key;
    Milliseconds shutdown_deadline{20000};
    ServerLimits limits;
};

struct Database {
    SecretString url{"sqlite:data/dure.db"};       // may hold a password
    std::int64_t pool = 0;                         // 0: automatic
    Milliseconds statement_timeout{5000};
};

struct Redis {
    SecretString url;                              // empty: in-process
    std::string ca_file;                           // of rediss://; empty: the system's authorities alone
};

struct Auth {
    bool accounts = true;
    std::string registration = "closed";           // closed, open, redirect
    std::string signup_url;
    Milliseconds token_lifetime{3600000};
    std::int64_t password_hash_memory = 19 << 20;
    SecretString secret_key;                       // SECRET_KEY; empty: embedded mode makes one beside the database
    std::string admin_email;                       // ADMIN_EMAIL, ADMIN_PASSWORD: the first admin only
    SecretString admin_password;
};

struct RoleLimits {
    std::int64_t chat_per_minute = 60;
    std::int64_t requests_per_minute = 600;
    std::int64_t streams = 10;
    std::int64_t runs = 5;
    // Of model calls; 0: not limited. None for callers known only by address: no route lets them ask a model.
    std::int64_t tokens_per_minute = 0;
    std::int64_t tokens_per_day = 0;
    std::int64_t cost_per_day = 0;                 // nano-dollars
};

struct Limits {
    RoleLimits anonymous{10, 60, 2, 0};
    RoleLimits user{60, 600, 10, 5};
    RoleLimits developer{240, 2400, 40, 20};
    RoleLimits admin{600, 6000, 100, 50};
    std::int64_t login_failures_per_account = 5;
    std::int64_t login_failures_per_address = 30;
};

struct Sessions {
    Milliseconds ttl{3600000};
    std::int64_t keep_messages = 20;
    std::int64_t max_turns = 3;
};

struct Agent {
    std::string model;                             // empty: models.default
    std::string strategy = "graph";                // graph, chat, simple, planner
    std::int64_t max_iterations = 8;
    std::int64_t tools_top_k = 5;
    std::string prompts = "config/prompts";
    std::string language = "auto";                 // auto, ko, en
    std::string durability = "exit";               // exit, async, sync
};

struct Models {
    std::string default_model = "mock";            // models.default
    std::string embeddings = "local";
    Milliseconds mock_delay{0};                    // models.mock_delay: pause before each token of the mock provider
    Milliseconds usage_retention{std::chrono::hours(24 * 400)};     // 0: for ever
    Milliseconds attempts_retention{std::chrono::hours(24 * 30)};   // 0: for ever
};

struct ProviderTimeouts {
    Milliseconds connect{5000};
    Milliseconds head{30000};
    Milliseconds first_output{60000};
    Milliseconds first_output_reasoning{180000};
    Milliseconds byte_silence{30000};
    Milliseconds progress_silence{120000};
    Milliseconds total{180000};
};

struct Provider {
    std::string name;
    std::string dialect = "openai";                // openai, anthropic, mock
    std::string base_url;
    std::vector<std::string> keys_env;             // names of variables
    std::vector<SecretString> keys;                // their values, resolved by the loader
    std::string version = "2026-10-21";            // anthropic-version
    std::map<std::string, std::string> headers;
    std::int64_t max_running = 256;
    ProviderTimeouts timeouts;
};

// Nano-dollars per million tokens ("2.50" USD = 2'500'000'000).
struct Prices {
    std::int64_t input = 0;
    std::int64_t cached = 0;
    std::int64_t cache_write = 0;
    std::int64_t output = 0;
    std::int64_t request = 0;                      // nano-dollars for each answer, whatever its length
};

struct Model {
    std::string id;
    std::string name;
    std::string kind = "auto";                    // auto, chat, embedding
    std::vector<std::string> targets;              // "provider/upstream-model"
    std::vector<std::int64_t> ranks;               // of each target; empty: in order, or all equal where weights are given
    std::vector<std::int64_t> weights;             // of each target among those of its rank; empty: equal
    bool tools = true;
    bool vision = false;
    bool json_schema = true;
    bool reasoning = false;
    bool developer_role = false;
    bool logprobs = true;
    bool n = true;
    std::int64_t context_window = 128000;
    std::int64_t max_output = 16384;
    std::int64_t embedding_batch = 256;  // texts of one embedding call; more are several calls
    std::int64_t attempts = 6;
    std::string cache = "off";                     // off, exact
    Prices prices;
    std::string on_content_filter = "stop";        // stop, next
    std::string on_client_gone = "cancel";         // cancel, drain
};

struct Breaker {
    std::int64_t failures = 3;                     // 0: off
    Milliseconds open{5000};
    Milliseconds max_open{60000};
};

struct McpServer {
    std::string name;
    std::string transport = "stdio";               // stdio, http
    std::vector<std::string> command;
    std::string url;
    std::map<std::string, std::string> env;
    std::map<std::string, std::string> secrets_env;   // stdio: its variable -> variable of ours
    std::map<std::string, std::string> headers_env;   // http: header -> variable of ours
    std::vector<std::string> allow{"*"};
};

struct Tools {
    std::string directory = "config/tools";
    std::int64_t result_cache = 1000;
    Milliseconds timeout{10000};
    std::string weather_url;                       // Open-Meteo form; empty: no weather tool
    std::string geocoding_url;
    std::string search_url;                        // SearXNG form; empty: no search tool
    std::vector<McpServer> mcp;
    // Every variable of .env and the environment, for the *_env keys of MCP servers and tool files; put there by the loader.
    std::map<std::string, SecretString> variables;
};

struct Egress {
    std::vector<std::string> allow;                // host:port
    std::vector<std::int64_t> ports{80, 443};
};

struct Flows {
    std::string directory = "flows";
    Milliseconds run_timeout{900000};
    std::int64_t max_parallel = 32;
    std::int64_t max_steps = 10000;
    std::int64_t max_nodes = 500;
    std::map<std::string, std::string> variables;     // vars.<name> of expressions
    std::map<std::string, std::string> secrets_env;   // secrets.<name>: name of the variable that holds it
    std::map<std::string, SecretString> secrets;      // their values, resolved by the loader; without those that are not set
};

struct Executions {
    std::int64_t workers = 0;
    Milliseconds lease{15000};
    Milliseconds retention{std::chrono::hours(24 * 90)};
};

struct Mail {
    std::string sender = "log";                    // log, smtp
    std::string smtp_url_env;
    SecretString smtp_url;                         // its value, resolved by the loader
    std::string from;
};

struct Log {
    std::string level = "info";
    std::string format = "json";                   // json, text
    std::string file;
};

struct Metrics {
    std::string listen;                            // empty: main port with permission metrics:read
};

struct Settings {
    Server server;
    Database database;
    Redis redis;
    Auth auth;
    Limits limits;
    Sessions sessions;
    Agent agent;
    Models models;
    std::vector<Provider> providers;               // the built-in "mock" is there without being listed
    std::vector<Model> model;
    Breaker breaker;
    Tools tools;
    Egress egress;
    Flows flows;
    Executions executions;
    Mail mail;
    Log log;
    Metrics metrics;

    bool sqlite() const { return database.url.reveal().starts_with("sqlite:"); }
    bool in_memory() const { return sqlite() && sqlite_path() == ":memory:"; }
    std::string sqlite_path() const { return std::string(database.url.reveal().substr(7)); }
};

}  // namespace dure::config

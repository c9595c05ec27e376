// The tables of the keys of entries that occur many times: [[providers]], [[model]], [[tools.mcp]]; see key.hpp.
#include "config/key.hpp"

namespace dure::config {

namespace entry_keys {

const std::vector<Key>& provider_keys()
{
    static const std::vector<Key> all = [] {
        std::vector<Key> list = {
            key_of<Provider>(
                "name", [](Provider& p) { return &p.name; }, "Used in targets of models")
                .like("openai"),
            key_of<Provider>(
                "dialect", [](Provider& p) { return &p.dialect; }, "")
                .one_of({"openai", "anthropic", "mock"}),
            key_of<Provider>(
                "base_url", [](Provider& p) { return &p.base_url; }, "")
                .like("https://api.openai.com/v1"),
            key_of<Provider>(
                "keys_env", [](Provider& p) { return &p.keys_env; },
                "Names of variables, not keys; several are used in turn")
                .like("OPENAI_API_KEY"),
            key_of<Provider>(
                "version", [](Provider& p) { return &p.version; }, "anthropic-version"),
            key_of<Provider>(
                "headers", [](Provider& p) { return &p.headers; }, "Further request headers"),
            key_of<Provider>(
                "max_running", [](Provider& p) { return &p.max_running; }, "Requests at the same time")
                .between(1, 100000),
        };
        const auto time = [&](const char* name, Milliseconds ProviderTimeouts::* member, const char* comment) {
            list.push_back(
                key_of<Provider>(
                    std::string("timeouts.") + name, [=](Provider& p) { return &(p.timeouts.*member); }, comment)
                    .between(1, 86400000));
        };
        time("connect", &ProviderTimeouts::connect, "Until the connection stands");
        time("head", &ProviderTimeouts::head, "Until the answer's head; without a stream as long as total, unless this is set to another time");
        time("first_output", &ProviderTimeouts::first_output, "Until the first piece of output");
        time("first_output_reasoning", &ProviderTimeouts::first_output_reasoning,
             "The same of models that think before they speak");
        time("byte_silence", &ProviderTimeouts::byte_silence, "Without any byte");
        time("progress_silence", &ProviderTimeouts::progress_silence, "Without output, heartbeats not counted");
        time("total", &ProviderTimeouts::total, "Of an answer without a stream");
        return list;
    }();
    return all;
}

const std::vector<Key>& model_keys()
{
    static const std::vector<Key> all = {
        key_of<Model>(
            "id", [](Model& m) { return &m.id; }, "What clients ask for")
            .like("gpt-4o"),
        key_of<Model>(
            "name", [](Model& m) { return &m.name; }, "Label; empty: the id"),
        key_of<Model>(
            "kind", [](Model& m) { return &m.kind; },
            "auto: embedding when its id says embed or models.embeddings names it")
            .one_of({"auto", "chat", "embedding"}),
        key_of<Model>(
            "targets", [](Model& m) { return &m.targets; }, "provider/model, tried in this order")
            .like("openai/gpt-4o"),
        key_of<Model>(
            "ranks", [](Model& m) { return &m.ranks; },
            "One of each target: targets of equal rank share the requests, lower ranks are tried first; empty: in "
            "order")
            .between(1, 1000),
        key_of<Model>(
            "weights", [](Model& m) { return &m.weights; },
            "One of each target, its share among those of its rank; empty: equal. Without ranks all are equal")
            .between(1, 1000),
        key_of<Model>(
            "tools", [](Model& m) { return &m.tools; }, "It can call tools"),
        key_of<Model>(
            "vision", [](Model& m) { return &m.vision; }, "It reads images"),
        key_of<Model>(
            "json_schema", [](Model& m) { return &m.json_schema; },
            "It can be held to a JSON schema; false: the schema is told in words and the answer checked"),
        key_of<Model>(
            "reasoning", [](Model& m) { return &m.reasoning; },
            "It thinks before it speaks: timeouts.first_output_reasoning; max_completion_tokens in place of "
            "max_tokens"),
        key_of<Model>(
            "developer_role", [](Model& m) { return &m.developer_role; },
            "It knows the role developer; false: system stands there"),
        key_of<Model>(
            "logprobs", [](Model& m) { return &m.logprobs; }, "It gives logprobs"),
        key_of<Model>(
            "n", [](Model& m) { return &m.n; }, "It gives more than one choice"),
        key_of<Model>(
            "context_window", [](Model& m) { return &m.context_window; }, "Tokens")
            .between(1, 1000000000),
        key_of<Model>(
            "max_output", [](Model& m) { return &m.max_output; }, "Tokens")
            .between(1, 1000000000),
        key_of<Model>(
            "embedding_batch", [](Model& m) { return &m.embedding_batch; },
            "Texts that its provider takes in one embedding call; a longer list becomes several")
            .between(1, 2048),
        key_of<Model>(
            "attempts", [](Model& m) { return &m.attempts; }, "Tries over all targets for one request")
            .between(1, 100),
        key_of<Model>(
            "cache", [](Model& m) { return &m.cache; }, "exact: the same request gets the stored answer")
            .one_of({"off", "exact"}),
        key_of<Model>(
            "on_content_filter", [](Model& m) { return &m.on_content_filter; }, "next: the next target is asked")
            .one_of({"stop", "next"}),
        key_of<Model>(
            "on_client_gone", [](Model& m) { return &m.on_client_gone; },
            "drain: an answer whose client left is read on for up to a minute and stored, for providers that charge "
            "for it anyway")
            .one_of({"cancel", "drain"}),
        key_of<Model>(
            "prices.input", [](Model& m) { return &m.prices.input; }, "USD per million tokens")
            .as(Unit::nano_dollars),
        key_of<Model>(
            "prices.cached", [](Model& m) { return &m.prices.cached; }, "Input read from the provider's cache")
            .as(Unit::nano_dollars),
        key_of<Model>(
            "prices.cache_write", [](Model& m) { return &m.prices.cache_write; },
            "Input written to the provider's cache")
            .as(Unit::nano_dollars),
        key_of<Model>(
            "prices.output", [](Model& m) { return &m.prices.output; }, "")
            .as(Unit::nano_dollars),
        key_of<Model>(
            "prices.request", [](Model& m) { return &m.prices.request; }, "USD for each answer, whatever its length")
            .as(Unit::nano_dollars),
    };
    return all;
}

const std::vector<Key>& mcp_keys()
{
    static const std::vector<Key> all = {
        key_of<McpServer>(
            "name", [](McpServer& m) { return &m.name; }, "")
            .like("files"),
        key_of<McpServer>(
            "transport", [](McpServer& m) { return &m.transport; }, "")
            .one_of({"stdio", "http"}),
        key_of<McpServer>(
            "command", [](McpServer& m) { return &m.command; }, "Program and arguments, of stdio")
            .like("mcp-files"),
        key_of<McpServer>(
            "url", [](McpServer& m) { return &m.url; }, "Of http"),
        key_of<McpServer>(
            "env", [](McpServer& m) { return &m.env; }, "Environment of the program; it inherits nothing but PATH, HOME and the locale"),
        key_of<McpServer>(
            "secrets_env", [](McpServer& m) { return &m.secrets_env; },
            "More of it: its variable = name of the variable here that holds the value"),
        key_of<McpServer>(
            "headers_env", [](McpServer& m) { return &m.headers_env; },
            "Of http: header = name of the variable that holds its value"),
        key_of<McpServer>(
            "allow", [](McpServer& m) { return &m.allow; }, "Names of tools that may be used"),
    };
    return all;
}

template <class T>
std::vector<void*> addresses(std::vector<T>& list)
{
    std::vector<void*> all;
    for (auto& one : list)
        all.push_back(&one);
    return all;
}

}  // namespace entry_keys

const std::vector<EntryList>& entry_lists()
{
    static const std::vector<EntryList> all = {
        {"providers", entry_keys::provider_keys(), [](Settings& s) -> void* { return &s.providers.emplace_back(); },
         [](Settings& s) { return entry_keys::addresses(s.providers); }},
        {"model", entry_keys::model_keys(), [](Settings& s) -> void* { return &s.model.emplace_back(); },
         [](Settings& s) { return entry_keys::addresses(s.model); }},
        {"tools.mcp", entry_keys::mcp_keys(), [](Settings& s) -> void* { return &s.tools.mcp.emplace_back(); },
         [](Settings& s) { return entry_keys::addresses(s.tools.mcp); }},
    };
    return all;
}

}  // namespace dure::config

// Flows that are drawn by their settings (§8): their nodes and edges, and the settings as defaults of nodes that leave them
// empty. Drawn edges win: agents are arranged only where the start leads nowhere yet.
#include <algorithm>

#include "flows/compiler/stage.hpp"
#include "flows/document/arrangement.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

namespace {

bool is_blank(const OrderedJson& config, const char* key)
{
    const auto* value = member(config, key);
    return !value || *value == "";
}

void fill(OrderedJson& config, const char* key, const OrderedJson& settings, const char* from)
{
    const auto* given = settings.is_object() ? member(settings, from) : nullptr;
    if (given && *given != "" && is_blank(config, key))
        config[key] = *given;
}

// Together: a provider of one choice and a model of another would be a third.
void fill_model(OrderedJson& config, const OrderedJson& settings)
{
    if (!is_blank(config, "provider") || !is_blank(config, "model"))
        return;
    fill(config, "provider", settings, "llm_provider");
    fill(config, "model", settings, "llm_model");
}

class Drawing {
public:
    explicit Drawing(Document document) : document_(std::move(document)) {}

    Document draw() &&
    {
        if (document_.nodes.empty() && document_.flow_type == FlowType::chatflow)
            draw_chat();
        arrange();
        for (auto& node : document_.nodes)
            add_defaults(node);
        return std::move(document_);
    }

private:
    std::string add(std::string wanted, std::string kind, OrderedJson config)
    {
        std::string id = wanted;
        for (int i = 2; document_.find_node(id); ++i)
            id = wanted + "-" + std::to_string(i);
        Node node;
        node.id = id;
        node.kind = std::move(kind);
        node.config = std::move(config);
        node.index = document_.nodes.size();
        document_.nodes.push_back(std::move(node));
        return id;
    }
    void connect(const std::string& source, const std::string& target, std::string handle = "out",
                 std::string into = "in")
    {
        Edge edge;
        edge.id = "drawn-" + std::to_string(document_.edges.size());
        edge.source = source;
        edge.source_handle = std::move(handle);
        edge.target = target;
        edge.target_handle = std::move(into);
        document_.edges.push_back(std::move(edge));
    }

    void draw_chat()
    {
        const auto start = add("start", "start", OrderedJson::object());
        OrderedJson config{{"prompt", "{{start.message}}"}};
        if (document_.memory_config.is_null())
            config["memory"] = {{"type", "buffer"}};
        const auto answer = add("llm", "llm", std::move(config));
        const auto reply = add("reply", "reply", OrderedJson::object());
        connect(start, answer);
        connect(answer, reply);
    }

    void arrange()
    {
        const auto agents = arranged_agents(document_);
        if (agents.empty())
            return;
        const auto start = std::find_if(document_.nodes.begin(), document_.nodes.end(),
                                        [](const Node& node) { return node.kind == "start"; });
        const auto from = start == document_.nodes.end() ? add("start", "start", OrderedJson::object()) : start->id;
        const bool supervised = document_.supervisor_config.is_object() &&
                                document_.supervisor_config.value("enabled", OrderedJson(false)) == true;
        const auto type = orchestration_of(document_);
        if (type == "sequential")
            connect(in_turn(from, agents), add("reply", "reply", OrderedJson::object()));
        else if (type == "parallel" && !supervised)
            at_once(from, agents);
        else
            under_supervisor(from, agents, type);
    }

    std::string in_turn(std::string from, const std::vector<std::string>& agents)
    {
        for (const auto& agent : agents) {
            connect(from, agent);
            from = agent;
        }
        return from;
    }

    void at_once(const std::string& from, const std::vector<std::string>& agents)
    {
        const auto join = add("join", "join", {{"wait", "all"}, {"merge", "text"}});
        for (const auto& agent : agents) {
            connect(from, agent);
            connect(agent, join);
        }
        connect(join, add("reply", "reply", OrderedJson::object()));
    }

    void under_supervisor(const std::string& from, const std::vector<std::string>& agents, const std::string& type)
    {
        const auto supervisor = add("supervisor", "supervisor", {{"orchestration_type", type}});
        connect(from, supervisor);
        for (const auto& agent : agents)
            connect(supervisor, agent, "workers", "worker");
        connect(supervisor, add("reply", "reply", OrderedJson::object()));
    }

    void add_defaults(Node& node) const
    {
        auto& config = node.config;
        const bool answers = node.kind == "llm" || node.kind == "agent";
        if (answers || node.kind == "supervisor" || node.kind == "router" || node.kind == "extract")
            fill_model(config, document_.chat_config);
        if (answers || node.kind == "supervisor") {
            fill(config, "temperature", document_.chat_config, "temperature");
            fill(config, "max_tokens", document_.chat_config, "max_tokens");
            fill(config, "stream", document_.chat_config, "streaming");
        }
        if (answers) {
            fill(config, "system", document_.chat_config, "system_prompt");
            if (document_.memory_config.is_object() && is_blank(config, "memory"))
                config["memory"] = document_.memory_config;
        }
        if (node.kind == "supervisor") {
            fill_model(config, document_.supervisor_config);
            fill(config, "max_iterations", document_.supervisor_config, "max_iterations");
            fill(config, "decision_strategy", document_.supervisor_config, "decision_strategy");
        }
    }

    Document document_;
};

}  // namespace

Document drawn(const Document& document)
{
    return Drawing(document).draw();
}

}  // namespace dure::flows

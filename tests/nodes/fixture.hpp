// A node over real sockets: a graph of one node that calls Services, models "native" (calls tools) and "plain" (does not) behind a
// scripted upstream, the calculator and tools of the test, a second scripted server for HTTP nodes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dure/graph/graph.hpp"
#include "dure/graph/memory_checkpointer.hpp"
#include "dure/metrics/registry.hpp"
#include "dure/nodes/services.hpp"
#include "support/openai_script.hpp"
#include "support/run_on_core.hpp"

namespace dure::nodes::test {

using dure::test::completion_script;
using dure::test::Script;

struct Called {
    std::string id;
    std::string tool;
    std::string arguments;
};

// A streamed turn of the model: text, then calls.
inline Script turn(const std::string& text, const std::vector<Called>& calls = {})
{
    std::vector<std::string> events{dure::test::role_chunk()};
    if (!text.empty())
        events.push_back(dure::test::text_chunk(text));
    for (std::size_t i = 0; i < calls.size(); ++i)
        events.push_back(dure::test::tool_chunk(
            dure::test::tool_call_json(static_cast<int>(i), calls[i].id, calls[i].tool, calls[i].arguments)));
    events.push_back(dure::test::finish_chunk(calls.empty() ? "stop" : "tool_calls"));
    events.push_back(dure::test::usage_chunk());
    return dure::test::stream_script(events);
}

// The same as a whole answer.
inline Script whole_turn(const std::string& text, const std::vector<Called>& calls = {})
{
    auto list = Json::array();
    for (const auto& call : calls)
        list.push_back({{"id", call.id},
                        {"type", "function"},
                        {"function", {{"name", call.tool}, {"arguments", call.arguments}}}});
    const auto extra = calls.empty() ? Json::object() : Json{{"tool_calls", list}};
    return {dure::test::send(dure::test::http_answer(
        200, "application/json", dure::test::completion_body(text, calls.empty() ? "stop" : "tool_calls", extra)))};
}

// Counts its calls and remembers their keys; answers by `body`.
class CountingTool final : public tools::Tool {
public:
    using Body = std::function<Result<Json>(const Json& arguments)>;
    CountingTool(std::string name, bool changes, Body body) : changes_(changes), body_(std::move(body))
    {
        definition_.name = std::move(name);
        definition_.description = "A tool of the test";
        definition_.parameters = Json::parse(R"({"type":"object","properties":{"city":{"type":"string"},
            "days":{"type":"integer"}},"required":["city"]})");
    }
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    bool acts() const override { return changes_; }
    Task<Result<Json>> execute(const Json& arguments, const tools::Caller& caller, Deadline) override
    {
        calls.push_back(arguments);
        keys.push_back(caller.idempotency_key);
        users.push_back(caller.user_id);
        co_return body_(arguments);
    }

    std::vector<Json> calls;
    std::vector<std::string> keys;
    std::vector<std::string> users;

private:
    model::ToolDefinition definition_;
    const bool changes_;
    Body body_;
};

class EventLog final : public graph::EventSink {
public:
    graph::Modes modes() const override { return graph::Mode::messages | graph::Mode::custom; }
    Task<Result<void>> event(const graph::Event& event) override
    {
        (event.mode == graph::Mode::messages ? chunks : customs).push_back(event.data);
        co_return Result<void>();
    }
    std::string text() const
    {
        std::string all;
        for (const auto& chunk : chunks)
            all += chunk.at(0).at("content").get<std::string>();
        return all;
    }
    std::vector<Json> chunks;  // [chunk, metadata]
    std::vector<Json> customs;
};

// Lets so many model calls pass.
class CountedCalls final : public flows::CallBudget {
public:
    explicit CountedCalls(int most) : most_(most) {}
    Result<void> check() override
    {
        if (calls >= most_)
            return Error(Errc::conflict, "enough").reason("LIMIT_EXCEEDED");
        return {};
    }
    void count(std::string_view call, const Json& usage) override
    {
        if (!call.empty() && !names_.emplace(call).second)
            return;
        calls += usage.at("model_calls").get<int>();
        tokens += usage.at("input_tokens").get<int>();
    }
    int calls = 0;
    int tokens = 0;

private:
    const int most_;
    std::set<std::string, std::less<>> names_;
};

class NodeTest : public ::testing::Test {
protected:
    NodeTest()
    {
        config::Provider provider;
        provider.name = "up";
        provider.base_url = upstream.base() + "/v1";
        settings.providers.push_back(provider);
        for (const auto* id : {"native", "plain"}) {
            config::Model entry;
            entry.id = id;
            entry.targets = {std::string("up/") + id};
            entry.tools = entry.id == "native";
            entry.attempts = 1;
            entry.prices.input =
                1'000'000'000'000;  // 1,000 USD per million tokens: 0.007 for the 7 of a scripted answer
            entry.prices.output = 2'000'000'000'000;
            settings.model.push_back(entry);
        }
        settings.models.default_model = "native";
        settings.agent.prompts.clear();
        facts.execution_id = "run-1";
        facts.owner = "owner-1";
        options.checkpointer = &checkpointer;
        options.thread = "thread-1";
        options.events = &events;
    }

    // Calls run on a real core: the HTTP client keeps its connections per core.
    void SetUp() override { cores.start(); }
    void TearDown() override
    {
        client.close_idle();
        cores.stop();
        cores.join();
    }

    CountingTool& add_tool(std::string name, CountingTool::Body body, bool acts = false)
    {
        auto tool = std::make_unique<CountingTool>(std::move(name), acts, std::move(body));
        auto& made = *tool;
        extra_tools.push_back(std::move(tool));
        return made;
    }

    Services& services()
    {
        if (services_)
            return *services_;
        auto reachable = also_reachable;
        reachable.push_back("127.0.0.1:" + std::to_string(far_side.port()));
        auto policy = http::EgressPolicy::make({reachable, {80, 443}, "", 0});
        egress_.emplace(*policy);
        gateway_ = std::make_unique<llm::Gateway>(cores, client, metrics, logger, settings);
        registry_ = std::make_unique<tools::Registry>(logger, settings.tools);
        registry_->add(tools::make_calculator());
        for (auto& tool : extra_tools)
            registry_->add(std::move(tool));
        services_ =
            std::make_unique<Services>(Parts{*gateway_, *registry_, client, *egress_, logger, settings, clock,
                                             [this](std::string) -> Task<Result<tools::Caller>> {
                                                 if (no_rights)
                                                     co_return *no_rights;
                                                 co_return rights;
                                             },
                                             [this](model::UsageRow row) -> Task<void> {
                                                 usage.push_back(std::move(row));
                                                 co_return;
                                             },
                                             [this](const flows::RunFacts&, ToolRun run) -> Task<Result<void>> {
                                                 audited.push_back(std::move(run));
                                                 co_return Result<void>();
                                             }});
        return *services_;
    }

    void node(std::string kind, Json config, Json input = nullptr, Json attached = nullptr)
    {
        drawn.id = "n";
        drawn.kind = std::move(kind);
        drawn.config = OrderedJson::parse(config.dump());
        config_ = std::move(config);
        input_ = std::move(input);
        attached_ = std::move(attached);
    }

    graph::CompiledGraph one_node_graph()
    {
        graph::StateGraph one;
        one.add_channel("in", graph::reducers::last()).add_channel("out", graph::reducers::last());
        one.add_node("n", [this](graph::NodeContext& context) -> Task<Result<graph::Update>> {
            flows::NodeCall call{drawn, facts, config_, input_, attached_, context, budget};
            auto output = co_await services().call(std::move(call));
            if (!output)
                co_return output.error();
            co_return graph::Update(Json{{"out", std::move(*output)}});
        });
        one.add_edge(graph::start, "n").add_edge("n", graph::end);
        return *one.compile();
    }

    // A run of the node to its end; its output, or its error.
    Result<Json> go(graph::RunInput input = Json{{"in", 1}})
    {
        services();
        const auto graph = one_node_graph();
        result = graph::RunResult();
        dure::test::run_on_core(cores, [&]() -> Task<void> { co_await graph.run(input, options, result); });
        if (!result.failures.empty())
            return result.failures.front().cause;
        if (result.error)
            return *result.error;
        const auto* output = result.state.find("out");
        return output ? *output : Json();
    }
    Result<Json> answer(Json value)
    {
        graph::Command command;
        command.resume = std::move(value);
        return go(command);
    }
    // Runs the node until `holds`, then lets it die there.
    void go_until(const std::function<bool()>& holds)
    {
        services();
        const auto graph = one_node_graph();
        result = graph::RunResult();
        dure::test::Running running(cores,
                                    [&]() -> Task<void> { co_await graph.run(Json{{"in", 1}}, options, result); });
        EXPECT_TRUE(upstream.wait_until(holds));
        running.cancel();
        try {
            running.wait();
        } catch (const boost::system::system_error& error) {
            EXPECT_EQ(error.code(), boost::asio::error::operation_aborted);
        }
        EXPECT_EQ(result.status, graph::RunStatus::cancelled);
    }

    // The body of the n-th model call.
    Json sent(std::size_t call) const { return Json::parse(upstream.requests().at(call).body); }
    std::string system_of(std::size_t call) const { return sent(call)["messages"][0]["content"].get<std::string>(); }

    dure::test::ScriptedUpstream upstream;
    dure::test::ScriptedUpstream far_side;
    Cores cores{1};
    http::Client client{cores, http::ClientOptions{}};
    metrics::Registry metrics;
    Logger logger{Logger::Options{LogLevel::error, true, ""}};
    SystemClock clock;
    config::Settings settings;
    std::optional<Error> no_rights;   // of the owner
    tools::Caller rights = [] {
        tools::Caller caller;
        caller.may_execute = true;
        return caller;
    }();
    std::vector<std::string> also_reachable;   // hosts with ports, beside the far side; before services()
    std::vector<std::unique_ptr<CountingTool>> extra_tools;
    std::vector<model::UsageRow> usage;
    std::vector<ToolRun> audited;
    graph::MemoryCheckpointer checkpointer;
    EventLog events;
    graph::RunOptions options;
    graph::RunResult result;
    flows::RunFacts facts;
    flows::Node drawn;
    flows::CallBudget* budget = nullptr;

private:
    Json config_, input_, attached_;
    std::optional<http::EgressPolicy> egress_;
    std::unique_ptr<llm::Gateway> gateway_;
    std::unique_ptr<tools::Registry> registry_;
    std::unique_ptr<Services> services_;
};

}  // namespace dure::nodes::test

// An agent over a real gateway: the mock model, or models "native" (calls tools) and "plain" (does not) behind a scripted
// upstream. say() and call() are the turns of the scripted model.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "dure/agents/agent.hpp"
#include "dure/http/client.hpp"
#include "dure/metrics/registry.hpp"
#include "support/openai_script.hpp"

namespace dure::agents::test {

using dure::test::Script;

// Keeps what a client would see.
class ClientSink final : public model::AnswerSink {
public:
    Task<Result<void>> piece(const model::Piece& piece) override
    {
        shown.append(piece);
        texts.push_back(piece.text);
        if (on_piece)
            on_piece();
        co_return answer();
    }
    Task<Result<void>> rendered(std::string_view) override
    {
        ADD_FAILURE() << "the agent's answers come as pieces";
        co_return answer();
    }
    Task<Result<void>> progress(const model::Progress& progress) override
    {
        steps.push_back(progress);
        co_return answer();
    }
    Task<Result<void>> still_alive() override { co_return answer(); }
    bool reads_along() const override { return reads; }

    bool reads = true;
    model::Completion shown;
    std::vector<std::string> texts;
    std::vector<model::Progress> steps;
    bool gone = false;
    std::function<void()> on_piece;

private:
    Result<void> answer() const
    {
        if (gone)
            return Error(Errc::cancelled, "gone");
        return Result<void>();
    }
};

struct Turn {
    std::string id;
    std::string tool;
    std::string arguments;
};

// A streamed turn of the model: text, then calls.
inline Script turn(const std::vector<std::string>& texts, const std::vector<Turn>& calls = {})
{
    std::vector<std::string> events{dure::test::role_chunk()};
    for (const auto& text : texts)
        events.push_back(dure::test::text_chunk(text));
    for (std::size_t i = 0; i < calls.size(); ++i)
        events.push_back(dure::test::tool_chunk(
            dure::test::tool_call_json(static_cast<int>(i), calls[i].id, calls[i].tool, calls[i].arguments)));
    events.push_back(dure::test::finish_chunk(calls.empty() ? "stop" : "tool_calls"));
    events.push_back(dure::test::usage_chunk());
    return dure::test::stream_script(events);
}

inline model::Message message(model::Role role, std::string text)
{
    model::Message one;
    one.role = role;
    one.content = std::move(text);
    return one;
}

// Remembers by which idempotency keys it was called.
class KeyedTool final : public tools::Tool {
public:
    explicit KeyedTool(std::string name)
    {
        definition_.name = std::move(name);
        definition_.description = "Keeps a note";
        definition_.parameters = Json{{"type", "object"}};
    }
    const model::ToolDefinition& definition() const override { return definition_; }
    std::string source() const override { return "test"; }
    Task<Result<Json>> execute(const Json&, const tools::Caller& caller, Deadline) override
    {
        keys.push_back(caller.idempotency_key);
        co_return Json("kept");
    }

    std::vector<std::string> keys;

private:
    model::ToolDefinition definition_;
};

inline model::ToolDefinition client_tool(std::string name)
{
    model::ToolDefinition tool;
    tool.name = std::move(name);
    tool.description = "A tool of the client";
    tool.parameters = Json::parse(R"({"type":"object","properties":{"q":{"type":"string"}}})");
    return tool;
}

class AgentTest : public ::testing::Test {
protected:
    AgentTest()
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
            settings.model.push_back(entry);
        }
        settings.agent.prompts.clear();
        caller.may_execute = true;
        request.model = "native";
    }

    // Calls run on a real core: the HTTP client keeps its connections per core.
    void SetUp() override { cores.start(); }
    void TearDown() override
    {
        client.close_idle();
        cores.stop();
        cores.join();
    }

    Agents& agents()
    {
        if (!agents_) {
            gateway_ = std::make_unique<llm::Gateway>(cores, client, metrics, logger, settings);
            registry_ = std::make_unique<tools::Registry>(logger, settings.tools);
            registry_->add(tools::make_calculator());
            selector_ = std::make_unique<tools::Selector>(*gateway_, *registry_, logger);
            agents_ = std::make_unique<Agents>(*gateway_, *registry_, *selector_, logger, settings.agent);
        }
        return *agents_;
    }

    llm::Gateway& gateway() { return *gateway_; }  // both after agents()
    tools::Registry& registry() { return *registry_; }

    Result<void> ask(const std::string& question)
    {
        request.messages.push_back(message(model::Role::user, question));
        return run();
    }
    Result<void> run()
    {
        const llm::CallContext context("req-1", "user-1", Deadline::after(std::chrono::seconds(20)));
        auto task = agents().run(request, context, caller, sink, record);
        return boost::asio::co_spawn(cores.at(0), std::move(task), boost::asio::use_future).get();
    }
    // The body of the n-th model call.
    Json sent(std::size_t call) const { return Json::parse(upstream.requests().at(call).body); }
    std::vector<std::string> tools_offered(std::size_t call) const
    {
        std::vector<std::string> names;
        for (const auto& tool : sent(call).value("tools", Json::array()))
            names.push_back(tool["function"]["name"].get<std::string>());
        return names;
    }

    using Names = std::vector<std::string>;

    dure::test::ScriptedUpstream upstream;
    Cores cores{1};
    http::Client client{cores, http::ClientOptions{}};
    metrics::Registry metrics;
    Logger logger{Logger::Options{LogLevel::error, true, ""}};
    config::Settings settings;
    tools::Caller caller;
    AgentRequest request;
    ClientSink sink;
    AgentRecord record;

private:
    std::unique_ptr<llm::Gateway> gateway_;
    std::unique_ptr<tools::Registry> registry_;
    std::unique_ptr<tools::Selector> selector_;
    std::unique_ptr<Agents> agents_;
};

}  // namespace dure::agents::test

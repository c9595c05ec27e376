// A gateway on one loop with settings made in the test, and sinks that keep what they are given.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "dure/http/client.hpp"
#include "dure/llm/attempt_log.hpp"
#include "dure/llm/gateway.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::llm::test {

class KeepingSink final : public model::AnswerSink {
public:
    Task<Result<void>> piece(const model::Piece& piece) override
    {
        pieces.push_back(piece);
        text += piece.text;
        co_return answer();
    }
    Task<Result<void>> rendered(std::string_view events) override
    {
        ++writes;
        bytes += events;
        if (on_output)
            on_output();
        co_return answer();
    }
    Task<Result<void>> progress(const model::Progress&) override { co_return answer(); }
    Task<Result<void>> still_alive() override
    {
        ++ticks;
        co_return answer();
    }

    std::vector<model::Piece> pieces;
    std::string text;
    std::string bytes;
    int writes = 0;
    int ticks = 0;
    bool gone = false;
    std::function<void()> on_output;

private:
    Result<void> answer() const
    {
        if (gone)
            return Error(Errc::cancelled, "gone");
        return Result<void>();
    }
};

class KeepingAttempts final : public AttemptLog {
public:
    Task<void> add(model::AttemptRow row) override
    {
        add_now(std::move(row));
        co_return;
    }
    void add_now(model::AttemptRow row) override
    {
        const std::lock_guard lock(guard_);
        rows_.push_back(std::move(row));
    }
    std::vector<model::AttemptRow> rows() const
    {
        const std::lock_guard lock(guard_);
        return rows_;
    }

private:
    mutable std::mutex guard_;
    std::vector<model::AttemptRow> rows_;
};

// Calls run on a real core: the HTTP client keeps its connections per core.
class GatewayTest : public ::testing::Test {
protected:
    void SetUp() override { cores.start(); }
    void TearDown() override
    {
        client.close_idle();
        cores.stop();
        cores.join();
    }

    template <class MakeTask>
    void on_core(MakeTask make_task)
    {
        boost::asio::co_spawn(cores.at(0), make_task(), boost::asio::use_future).get();
    }

    Gateway& gateway()
    {
        if (!gateway_)
            gateway_ = std::make_unique<Gateway>(cores, client, metrics, logger, settings, &attempts, budget);
        return *gateway_;
    }
    void forget_gateway() { gateway_.reset(); }
    static CallContext context(std::chrono::milliseconds limit = std::chrono::seconds(20))
    {
        return CallContext("req-1", "user-1", Deadline::after(limit));
    }

    Result<void> complete(const CompletionRequest& request, model::Completion& into, const CallContext& call = context())
    {
        Result<void> result;
        on_core([&]() -> Task<void> { result = co_await gateway().complete(request, call, into); });
        return result;
    }
    Result<void> stream(const CompletionRequest& request, KeepingSink& sink, model::Completion& into,
                        const CallContext& call = context())
    {
        Result<void> result;
        on_core([&]() -> Task<void> { result = co_await gateway().stream(request, call, sink, into); });
        return result;
    }
    Result<void> relay(const std::string& model, const std::string& body, bool streamed, bool usage, KeepingSink& sink,
                       RelayRecord& record, const CallContext& call = context())
    {
        RelayRequest request;
        request.model = model;
        request.body = body;
        request.stream = streamed;
        request.include_usage = usage;
        Result<void> result;
        on_core([&]() -> Task<void> { result = co_await gateway().relay(request, call, sink, record); });
        return result;
    }

    // A model of id `model` behind an OpenAI-compatible provider at this address.
    void add_upstream(const std::string& base, const std::string& name = "up", const std::string& model = "gpt")
    {
        config::Provider provider;
        provider.name = name;
        provider.base_url = base + "/v1/";
        provider.keys.emplace_back("sk-provider-secret-1");
        settings.providers.push_back(provider);
        for (auto& known : settings.model)
            if (known.id == model) {
                known.targets.push_back(name + "/upstream-" + model);
                return;
            }
        config::Model entry;
        entry.id = model;
        entry.targets = {name + "/upstream-" + model};
        settings.model.push_back(entry);
    }

    Cores cores{1};
    http::Client client{cores, http::ClientOptions{}};
    metrics::Registry metrics;
    Logger logger{Logger::Options{LogLevel::error, true, ""}};
    config::Settings settings;
    KeepingAttempts attempts;
    model::Budget* budget = nullptr;

private:
    std::unique_ptr<Gateway> gateway_;
};

inline CompletionRequest asking(const std::string& question, const std::string& model = "mock")
{
    CompletionRequest request;
    request.model = model;
    model::Message message;
    message.content = question;
    request.messages.push_back(std::move(message));
    return request;
}

inline model::ToolDefinition calculator_tool()
{
    model::ToolDefinition tool;
    tool.name = "calculator";
    tool.description = "Evaluates arithmetic. 계산기";
    tool.parameters = Json::parse(R"({"type":"object","properties":{"expression":{"type":"string"}},
        "required":["expression"],"additionalProperties":false})");
    return tool;
}

inline model::ToolDefinition weather_tool()
{
    model::ToolDefinition tool;
    tool.name = "get_weather";
    tool.description = "Current weather of a city";
    tool.parameters = Json::parse(R"({"type":"object","properties":{"city":{"type":"string"},
        "unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city","unit"]})");
    return tool;
}

}  // namespace dure::llm::test

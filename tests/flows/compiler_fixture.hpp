// Runs compiled flows with scripted services: what a node asks the world for is answered by the test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "dure/base/timeout.hpp"
#include "dure/flows/compiler.hpp"
#include "dure/flows/validation.hpp"
#include "dure/graph/memory_checkpointer.hpp"
#include "support/run_task.hpp"

namespace dure::flows {

class ScriptedServices final : public NodeServices {
public:
    using Answer = std::function<Task<Result<Json>>(NodeCall&)>;

    Task<Result<Json>> call(NodeCall call) override
    {
        {
            const std::lock_guard lock(guard);
            calls.push_back(
                Json{{"node", call.node.id}, {"kind", call.node.kind}, {"config", call.config}, {"input", call.input}});
            ++running;
            most_running = std::max(most_running, running);
        }
        const auto found = answers.find(call.node.id);
        auto answer = found == answers.end() ? Result<Json>(Json{{"text", call.node.id + " answers"}})
                                             : co_await found->second(call);
        const std::lock_guard lock(guard);
        --running;
        co_return answer;
    }
    std::optional<Json> variable(std::string_view, std::string_view name) override
    {
        {
            const std::lock_guard lock(guard);
            looked_up_on.insert(std::this_thread::get_id());
        }
        const auto found = variables.find(std::string(name));
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<std::string> secret(std::string_view, std::string_view name) override
    {
        return name == "token" ? std::optional<std::string>("s3cret") : std::nullopt;
    }

    void says(const std::string& node, Json output)
    {
        answers[node] = [output](NodeCall&) -> Task<Result<Json>> { co_return output; };
    }
    std::size_t asked(const std::string& node) const
    {
        return static_cast<std::size_t>(
            std::count_if(calls.begin(), calls.end(), [&](const Json& one) { return one.at("node") == node; }));
    }

    std::map<std::string, Answer> answers;
    std::map<std::string, Json> variables;
    std::set<std::thread::id> looked_up_on;
    std::vector<Json> calls;
    int running = 0, most_running = 0;
    std::mutex guard;
};

// Steps as they are told: by node, in their order.
class StepSink final : public graph::EventSink {
public:
    graph::Modes modes() const override { return graph::Mode::tasks | graph::Mode::messages; }
    bool subgraphs() const override { return true; }
    bool shows_task_input() const override { return false; }
    Task<Result<void>> event(const graph::Event& event) override
    {
        if (event.mode == graph::Mode::messages)
            messages.push_back(event.data.at(0));
        if (event.mode == graph::Mode::tasks && event.data.at("event") == "end" && event.data.contains("result"))
            add(event.data.at("result"));
        co_return Result<void>();
    }
    std::vector<std::string> order() const
    {
        std::vector<std::string> names;
        for (const auto& step : steps)
            names.push_back(step.at("node_id").get<std::string>() +
                            (step.at("status") == "succeeded" ? "" : " " + step.at("status").get<std::string>()));
        return names;
    }
    std::vector<Json> steps, messages;

private:
    void add(const Json& result)
    {
        if (result.is_array())
            for (const auto& one : result)
                add(one);
        else if (result.is_object() && result.contains(std::string(step_channel)))
            for (const auto& step : result.at(std::string(step_channel)))
                steps.push_back(step);
    }
};

class CompilerTest : public testing::Test {
protected:
    static Document document_of(const std::string& text)
    {
        auto reading = read_document(text);
        check_document(reading.document, reading.problems);
        EXPECT_FALSE(reading.problems.has_errors()) << problems_json(reading.problems).dump(1);
        return std::move(reading.document);
    }
    // A document of nodes {"id": [kind, config, extra?]} and edges "a>b", "a:handle>b".
    static Json drawn_flow(const Json& nodes, const std::vector<std::string>& edges, Json settings = Json::object())
    {
        Json document{{"format", "dure.flow"}, {"format_version", 1}, {"flow_type", "agentflow"}, {"name", "test"}};
        document.update(settings);
        document["nodes"] = Json::array();
        document["edges"] = Json::array();
        for (const auto& entry : nodes) {
            Json node{{"id", entry.at(0)},
                      {"type", entry.at(1)},
                      {"data", {{"config", entry.size() > 2 ? entry.at(2) : Json::object()}}}};
            if (entry.size() > 3) {
                auto more = entry.at(3);
                for (const char* key : {"policy", "disabled"})
                    if (more.contains(key))
                        node["data"][key] = more.at(key);
                if (more.contains("parent"))
                    node["parentId"] = more.at("parent");
            }
            document["nodes"].push_back(node);
        }
        for (const auto& text : edges) {
            const auto arrow = text.find('>');
            auto source = text.substr(0, arrow);
            auto target = text.substr(arrow + 1);
            Json edge{{"id", text}};
            if (const auto bar = source.find('|'); bar != std::string::npos) {
                edge["sourceHandle"] = source.substr(bar + 1);
                source.resize(bar);
            }
            if (const auto bar = target.find('|'); bar != std::string::npos) {
                edge["targetHandle"] = target.substr(bar + 1);
                target.resize(bar);
            }
            edge["source"] = source;
            edge["target"] = target;
            document["edges"].push_back(edge);
        }
        return document;
    }

    void compile(const Json& flow)
    {
        checkpointer_ = std::make_unique<graph::MemoryCheckpointer>();
        document_ = document_of(flow.dump());
        auto compiled = compile_flow(document_, [this](std::string_view name, std::string_view) -> const Document* {
            const auto found = others_.find(std::string(name));
            return found == others_.end() ? nullptr : &found->second;
        });
        ASSERT_TRUE(compiled) << compiled.error().message();
        flow_.emplace(std::move(*compiled));
    }
    void run(const std::string& message = "hello", Json inputs = Json::object())
    {
        run_.facts.message = message;
        run_.facts.inputs = std::move(inputs);
        go(graph::RunInput(flow_input(run_.facts)));
    }
    void go(const graph::RunInput& input)
    {
        run_.services = &services_;
        run_.clock = &clock_;
        graph::RunOptions options;
        options.context = &run_;
        options.events = &sink_;
        options.checkpointer = checkpointer_.get();
        options.thread = "t";
        options.recursion_limit = flow_->max_steps;
        result_ = {};
        test::run([&]() -> Task<void> { co_await flow_->graph.run(input, options, result_); });
    }
    void answer(const Json& value)
    {
        ASSERT_EQ(result_.interrupts.size(), 1u);
        go(graph::RunInput(graph::Command{Json{{result_.interrupts[0].id, value}}, {}, {}}));
    }
    Json output() const { return flow_result(result_.output); }
    std::string failure() const
    {
        return result_.failures.empty()
                   ? (result_.error ? result_.error->message() : "")
                   : result_.failures[0].cause.message() + " " + std::string(result_.failures[0].cause.detail());
    }

    SystemClock clock_;
    ScriptedServices services_;
    StepSink sink_;
    std::unique_ptr<graph::MemoryCheckpointer> checkpointer_ = std::make_unique<graph::MemoryCheckpointer>();
    Document document_;
    std::map<std::string, Document> others_;
    std::optional<CompiledFlow> flow_;
    FlowRun run_;
    graph::RunResult result_;
};

}  // namespace dure::flows

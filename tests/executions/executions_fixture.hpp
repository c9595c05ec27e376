// Executions over real databases with hand-made graphs in the place of compiled flows: a document's name says which.
#pragma once

#include <atomic>
#include <deque>

#include "dure/base/timeout.hpp"
#include "dure/events/service.hpp"
#include "dure/executions/workers.hpp"
#include "dure/store/migrations.hpp"
#include "support/databases.hpp"
#include "support/run_on_core.hpp"

namespace dure::executions {

inline std::shared_ptr<sql::Database> migrated(std::unique_ptr<sql::Database> empty)
{
    const auto done = sql::migrate(*empty, store::migrations(), 1);
    if (!done)
        throw std::runtime_error(done.error().message() + " " + done.error().detail());
    return empty;
}

// Flows by id: a document whose name the compiler below knows.
class FlowsInMemory final : public FlowSource {
public:
    void add(const std::string& id, const std::string& text)
    {
        auto reading = flows::read_document(text);
        if (reading.problems.has_errors())
            throw std::runtime_error(dump(flows::problems_json(reading.problems)));
        RunnableFlow flow;
        flow.id = id;
        flow.slug = "slug-" + id;
        flow.name = reading.document.name;
        flow.owner_id = "author";
        flow.flow_type = reading.document.flow_type;
        flow.version = 1;
        flow.document = std::make_shared<const flows::Document>(std::move(reading.document));
        flows_[id] = std::move(flow);
    }
    Task<Result<RunnableFlow>> find(Caller, std::string id, std::string) override { co_return look(id); }
    Task<Result<RunnableFlow>> pinned(std::string id, std::int64_t) override { co_return look(id); }

private:
    Result<RunnableFlow> look(const std::string& id) const
    {
        const auto found = flows_.find(id);
        if (found == flows_.end())
            return Error(Errc::not_found, "No such flow.");
        return found->second;
    }
    std::map<std::string, RunnableFlow> flows_;
};

class NoServices final : public flows::NodeServices {
public:
    Task<Result<Json>> call(flows::NodeCall call) override
    {
        ++calls;
        co_return Json{{"text", "said " + call.facts.message},
                       {"usage", {{"input_tokens", 10}, {"output_tokens", 5}, {"cost_usd", 0.25}}}};
    }
    std::optional<Json> variable(std::string_view, std::string_view) override { return std::nullopt; }
    std::optional<std::string> secret(std::string_view, std::string_view) override { return std::nullopt; }
    std::atomic<int> calls{0};
};

// Builds a graph node by node; each leaves its step as the flow compiler's do.
class HandMade {
public:
    using Work = std::function<Task<Result<Json>>(graph::NodeContext&)>;   // gives the node's output

    HandMade()
    {
        graph_.add_channel(std::string(flows::step_channel), graph::reducers::append());
        graph_.add_channel("message");
        graph_.add_channel("log", graph::reducers::append());
    }
    HandMade& node(const std::string& id, Work work, graph::NodeOptions options = {})
    {
        graph_.add_node(id, [id, work](graph::NodeContext& context) -> Task<Result<graph::Update>> {
            const auto output = co_await work(context);
            if (!output)
                co_return output.error();
            Json step{{"node_id", id},
                      {"visit", 1},
                      {"status", "succeeded"},
                      {"input", context.state().at("log")},
                      {"output", *output},
                      {"started_at", 1000},
                      {"duration_ms", 3},
                      {"attempts", context.attempt()},
                      {"usage", output->is_object() ? output->value("usage", Json()) : Json()}};
            co_return graph::Update(Json{{"log", *output}, {std::string(flows::step_channel), Json::array({step})}});
        }, std::move(options));
        graph_.add_edge(last_, id);
        last_ = id;
        return *this;
    }
    // Begins with the first node; nothing follows it.
    HandMade& beside(const std::string& id, Work work)
    {
        auto last = std::exchange(last_, std::string(graph::start));
        node(id, std::move(work));
        last_ = std::move(last);
        return *this;
    }
    flows::CompiledFlow compile()
    {
        graph_.add_edge(last_, graph::end);
        return {graph_.compile().value(), [](std::string_view, std::string_view node) { return std::string(node); },
                50};
    }

private:
    graph::StateGraph graph_;
    std::string last_{graph::start};
};

inline HandMade::Work says(Json output)
{
    return [output](graph::NodeContext&) -> Task<Result<Json>> { co_return output; };
}

class ExecutionsTest : public testing::TestWithParam<test::Driver> {
protected:
    void SetUp() override { make_service(migrated(GetParam().open_empty({}))); }
    void make_service(std::shared_ptr<sql::Database> database)
    {
        database_ = std::move(database);
        journal_.emplace(*database_, *bus_, clock_);
        runs_.emplace(*database_, clock_);
        Compiler compiler;
        compiler.compile = [this](const flows::Document& document,
                                  const SubflowDocuments&) -> Result<flows::CompiledFlow> {
            const auto found = graphs_.find(document.name);
            if (found == graphs_.end())
                return Error(Errc::invalid_argument, "This flow cannot run.");
            return found->second();
        };
        compiler.input = [](const flows::RunFacts& facts) { return Json{{"message", facts.message}}; };
        compiler.result = [](const Json& output) {
            return Json{{"text", output.at("log").back()}, {"all", output.at("log")}};
        };
        compiler.patched = [](const flows::CompiledFlow&, const Json& values, const std::vector<std::string>&,
                              const Json& patch) -> Result<Json> {
            auto patched = values;
            patched.merge_patch(patch);
            return patched;
        };
        compiler.check_answer = [](const Json& question, const Json& answer) -> Result<Json> {
            if (question.contains("actions") && answer.value("action", "") != "approve" && !answer.contains("timeout"))
                return Error(Errc::invalid_argument, "This action is not offered.").param("action");
            return answer;
        };
        service_.emplace(
            ExecutionService::Parts{*database_, *journal_, *runs_, flows_, compiler, nullptr, settings_, clock_, log_});
    }
    void TearDown() override
    {
        stop_workers();
        cores_.stop();
        cores_.join();
    }

    void flow(const std::string& id, std::function<flows::CompiledFlow()> make, const std::string& more = "")
    {
        flows_.add(id, R"({"format":"dure.flow","format_version":1,"flow_type":"agentflow","name":")" + id +
                           R"(","nodes":[],"edges":[])" + more + "}");
        graphs_[id] = std::move(make);
    }
    void work(std::size_t workers = 1, std::chrono::milliseconds lease = std::chrono::seconds(15), bool only_process = false)
    {
        WorkersOptions options;
        options.workers = workers;
        options.lease = lease;
        options.only_process = only_process;
        workers_ = std::make_unique<Workers>(*service_, nodes_, *bus_, cores_, options);
        start_cores();
        workers_->start();
    }
    void stop_workers()
    {
        if (workers_)
            workers_->stop(Deadline::after(std::chrono::seconds(10)));
        workers_.reset();
    }
    void start_cores()
    {
        if (!std::exchange(cores_run_, true))
            cores_.start();
    }
    template <class Scenario>
    void play(Scenario scenario)
    {
        start_cores();
        test::run_on_core(cores_, scenario);
    }

    Task<Execution> started(std::string id, std::string message = "hi")
    {
        StartRequest request;
        request.flow = std::move(id);
        request.message = std::move(message);
        auto begun = co_await service_->start(me_, request);
        if (!begun)
            throw std::runtime_error(begun.error().message() + " " + begun.error().detail());
        co_return begun->execution;
    }
    Task<Execution> ended(std::string id)
    {
        auto execution = co_await service_->wait(id, "me", Deadline::after(std::chrono::seconds(15)));
        if (!execution)
            throw std::runtime_error(execution.error().message());
        co_return *execution;
    }
    Task<std::vector<Step>> steps(std::string id) { co_return (co_await service_->steps(id, "me")).value(); }
    Task<std::vector<std::string>> event_types(std::string id)
    {
        events::EventService events(*database_, *bus_);
        const auto page = co_await events.of_aggregate({"me", false}, {id, "Execution"}, {});
        std::vector<std::string> types;
        for (const auto& event : page.value().events)
            types.push_back(event.event_type);
        co_return types;
    }

    Cores cores_{2};   // outlives the database, whose threads end coroutines on it
    SystemClock clock_;
    Logger log_{Logger::Options{LogLevel::error, false, ""}};
    config::Settings settings_;
    std::shared_ptr<sql::Database> database_;
    std::unique_ptr<events::Bus> bus_ = events::in_process_bus();
    std::optional<events::Journal> journal_;
    std::optional<runs::Runs> runs_;
    FlowsInMemory flows_;
    std::map<std::string, std::function<flows::CompiledFlow()>> graphs_;
    NoServices nodes_;
    std::optional<ExecutionService> service_;
    bool cores_run_ = false;
    std::unique_ptr<Workers> workers_;
    const Caller me_{"me", std::nullopt, false, {"me", "", "request-1", ""}};
};

}  // namespace dure::executions

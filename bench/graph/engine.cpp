// What the graph engine costs by itself: one run per iteration, on one thread, with Google Benchmark. `allocations` counts calls
// of operator new per superstep. The SQLite file lies in the temporary folder and is synced as in production.
#include <benchmark/benchmark.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "dure/graph/graph.hpp"
#include "dure/graph/memory_checkpointer.hpp"
#include "dure/runs/sql_checkpointer.hpp"
#include "dure/sql/sqlite.hpp"
#include "dure/store/migrations.hpp"

namespace {

std::atomic<std::int64_t> allocations{0};

}  // namespace

void* operator new(std::size_t size)
{
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* const memory = std::malloc(size))
        return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

namespace {

using namespace dure;
using namespace dure::graph;

Json one_entry(const char* channel, Json value)
{
    auto object = Json::object();
    object[channel] = std::move(value);
    return object;
}

NodeFunction adds_one()
{
    return [](NodeContext&) -> Task<Result<Update>> { co_return Update(one_entry("total", 1)); };
}

CompiledGraph finished(const StateGraph& draft)
{
    auto graph = draft.compile();
    if (!graph)
        std::abort();
    return *graph;
}

CompiledGraph chain_of(int length)
{
    StateGraph graph;
    graph.add_channel("total", reducers::sum());
    std::string before(start);
    for (int i = 0; i < length; ++i) {
        const auto name = "n" + std::to_string(i);
        graph.add_node(name, adds_one()).add_edge(before, name);
        before = name;
    }
    return finished(graph);
}

CompiledGraph five_workers_and_join()
{
    StateGraph graph;
    graph.add_channel("total", reducers::sum()).add_node("join", adds_one());
    std::vector<std::string> workers;
    for (int i = 0; i < 5; ++i) {
        workers.push_back("w" + std::to_string(i));
        graph.add_node(workers.back(), adds_one()).add_edge(start, workers.back());
    }
    return finished(graph.add_edge(workers, "join"));
}

CompiledGraph loop_of(std::int64_t supersteps)
{
    StateGraph graph;
    graph.add_channel("total", reducers::sum()).add_node("n", adds_one()).add_edge(start, "n");
    graph.add_conditional_edges("n", [supersteps](const State& state) {
        return state.at("total").get<std::int64_t>() < supersteps ? Routes("n") : Routes(end);
    });
    return finished(graph);
}

// Appends a message of 100 characters per superstep, and its routing reads the newest.
CompiledGraph appending_loop_of(std::size_t supersteps)
{
    StateGraph graph;
    graph.add_channel("total", reducers::sum());
    graph.add_channel("log", reducers::append()).add_node("n", [](NodeContext&) -> Task<Result<Update>> {
        co_return Update(one_entry("log", std::string(100, 'x')));
    });
    graph.add_edge(start, "n").add_conditional_edges("n", [supersteps](const State& state) {
        return state.at("log").size() < supersteps ? Routes("n") : Routes(end);
    });
    return finished(graph);
}

CompiledGraph send_to(int tasks)
{
    StateGraph graph;
    graph.add_channel("total", reducers::sum()).add_node("n", adds_one());
    graph.add_conditional_edges(start, [tasks](const State&) {
        Routes sends;
        for (int i = 0; i < tasks; ++i)
            sends.push_back(Send("n", Json(i)));
        return sends;
    });
    return finished(graph);
}

CompiledGraph question()
{
    StateGraph graph;
    graph.add_channel("total", reducers::sum());
    graph.add_node("asks", [](NodeContext& context) -> Task<Result<Update>> {
        auto answer = co_await context.interrupt("?");
        if (!answer)
            co_return answer.error();
        co_return Update(one_entry("total", *answer));
    });
    return finished(graph.add_edge(start, "asks"));
}

// Counts the supersteps of the run.
Task<std::int64_t> run_once(const CompiledGraph& graph, RunInput input, const RunOptions& options,
                            RunStatus wanted = RunStatus::success)
{
    RunResult result;
    co_await graph.run(std::move(input), options, result);
    if (result.status != wanted)
        std::abort();
    co_return result.supersteps;
}

// All iterations in one coroutine: starting and stopping a loop is not the engine's.
template <class Work>
void on_one_loop(Work work)
{
    boost::asio::io_context loop(1);
    boost::asio::co_spawn(loop, work(), [](std::exception_ptr thrown) {
        if (thrown)
            std::abort();
    });
    loop.run();
}

void measure(benchmark::State& state, const CompiledGraph& graph, Checkpointer* checkpointer = nullptr)
{
    RunOptions options;
    options.recursion_limit = 1'000'000;
    options.checkpointer = checkpointer;
    std::int64_t supersteps = 0;
    const auto before = allocations.load();
    on_one_loop([&]() -> Task<void> {
        for (auto unused : state) {
            if (checkpointer)
                options.thread = new_id();
            supersteps += co_await run_once(graph, one_entry("total", 0), options);
        }
    });
    state.counters["allocations"] =
        static_cast<double>(allocations.load() - before) / static_cast<double>(std::max<std::int64_t>(supersteps, 1));
    state.counters["supersteps"] = benchmark::Counter(static_cast<double>(supersteps), benchmark::Counter::kIsRate);
}

void chain_of_three(benchmark::State& state)
{
    measure(state, chain_of(3));
}
void chain_of_four(benchmark::State& state)
{
    measure(state, chain_of(4));
}
void five_workers_joined(benchmark::State& state)
{
    measure(state, five_workers_and_join());
}
void send_100_ways(benchmark::State& state)
{
    measure(state, send_to(100));
}
void loop_of_1000(benchmark::State& state)
{
    measure(state, loop_of(1000));
}

void appending_loop_of_1000(benchmark::State& state)
{
    measure(state, appending_loop_of(1000));
}

void loop_of_1000_in_memory(benchmark::State& state)
{
    MemoryCheckpointer checkpointer;
    measure(state, loop_of(1000), &checkpointer);
}

void loop_of_1000_on_sqlite(benchmark::State& state)
{
    const auto folder = std::filesystem::temp_directory_path() / ("bench-engine-" + new_id());
    std::filesystem::create_directory(folder);
    {
        sql::SqliteOptions options;
        options.path = (folder / "bench.db").string();
        auto database = sql::open_sqlite(std::move(options));
        if (!database || !sql::migrate(**database, store::migrations(), 1))
            std::abort();
        runs::SqlCheckpointer checkpointer(**database);
        measure(state, loop_of(1000), &checkpointer);
    }
    std::filesystem::remove_all(folder);
}

void question_and_answer_in_memory(benchmark::State& state)
{
    MemoryCheckpointer checkpointer;
    const auto graph = question();
    RunOptions options;
    options.checkpointer = &checkpointer;
    on_one_loop([&]() -> Task<void> {
        for (auto unused : state) {
            options.thread = new_id();
            co_await run_once(graph, one_entry("total", 0), options, RunStatus::interrupted);
            co_await run_once(graph, RunInput(Command{Json(1), {}, {}}), options);
        }
    });
}

BENCHMARK(chain_of_three);
BENCHMARK(chain_of_four);
BENCHMARK(five_workers_joined);
BENCHMARK(send_100_ways)->Unit(benchmark::kMicrosecond);
BENCHMARK(loop_of_1000)->Unit(benchmark::kMillisecond);
BENCHMARK(appending_loop_of_1000)->Unit(benchmark::kMillisecond);
BENCHMARK(loop_of_1000_in_memory)->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(loop_of_1000_on_sqlite)->Unit(benchmark::kMillisecond)->Iterations(3)->UseRealTime();
BENCHMARK(question_and_answer_in_memory)->Unit(benchmark::kMicrosecond)->Iterations(2000);

}  // namespace

BENCHMARK_MAIN();

// N1 by simulation: random graphs, each run plainly first and then under a seeded scheduler that shuffles which task goes on,
// bounds the tasks at once, picks the durability and kills storage in the middle. Checkpoints and events must not differ.
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <random>

#include "graph/support.hpp"

namespace dure::graph {
namespace {

using namespace test;

using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t bound)
{
    return random() % bound;
}

// How many times a task gives way to the others before it ends: the order of completion.
struct Scheduler {
    Random random;
    bool shuffles = false;
};

Task<void> give_way(NodeContext& context)
{
    auto& scheduler = context.context<Scheduler>();
    const auto executor = co_await boost::asio::this_coro::executor;
    for (auto times = scheduler.shuffles ? below(scheduler.random, 4) : 0; times > 0; --times)
        co_await boost::asio::post(executor, boost::asio::use_awaitable);
}

struct NodeShape {
    bool asks = false;
    std::size_t sends = 0;  // to the worker
    bool defers = false;
    std::vector<std::size_t> forward;
    std::optional<std::size_t> back;  // while the total is small
};

NodeFunction simulated(std::string name, NodeShape shape)
{
    return [name, shape](NodeContext& context) -> Task<Result<Update>> {
        co_await give_way(context);
        auto said = name + "@" + context.state().at("total").dump();
        if (shape.asks) {
            auto answer = co_await context.interrupt(name + "?");
            if (!answer)
                co_return answer.error();
            said += "=" + answer->dump();
            co_await give_way(context);
        }
        Routes sends;
        for (std::size_t i = 0; i < shape.sends; ++i)
            sends.push_back(Send("worker", Json(name + std::to_string(i))));
        auto update = entry("log", said);
        update["total"] = 1;
        update["longest"] = said;
        co_return Update(std::move(update), std::move(sends));
    };
}

Task<Result<Update>> simulated_worker(NodeContext& context)
{
    co_await give_way(context);
    auto update = entry("log", "worker:" + context.argument()->get<std::string>());
    update["total"] = 1;
    co_return Update(std::move(update));
}

std::string simulated_name(std::size_t index)
{
    return std::string(1, static_cast<char>('a' + index));
}

CompiledGraph random_graph(Random& random)
{
    const auto count = 2 + below(random, 5);
    StateGraph graph;
    graph.add_channel("log", reducers::append()).add_channel("total", reducers::sum());
    graph.add_channel("longest", reducers::max());
    graph.add_node("worker", simulated_worker);
    std::vector<bool> reached(count, false);
    for (std::size_t i = 0; i < count; ++i) {
        NodeShape shape;
        shape.asks = below(random, 8) == 0;
        shape.sends = below(random, 4) == 0 ? 1 + below(random, 3) : 0;
        shape.defers = below(random, 8) == 0;
        for (auto to = i + 1; to < count; ++to)
            if (below(random, 3) == 0)
                shape.forward.push_back(to);
        if (below(random, 4) == 0)
            shape.back = below(random, i + 1);
        NodeOptions options;
        options.defer = shape.defers;
        options.destinations = {"worker"};
        const auto name = simulated_name(i);
        graph.add_node(name, simulated(name, shape), options);
        for (const auto to : shape.forward) {
            graph.add_edge(name, simulated_name(to));
            reached[to] = true;
        }
        if (shape.back) {
            const auto target = simulated_name(*shape.back);
            graph.add_conditional_edges(name,
                                        [target](const State& state) {
                                            return state.at("total").get<std::int64_t>() < 8
                                                       ? Routes(std::string_view(target))
                                                       : Routes(end);
                                        },
                                        {{target, target}, {std::string(end), std::string(end)}});
        }
    }
    for (std::size_t i = 0; i < count; ++i)
        if (!reached[i])
            graph.add_edge(start, simulated_name(i));
    if (count > 3 && below(random, 2) == 0)
        graph.add_edge({simulated_name(0), simulated_name(1)}, simulated_name(count - 1));
    return compiled(graph);
}

// Storage that dies after some saves; nothing of a save that failed is there.
class MortalCheckpointer final : public Checkpointer {
public:
    explicit MortalCheckpointer(Checkpointer& real) : real_(real) {}
    void live_for(std::size_t saves) { left_ = saves; }

    Task<Result<void>> save(const std::string& thread, Batch batch) override
    {
        if (left_ == 0)
            co_return Error(Errc::unavailable, "The storage is gone.").reason("STORAGE_ERROR");
        --left_;
        co_return co_await real_.save(thread, std::move(batch));
    }
    Task<Result<std::optional<StoredCheckpoint>>> load(const std::string& thread, const std::string& ns,
                                                       const std::string& id, bool pending) override
    {
        return real_.load(thread, ns, id, pending);
    }
    Task<Result<std::vector<StoredCheckpoint>>> history(const std::string& thread, const HistoryQuery& query) override
    {
        return real_.history(thread, query);
    }
    Task<Result<std::vector<std::string>>> namespaces(const std::string& thread) override
    {
        return real_.namespaces(thread);
    }
    Task<Result<void>> delete_thread(const std::string& thread) override { return real_.delete_thread(thread); }
    Task<Result<void>> copy_thread(const std::string& from, const std::string& to) override
    {
        return real_.copy_thread(from, to);
    }
    Task<Result<void>> delete_run(const std::string& thread, const std::string& run) override
    {
        return real_.delete_run(thread, run);
    }
    Task<Result<std::int64_t>> prune(const std::string& thread, std::int64_t keep,
                                     std::optional<UnixMillis> old) override
    {
        return real_.prune(thread, keep, old);
    }

private:
    Checkpointer& real_;
    std::size_t left_ = static_cast<std::size_t>(-1);
};

// Updates between two `values` as a sorted set, since only their order may differ.
class EventSets final : public EventSink {
public:
    Modes modes() const override { return Mode::values | Mode::updates; }
    Task<Result<void>> event(const Event& event) override
    {
        if (event.mode == Mode::updates) {
            open_.push_back(event.data.dump());
        } else {
            close();
            sets.push_back("values " + event.data.dump());
        }
        co_return Result<void>();
    }
    void close()
    {
        std::sort(open_.begin(), open_.end());
        sets.insert(sets.end(), open_.begin(), open_.end());
        open_.clear();
    }
    Lines sets;

private:
    Lines open_;
};

struct Way {
    bool shuffles = false;
    bool dies = false;
    std::size_t max_concurrency = 0;
    Durability durability = Durability::sync;
    bool answers_one_by_one = false;
};

struct Trace {
    Lines checkpoints;  // oldest first: step, source, next, values
    Lines events;  // of the first run only when nothing died
    std::size_t deaths = 0;
    bool asked = false;
    std::string trouble;
};

class Simulation {
public:
    Simulation(const CompiledGraph& graph, const Way& way, std::uint32_t seed)
        : graph_(graph), way_(way), scheduler_{Random(seed), way.shuffles}, mortal_(memory_)
    {}

    Trace play()
    {
        auto result = run(RunInput(log_of({"in"})));
        for (int round = 0; round < 100 && result.status == RunStatus::interrupted; ++round) {
            trace_.asked = true;
            auto answers = Json::object();
            for (const auto& one : result.interrupts)
                answers[one.id] = "yes " + one.node;
            if (way_.answers_one_by_one && answers.size() > 1) {
                const auto chosen = result.interrupts[below(scheduler_.random, result.interrupts.size())];
                answers = Json{{chosen.id, "yes " + chosen.node}};
            }
            result = run(RunInput(Command{answers, {}, {}}));
        }
        if (result.status != RunStatus::success)
            trace_.trouble = std::string(name_of(result.status)) + " " + reason(result) + " " +
                             (result.error ? result.error->message() + " " + result.error->detail() : "");
        read_checkpoints();
        return std::move(trace_);
    }

private:
    // As often as storage dies, the next process recovers the run.
    RunResult run(const RunInput& input)
    {
        RunOptions options;
        options.recursion_limit = 200;
        options.context = &scheduler_;
        options.checkpointer = &mortal_;
        options.thread = "t";
        options.run = "run " + std::to_string(++runs_);
        options.durability = way_.durability;
        options.max_concurrency = way_.max_concurrency;
        while (true) {
            const bool may_die = way_.dies && trace_.deaths < 5;
            mortal_.live_for(may_die ? below(scheduler_.random, 12) : static_cast<std::size_t>(-1));
            EventSets events;
            options.events = &events;
            auto result = test::run(graph_, input, options);
            events.close();
            trace_.events.insert(trace_.events.end(), events.sets.begin(), events.sets.end());
            if (reason(result) != "STORAGE_ERROR")
                return result;
            ++trace_.deaths;
            options.recovers = true;
        }
    }

    void read_checkpoints()
    {
        dure::test::run([&]() -> Task<void> {
            HistoryOptions all;
            all.limit = 100000;
            const auto history = co_await graph_.history(memory_, "t", all);
            for (const auto& one : history.value())
                trace_.checkpoints.insert(trace_.checkpoints.begin(), ThreadOf::line(one) + " " + one.values.dump());
        });
    }

    const CompiledGraph& graph_;
    const Way& way_;
    Scheduler scheduler_;
    MemoryCheckpointer memory_;
    MortalCheckpointer mortal_;
    Trace trace_;
    int runs_ = 0;
};

// What the seeds of a part reached, so that a simulation that tests nothing fails.
struct Reached {
    int deaths = 0;
    int questions = 0;
};

void compare(std::uint32_t seed, Reached& reached)
{
    Random random(seed * 2654435761u + 1);
    const auto graph = random_graph(random);
    const auto plain = Simulation(graph, Way(), seed).play();
    ASSERT_EQ(plain.trouble, "") << "seed " << seed;
    Way way;
    way.shuffles = true;
    way.dies = below(random, 2) == 0;
    way.max_concurrency = below(random, 4);
    way.durability = std::array{Durability::sync, Durability::async, Durability::exit}[below(random, 3)];
    way.answers_one_by_one = below(random, 2) == 0;
    const auto other = Simulation(graph, way, static_cast<std::uint32_t>(random())).play();
    const auto about = "seed " + std::to_string(seed) + ", durability " +
                       std::to_string(static_cast<int>(way.durability)) + ", at once " +
                       std::to_string(way.max_concurrency) + ", deaths " + std::to_string(other.deaths);
    ASSERT_EQ(other.trouble, "") << about;
    if (way.durability == Durability::exit)  // one checkpoint per run, so only the last is common (D1)
        ASSERT_EQ(other.checkpoints.back(), plain.checkpoints.back()) << about;
    else
        ASSERT_EQ(other.checkpoints, plain.checkpoints) << about;
    reached.deaths += static_cast<int>(other.deaths);
    reached.questions += plain.asked ? 1 : 0;
    if (other.deaths == 0 && !plain.asked)
        ASSERT_EQ(other.events, plain.events) << about;
}

constexpr std::uint32_t seeds_per_part = 2500;

class N1Simulation : public testing::TestWithParam<std::uint32_t> {};

TEST_P(N1Simulation, CheckpointsAndEventsDoNotDependOnScheduleDurabilityOrDeaths)
{
    Reached reached;
    for (std::uint32_t seed = 0; seed < seeds_per_part && !HasFatalFailure(); ++seed)
        compare(GetParam() * seeds_per_part + seed, reached);
    EXPECT_GT(reached.deaths, 500);
    EXPECT_GT(reached.questions, 500);
}

INSTANTIATE_TEST_SUITE_P(Parts, N1Simulation, testing::Values(0u, 1u, 2u, 3u));

}  // namespace
}  // namespace dure::graph

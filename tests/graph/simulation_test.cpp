// N1 by simulation: random graphs (simulated.hpp), each run plainly first and then under a seeded scheduler that shuffles which
// task goes on, bounds the tasks at once, picks the durability and kills storage in the middle. Checkpoints of all levels and
// events must not differ.
#include "graph/simulated.hpp"

namespace dure::graph {
namespace {

using namespace simulated;

// Storage that takes its time and dies after some saves; nothing of a save that failed is there.
class MortalCheckpointer final : public ForwardingCheckpointer {
public:
    MortalCheckpointer(Checkpointer& real, World& world) : ForwardingCheckpointer(real), world_(world) {}
    void live_for(std::size_t saves) { left_ = saves; }

    Task<Result<void>> save(const std::string& thread, Batch batch) override
    {
        co_await give_way(world_);
        if (left_ == 0)
            co_return Error(Errc::unavailable, "The storage is gone.").reason("STORAGE_ERROR");
        --left_;
        co_return co_await real_.save(thread, std::move(batch));
    }
private:
    World& world_;
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
    Lines below;  // the same of all sub-graphs, by their nodes, sorted
    Lines events;  // of the first run only when nothing died
    std::size_t deaths = 0;
    bool asked = false;
    std::string trouble;
};

class Simulation {
public:
    Simulation(const CompiledGraph& graph, const Way& way, std::uint32_t seed)
        : graph_(graph), way_(way), mortal_(memory_, world_)
    {
        world_.random.seed(seed);
        world_.shuffles = way.shuffles;
    }
    const World& world() const { return world_; }

    Trace play()
    {
        auto result = run(RunInput(log_of({"in"})));
        for (int round = 0; round < 100 && result.status == RunStatus::interrupted; ++round) {
            trace_.asked = true;
            auto answers = Json::object();
            for (const auto& one : result.interrupts)
                answers[one.id] = "yes " + one.node;
            if (way_.answers_one_by_one && answers.size() > 1) {
                const auto chosen = result.interrupts[below(world_.random, result.interrupts.size())];
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
        options.checkpointer = &mortal_;
        options.thread = "t";
        options.run = "run " + std::to_string(++runs_);
        options.durability = way_.durability;
        options.max_concurrency = way_.max_concurrency;
        while (true) {
            const bool may_die = way_.dies && trace_.deaths < 5;
            mortal_.live_for(may_die ? below(world_.random, 12) : static_cast<std::size_t>(-1));
            EventSets events;
            options.events = &events;
            auto result = run_in(world_, graph_, input, options);
            events.close();
            trace_.events.insert(trace_.events.end(), events.sets.begin(), events.sets.end());
            if (reason(result) != "STORAGE_ERROR")
                return result;
            ++trace_.deaths;
            options.recovers = true;
        }
    }

    // "a:TASK|b:TASK" without the tasks, whose ids differ from run to run.
    static std::string nodes_of(const std::string& ns)
    {
        std::string nodes;
        bool in_id = false;
        for (const char letter : ns) {
            in_id = letter == ':' || (in_id && letter != '|');
            if (!in_id)
                nodes += letter;
        }
        return nodes;
    }

    void read_checkpoints()
    {
        dure::test::run([&]() -> Task<void> {
            HistoryOptions all;
            all.limit = 100000;
            const auto spaces = co_await memory_.namespaces("t");
            for (const auto& ns : spaces.value()) {
                all.ns = ns;
                const auto history = co_await graph_.history(memory_, "t", all);
                auto& lines = ns.empty() ? trace_.checkpoints : trace_.below;
                for (const auto& one : history.value())
                    lines.push_back(nodes_of(ns) + " " + ThreadOf::line(one) + " " + one.values.dump());
            }
        });
        std::reverse(trace_.checkpoints.begin(), trace_.checkpoints.end());
        std::sort(trace_.below.begin(), trace_.below.end());
    }

    const CompiledGraph& graph_;
    const Way& way_;
    World world_;
    MemoryCheckpointer memory_;
    MortalCheckpointer mortal_;
    Trace trace_;
    int runs_ = 0;
};

// What the seeds of a part reached, so that a simulation that tests nothing fails.
struct Reached {
    int deaths = 0;
    int questions = 0;
    int levels = 0;
    int late = 0;
    int retried = 0;
    int handled = 0;

    void add(const Trace& plain, const Trace& other, const World& world)
    {
        deaths += static_cast<int>(other.deaths);
        questions += plain.asked ? 1 : 0;
        levels += plain.below.empty() ? 0 : 1;
        late += world.late;
        retried += world.retried;
        handled += world.handled;
    }
};

Way random_way(Random& random)
{
    Way way;
    way.shuffles = true;
    way.dies = one_in(random, 2);
    way.max_concurrency = below(random, 4);
    way.durability = std::array{Durability::sync, Durability::async, Durability::exit}[below(random, 3)];
    way.answers_one_by_one = one_in(random, 2);
    return way;
}

void compare(std::uint32_t seed, Reached& reached)
{
    Random random(seed * 2654435761u + 1);
    const auto graph = random_graph(random);
    const Way no_way;
    Simulation first(graph, no_way, seed);
    const auto plain = first.play();
    ASSERT_EQ(plain.trouble, "") << "seed " << seed;
    const auto way = random_way(random);
    Simulation second(graph, way, static_cast<std::uint32_t>(random()));
    const auto other = second.play();
    const auto about = "seed " + std::to_string(seed) + ", durability " +
                       std::to_string(static_cast<int>(way.durability)) + ", at once " +
                       std::to_string(way.max_concurrency) + ", deaths " + std::to_string(other.deaths);
    ASSERT_EQ(other.trouble, "") << about;
    if (way.durability == Durability::exit) {   // one checkpoint per run, so only the last is common (D1)
        ASSERT_EQ(other.checkpoints.back(), plain.checkpoints.back()) << about;
    } else {
        ASSERT_EQ(other.checkpoints, plain.checkpoints) << about;
        ASSERT_EQ(other.below, plain.below) << about;
    }
    reached.add(plain, other, second.world());
    if (other.deaths == 0 && !plain.asked)
        ASSERT_EQ(other.events, plain.events) << about;
}

// 10,000 in all where the code is optimised and unwatched.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint32_t seeds_per_part = 100;
#elif defined(__OPTIMIZE__)
constexpr std::uint32_t seeds_per_part = 2500;
#else
constexpr std::uint32_t seeds_per_part = 300;
#endif

class N1Simulation : public testing::TestWithParam<std::uint32_t> {};

TEST_P(N1Simulation, CheckpointsAndEventsDoNotDependOnScheduleDurabilityOrDeaths)
{
    Reached reached;
    for (std::uint32_t seed = 0; seed < seeds_per_part && !HasFatalFailure(); ++seed)
        compare(GetParam() * seeds_per_part + seed, reached);
    const auto enough = static_cast<int>(seeds_per_part / 12);
    EXPECT_GT(reached.deaths, enough);
    EXPECT_GT(reached.questions, enough);
    EXPECT_GT(reached.levels, enough);
    EXPECT_GT(reached.late, enough);
    EXPECT_GT(reached.retried, enough);
    EXPECT_GT(reached.handled, enough);
}

INSTANTIATE_TEST_SUITE_P(Parts, N1Simulation, testing::Values(0u, 1u, 2u, 3u));

}  // namespace
}  // namespace dure::graph

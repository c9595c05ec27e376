// Crashes and zombies for real: worker processes are killed (kill -9) at random moments, or stopped for longer than their
// lease, while runs of ten nodes go on whose effects are recorded in a file outside the database (D4, D8). The worker
// process is this program again: see FaultWorker. scripts/faults runs the long form (FAULT_THREADS, FAULT_KILLS).
#include <fstream>
#include <random>
#include <sstream>

#include "dure/base/timeout.hpp"
#include "dure/runs/graph_body.hpp"
#include "dure/runs/worker.hpp"
#include "runs/runs_fixture.hpp"
#include "support/fault_worker.hpp"

namespace dure::runs {

namespace {

constexpr int nodes_of_a_run = 10;
constexpr std::chrono::seconds fault_patience{100};

// The world outside: one line per effect, whole at once, never lost by the death of the writer.
class Effects {
public:
    explicit Effects(const std::string& path)
        : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600))
    {}
    ~Effects() { ::close(file_); }
    Effects(const Effects&) = delete;
    Effects& operator=(const Effects&) = delete;

    void record(std::string_view what, const std::string& run, std::size_t node)
    {
        const auto line = std::string(what) + " " + run + " " + std::to_string(node) + "\n";
        EXPECT_EQ(::write(file_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    }

private:
    int file_;
};

// Ten nodes in a row; each leaves its effect and takes a moment. When the next one begins, the one before is finished.
graph::CompiledGraph chain_of_nodes(Effects& effects, long node_time)
{
    graph::StateGraph chain;
    chain.add_channel("log", graph::reducers::append());
    std::string before(graph::start);
    for (std::size_t node = 0; node < nodes_of_a_run; ++node) {
        const auto name = "node" + std::to_string(node);
        chain.add_node(name, [&effects, node_time, node](graph::NodeContext& context) -> Task<Result<graph::Update>> {
            effects.record("start", context.run_id(), node);
            try {
                co_await sleep_for(std::chrono::microseconds(1000 * node_time + std::random_device{}() % 3000));
            } catch (const boost::system::system_error&) {
                effects.record("lost", context.run_id(), node);  // stopped, because the lease is somebody else's
                throw;
            }
            co_return graph::Update(Json{{"log", node}});
        });
        chain.add_edge(before, name);
        before = name;
    }
    return chain.compile().value();
}

// Notes the runs whose writes were refused.
RunBody noting_refusals(RunBody body, Effects& effects)
{
    return [body = std::move(body), &effects](RunWriter& writer, RunControl& control) -> Task<Ending> {
        auto ending = co_await body(writer, control);
        const auto code = ending.error ? ending.error->value("code", "") : "";
        // Refused at a write, or stopped by the lost lease before that; between two nodes that is a cancelled run without a code.
        if (code == "LEASE_LOST" || code == "CANCELLED" || ending.status == Status::cancelled)
            effects.record("lost", writer.run().id, 0);
        else if (!code.empty())
            effects.record(code, writer.run().id, 0);
        co_return ending;
    };
}

class FaultTest : public testing::TestWithParam<test::Driver> {
protected:
    void SetUp() override
    {
        place_ = test::make_place(GetParam(), folder_);
        database_ = migrated(test::open_place(place_));
    }

    void start_runs(long how_many)
    {
        static const SystemClock clock;
        Runs runs(*database_, clock);
        test::run([&]() -> Task<void> {
            for (long i = 0; i < how_many; ++i) {
                runs::Run run;
                run.thread = "t" + std::to_string(i);
                run.graph = "chain";
                run.input = Json{{"input", {{"log", Json::array()}}}};
                run.options = Json{{"modes", {"updates"}}};
                const auto started = co_await runs.start(run, Multitask::enqueue);
                if (!started)
                    throw std::runtime_error(started.error().detail());
            }
        });
    }
    // Times in milliseconds; without a lease the process is the only one.
    test::FaultWorker worker(long lease, long node_time) const
    {
        return {"FaultWorker.DISABLED_WorksUntilItIsKilled",
                {{"FAULT_PLACE", place_},
                 {"FAULT_EFFECTS", effects()},
                 {"FAULT_LEASE", std::to_string(lease)},
                 {"FAULT_NODE_TIME", std::to_string(node_time)}}};
    }
    std::int64_t count(const std::string& sql) { return test::count_rows(*database_, sql); }
    std::int64_t open_runs() { return count("SELECT COUNT(*) FROM graph_runs WHERE status IN ('pending', 'running')"); }
    std::string recorded() const
    {
        std::ifstream file(effects());
        return {std::istreambuf_iterator<char>(file), {}};
    }

    // Every node of every run finished once, and none began again after that. What a zombie began from byte `zombie` on does
    // not count: nobody can keep it from the outside world until its first write is refused.
    void check_effects(long runs, std::size_t zombie = std::string::npos)
    {
        std::istringstream file(recorded());
        std::map<std::string, int> newest;  // by run: the node that began last; those before it are finished
        std::string what, run;
        for (int node = 0; file >> what >> run >> node;) {
            if (what == "start" && static_cast<std::size_t>(file.tellg()) <= zombie) {
                const auto [known, first] = newest.emplace(run, node);
                EXPECT_TRUE(first ? node == 0 : node == known->second || node == known->second + 1)
                    << "node " << node << " of " << run << " began after node " << known->second;
                known->second = node;
            } else if (what != "start") {
                EXPECT_EQ(what, "lost");
            }
        }
        EXPECT_EQ(static_cast<long>(newest.size()), runs);
        const auto wanted = [runs](std::int64_t of_each) { return runs * of_each; };
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_runs WHERE status = 'success'"), runs);
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_runs WHERE output LIKE '%[0,1,2,3,4,5,6,7,8,9]%'"), runs);
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints"), wanted(nodes_of_a_run + 2));
        EXPECT_EQ(
            count("SELECT COUNT(*) FROM (SELECT thread_id, step FROM graph_checkpoints GROUP BY thread_id, step) AS d"),
            wanted(nodes_of_a_run + 2));
        EXPECT_EQ(
            count("SELECT COUNT(*) FROM graph_runs r WHERE (SELECT MAX(seq) FROM graph_run_events e WHERE e.run_id = "
                  "r.id) <> (SELECT COUNT(*) FROM graph_run_events e WHERE e.run_id = r.id)"),
            0)
            << "numbers without gaps";
        EXPECT_EQ(
            count("SELECT COUNT(*) FROM graph_runs r WHERE (SELECT COUNT(*) FROM graph_run_events e WHERE e.run_id = "
                  "r.id) <> 10"),
            0)
            << "a superstep and its event are one write: none is lost or told twice";
    }

    std::string effects() const { return folder_.file("effects"); }

    test::TemporaryFolder folder_;
    std::string place_;
    std::shared_ptr<sql::Database> database_;
};

}  // namespace

TEST(FaultWorker, DISABLED_WorksUntilItIsKilled)
{
    const char* place = std::getenv("FAULT_PLACE");
    if (!place)
        GTEST_SKIP() << "started by the fault tests only";
    const auto lease = test::number_from_environment("FAULT_LEASE", 0);
    const auto node_time = test::number_from_environment("FAULT_NODE_TIME", 0);
    const auto database = test::open_place(place);
    Effects effects(std::getenv("FAULT_EFFECTS"));
    const SystemClock clock;
    Logger log(Logger::Options{LogLevel::error, false, ""});
    Runs here(*database, clock);
    WorkerOptions options;
    options.crash_limit = 1'000'000;
    options.look_interval = std::chrono::milliseconds(20);
    options.only_process = lease == 0;
    if (lease > 0)
        options.lease = std::chrono::milliseconds(lease);
    boost::asio::io_context loop(1);
    const auto chain = chain_of_nodes(effects, node_time);
    auto body = graph_body(
        [&chain](const runs::Run&) -> Result<PreparedRun> { return PreparedRun{chain, graph::RunOptions(), nullptr}; });
    Worker worker(here, loop.get_executor(), log, noting_refusals(std::move(body), effects), options);
    boost::asio::co_spawn(loop, worker.work(), [](std::exception_ptr thrown) {
        if (thrown)
            std::rethrow_exception(thrown);
    });
    loop.run();
}

TEST_P(FaultTest, D4_KilledWorkersLoseNothingAndRepeatNothingFinished)
{
    const auto runs = test::number_from_environment("FAULT_THREADS", 60);
    const auto kills = test::number_from_environment("FAULT_KILLS", 8);
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    const long lease = GetParam().name == "sqlite" ? 0 : 300;  // one process owns the file; others wait for leases
    start_runs(runs);
    for (long killed = 0; killed < kills && open_runs() > 0; ++killed) {
        const auto begun = count("SELECT COUNT(*) FROM graph_checkpoints");
        auto child = worker(lease, 8);
        ASSERT_TRUE(test::eventually(
            [&] { return open_runs() == 0 || count("SELECT COUNT(*) FROM graph_checkpoints") > begun; },
            fault_patience));
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 40));
        child.end();
    }
    auto last = worker(lease, 0);
    ASSERT_TRUE(test::eventually([&] { return open_runs() == 0; }, fault_patience));
    last.end();
    check_effects(runs);
}

TEST_P(FaultTest, D8_AStoppedWorkersWritesAreRefusedAfterItsLease)
{
    const auto runs = test::number_from_environment("FAULT_THREADS", 60);
    constexpr long lease = 400;
    start_runs(runs);
    auto zombie = worker(lease, 30);
    const auto free_to_write = [this] {  // a process stopped inside a transaction of SQLite would hold everybody
        return database_
            ->run_now([](sql::Connection& c) { return c.execute("UPDATE graph_threads SET id = id WHERE id = ''"); })
            .has_value();
    };
    ASSERT_TRUE(test::eventually(
        [&] {
            if (count("SELECT COUNT(*) FROM graph_checkpoints") == 0)
                return false;
            zombie.send(SIGSTOP);
            if (count("SELECT COUNT(*) FROM graph_runs WHERE status = 'running'") > 0 && free_to_write())
                return true;
            zombie.send(SIGCONT);
            return false;
        },
        fault_patience));
    auto heir = worker(lease, 1);
    ASSERT_TRUE(test::eventually([&] { return open_runs() == 0; }, fault_patience));
    heir.end();
    const auto awake_from = recorded().size();
    zombie.send(SIGCONT);
    EXPECT_TRUE(
        test::eventually([&] { return recorded().find("lost ") != std::string::npos; }, std::chrono::seconds(20)))
        << "nobody was refused; after waking: " << recorded().substr(awake_from);
    zombie.end();
    check_effects(runs, awake_from);
    EXPECT_GT(count("SELECT MAX(epoch) FROM graph_runs"), 1);
}

INSTANTIATE_TEST_SUITE_P(Drivers, FaultTest, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::runs

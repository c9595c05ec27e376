// kill -9 at random while executions go on whose effects are recorded in a file outside of the database: none is lost, no
// finished node runs twice, a cut node runs again with the same idempotency key, and events replay to what the rows say.
// The worker process is this program again. FAULT_EXECUTIONS and FAULT_KILLS for a long form.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "dure/events/service.hpp"
#include "executions/executions_fixture.hpp"
#include "support/fault_worker.hpp"

namespace dure::executions {

namespace {

constexpr int nodes_of_each = 5;
constexpr std::chrono::seconds fault_patience{60};

// One line per effect: what, execution, node, idempotency key.
void record_effect(int file, const std::string& what, graph::NodeContext& context)
{
    const auto line =
        what + " " + context.thread_id() + " " + context.node() + " " + context.idempotency_key("effect") + "\n";
    if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        std::abort();
}

flows::CompiledFlow recording_chain(int file)
{
    HandMade chain;
    for (int i = 0; i < nodes_of_each; ++i)
        chain.node("n" + std::to_string(i), [file, i](graph::NodeContext& context) -> Task<Result<Json>> {
            record_effect(file, "start", context);
            co_await sleep_for(std::chrono::microseconds(std::random_device{}() % 8000));
            co_return Json(i);
        });
    return chain.compile();
}

constexpr auto works_until_killed = "*ExecutionFaultWorker.DISABLED_WorksUntilItIsKilled*";

class ExecutionFaultTest : public ExecutionsTest {
protected:
    void SetUp() override
    {
        place_ = test::make_place(GetParam(), folder_);
        make_service(migrated(test::open_place(place_)));
        flow("chain", [] { return recording_chain(-1); });
    }

    std::int64_t count(const std::string& sql) { return test::count_rows(*database_, sql); }
    std::int64_t open_ones() { return count("SELECT COUNT(*) FROM executions WHERE status IN ('queued', 'running')"); }
    std::vector<std::pair<std::string, std::string>> for_a_worker() const
    {
        return {{"FAULT_PLACE", place_}, {"FAULT_EFFECTS", folder_.file("effects")}};
    }

    // A node begins when the one before is finished: from then on that one may not begin again. A repeat has the same key.
    void check_effects(long executions)
    {
        std::ifstream file(folder_.file("effects"));
        std::map<std::string, int> newest;
        std::map<std::string, std::string> keys;
        std::string what, execution, node, key;
        while (file >> what >> execution >> node >> key) {
            const int place = node.back() - '0';
            const auto [known, first] = newest.emplace(execution, place);
            EXPECT_TRUE(first ? place == 0 : place == known->second || place == known->second + 1)
                << execution << " " << node;
            known->second = place;
            const auto [kept, fresh] = keys.emplace(execution + node, key);
            EXPECT_EQ(kept->second, key) << (fresh ? "" : "a repeat");
        }
        EXPECT_EQ(static_cast<long>(newest.size()), executions);
    }

    void check_rows(long executions)
    {
        EXPECT_EQ(count("SELECT COUNT(*) FROM executions WHERE status = 'succeeded'"), executions);
        EXPECT_EQ(count("SELECT COUNT(*) FROM execution_steps WHERE status = 'succeeded'"), executions * nodes_of_each);
        EXPECT_EQ(count("SELECT COUNT(*) FROM events WHERE event_type = 'ExecutionStepCompleted'"),
                  executions * nodes_of_each)
            << "each step is told once";
        EXPECT_EQ(count("SELECT COUNT(*) FROM events WHERE event_type = 'ExecutionCompleted'"), executions);
    }

    void check_replays(const std::vector<std::string>& ids)
    {
        play([&]() -> Task<void> {
            events::EventService events(*database_, *bus_);
            for (const auto& id : ids) {
                const auto replayed = co_await events.replay({"me", false}, {id, "Execution"}, {},
                                                             Deadline::after(std::chrono::seconds(5)));
                auto shown = to_json((co_await service_->find(id, "me")).value());
                shown["steps"] = Json::array();
                for (const auto& step : co_await steps(id))
                    shown["steps"].push_back(to_json(step));
                EXPECT_EQ(replayed.value().state, shown);
            }
        });
    }

    test::TemporaryFolder folder_;
    std::string place_;
};

// The process that is killed.
class ExecutionFaultWorker : public ExecutionsTest {
protected:
    void SetUp() override
    {
        if (const char* place = std::getenv("FAULT_PLACE"))
            make_service(test::open_place(place));
    }
};

}  // namespace

TEST_P(ExecutionFaultWorker, DISABLED_WorksUntilItIsKilled)
{
    const char* effects = std::getenv("FAULT_EFFECTS");
    if (effects == nullptr)
        GTEST_SKIP() << "started by the fault test only";
    const int file = ::open(effects, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    flow("chain", [file] { return recording_chain(file); });
    work(1, std::chrono::milliseconds(300), !std::string(std::getenv("FAULT_PLACE")).starts_with("postgres"));
    for (;;)
        ::pause();
}

TEST_P(ExecutionFaultTest, KilledProcessesLoseNothingAndRepeatNothingFinished)
{
    const auto executions = test::number_from_environment("FAULT_EXECUTIONS", 40);
    // An execution that is cut three times at one place is given up (D9), so a short run kills twice.
    const auto kills = test::number_from_environment("FAULT_KILLS", 2);
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::minstd_rand random(seed);
    std::vector<std::string> ids;
    play([&]() -> Task<void> {
        StartRequest request;
        request.flow = "chain";
        request.owner_runs = 8;
        for (long i = 0; i < executions; ++i)
            ids.push_back((co_await service_->start(me_, request)).value().execution.id);
    });
    for (long killed = 0; killed < kills && open_ones() > 0; ++killed) {
        const auto before = count("SELECT COUNT(*) FROM execution_steps");
        test::FaultWorker worker(works_until_killed, for_a_worker());
        ASSERT_TRUE(
            test::eventually([&] { return open_ones() == 0 || count("SELECT COUNT(*) FROM execution_steps") > before; },
                             fault_patience));
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
        worker.end();
    }
    test::FaultWorker last(works_until_killed, for_a_worker());
    ASSERT_TRUE(test::eventually([&] { return open_ones() == 0; }, fault_patience));
    last.end();
    check_effects(executions);
    check_rows(executions);
    check_replays(ids);
}

INSTANTIATE_TEST_SUITE_P(Drivers, ExecutionFaultTest, testing::ValuesIn(test::all_drivers()), test::driver_name);
INSTANTIATE_TEST_SUITE_P(AnyPlace, ExecutionFaultWorker, testing::Values(test::Driver{"given", nullptr}),
                         test::driver_name);

}  // namespace dure::executions

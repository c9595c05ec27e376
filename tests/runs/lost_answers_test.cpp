// D10: a commit whose answer is lost. The write is made again and changes nothing the second time.
#include "runs/graph_runs.hpp"

namespace dure::runs {

namespace {

// Commits, and then says that it cannot tell: every second write, once it is told to.
class Forgetful final : public sql::Database {
public:
    explicit Forgetful(sql::Database& real) : real_(real) {}
    sql::Dialect dialect() const override { return real_.dialect(); }
    std::size_t queued() const override { return real_.queued(); }
    Threads threads() const override { return real_.threads(); }

    std::atomic<bool> forgets = false;
    std::atomic<int> lost = 0;

private:
    struct Reach : sql::Database {
        using Database::submit;
    };
    Result<void> submit(sql::Unit& unit, Access access) override
    {
        if (access == Access::write && forgets && ++writes_ % 2 == 1) {
            ++lost;
            unit.done = [&unit, done = std::move(unit.done)] {
                if (!unit.error && !unit.thrown)
                    unit.error = Error(Errc::unavailable, "the connection broke behind the commit");
                done();
            };
        }
        return (real_.*&Reach::submit)(unit, access);
    }

    sql::Database& real_;
    std::atomic<int> writes_ = 0;
};

}  // namespace

TEST_P(GraphBodyTest, D10_ACommitWhoseAnswerIsLostIsMadeOnce)
{
    for (const auto* durability : {"sync", "async", "exit"}) {
        SCOPED_TRACE(durability);
        thread_ = durability;
        Forgetful forgetful(*database_);
        runs_.emplace(forgetful, clock_);
        std::vector<std::string> executed;
        graph::StateGraph graph;
        graph.add_channel("log", graph::reducers::append());
        graph.add_node("p", [&](graph::NodeContext& context) -> Task<Result<graph::Update>> {
            forgetful.forgets = true;   // the run is claimed
            executed.push_back(context.node());
            co_return graph::Update(log_entry("p"));
        });
        graph.add_node("beside", adds("beside", &executed)).add_node("q", adds("q", &executed));
        graph.add_edge(graph::start, "p").add_edge(graph::start, "beside").add_edge("p", "q");
        play(graph, [&]() -> Task<void> {
            const auto run = co_await play_run(Json{{"input", {{"log", Json::array()}}}},
                                               Json{{"modes", {"updates"}}, {"durability", durability}});
            EXPECT_EQ(run.status, Status::success) << (run.error ? run.error->dump() : "");
            EXPECT_EQ(run.output->at("log"), (Json{"beside", "p", "q"}));
            EXPECT_EQ((co_await events(run.id)).size(), 3U);
            forgetful.forgets = false;
        });
        EXPECT_EQ(executed.size(), 3U);
        EXPECT_GT(forgetful.lost, durability == std::string("exit") ? 0 : 1);
        const auto of_thread = " WHERE thread_id = '" + thread_ + "'";
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_checkpoints" + of_thread),
                  durability == std::string("exit") ? 1 : 4);
        EXPECT_EQ(count("SELECT COUNT(*) FROM graph_pending_writes" + of_thread), 0);
    }
    runs_.emplace(*database_, clock_);
}

}  // namespace dure::runs

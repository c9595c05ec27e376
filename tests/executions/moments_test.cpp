// What is read in two looks may have changed between them: a change is put exactly there, and nothing wrong is told or done.
#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <future>

#include "executions/executions_fixture.hpp"

namespace dure::executions {

namespace {

// Does something just before the n-th read or write from now.
class Interposed final : public sql::Database {
public:
    explicit Interposed(std::shared_ptr<sql::Database> real) : real_(std::move(real)) {}
    sql::Dialect dialect() const override { return real_->dialect(); }
    std::size_t queued() const override { return real_->queued(); }
    Threads threads() const override { return real_->threads(); }

    void before_read(int n, std::function<void()> change) { arm(Access::read, n, std::move(change)); }
    void before_write(int n, std::function<void()> change) { arm(Access::write, n, std::move(change)); }

private:
    struct Reach : sql::Database {
        using Database::submit;
    };
    void arm(Access access, int n, std::function<void()> change)
    {
        access_ = access;
        change_ = std::move(change);
        left_ = n;
    }
    Result<void> submit(sql::Unit& unit, Access access) override
    {
        if (access == access_ && left_ > 0 && --left_ == 0)
            std::exchange(change_, nullptr)();
        return ((*real_).*&Reach::submit)(unit, access);
    }

    const std::shared_ptr<sql::Database> real_;
    std::atomic<int> left_ = 0;
    Access access_ = Access::read;
    std::function<void()> change_;
};

class ExecutionMoments : public ExecutionsTest {
protected:
    void SetUp() override
    {
        real_ = migrated(GetParam().open_empty({}));
        between_ = std::make_shared<Interposed>(real_);
        make_service(between_);
        flow("asks", [] {
            return HandMade()
                .node("ask",
                      [](graph::NodeContext& context) -> Task<Result<Json>> {
                          co_return co_await context.interrupt(Json{{"prompt", "?"}});
                      })
                .compile();
        });
    }
    // An execution that waits for an answer, and nobody who works: each look is one of the test's own.
    std::string waiting_one()
    {
        std::string id;
        work();
        play([&]() -> Task<void> {
            id = (co_await started("asks")).id;
            EXPECT_EQ((co_await ended(id)).status, Status::waiting);
        });
        stop_workers();
        return id;
    }
    Task<void> answer(std::string id)
    {
        const auto resumed = co_await service_->resume(id, me_, {"", "", "yes"});
        EXPECT_TRUE(resumed) << (resumed ? "" : resumed.error().message());
    }
    // On the core nobody waits on here.
    void answer_now(const std::string& id)
    {
        std::promise<void> answered;
        boost::asio::co_spawn(cores_.at(1), answer(id), [&](std::exception_ptr) { answered.set_value(); });
        answered.get_future().wait();
    }
    void change_rows(const std::string& id, const std::string& run, const std::string& execution)
    {
        const auto changed = real_->run_now([&](sql::Connection& c) -> Result<std::int64_t> {
            if (auto one = c.execute("UPDATE graph_runs SET status = $2 WHERE id = $1", id, run); !one)
                return one;
            return c.execute("UPDATE executions SET status = $2 WHERE id = $1", id, execution);
        });
        EXPECT_TRUE(changed);
    }

    std::shared_ptr<sql::Database> real_;
    std::shared_ptr<Interposed> between_;
};

}  // namespace

TEST_P(ExecutionMoments, WhoWaitsIsNotToldOfAnExecutionThatGoesOnAgain)
{
    for (const int read : {2, 3}) {   // of the execution; of it with its steps
        const auto id = waiting_one();
        play([&]() -> Task<void> {
            between_->before_read(read, [&] { answer_now(id); });
            const auto told =
                co_await service_->wait_whole(id, "me", Deadline::after(std::chrono::milliseconds(100)));
            EXPECT_FALSE(told) << name_of(told->execution.status);
            EXPECT_EQ((co_await service_->find(id, "me"))->status, Status::queued);
        });
    }
}

TEST_P(ExecutionMoments, AnExecutionIsShownWithItsStepsOfTheSameMoment)
{
    const auto id = waiting_one();
    play([&]() -> Task<void> {
        between_->before_read(2, [&] {   // none: one read shows both
            change_rows(id, "success", "succeeded");
            EXPECT_TRUE(real_->run_now([&](sql::Connection& c) {
                return c.execute("UPDATE execution_steps SET status = 'succeeded' WHERE execution_id = $1", id);
            }));
        });
        const auto shown = co_await service_->whole(id, "me");
        EXPECT_EQ(shown->execution.status, Status::waiting);
        EXPECT_EQ(shown->steps.at(0).status, "waiting");
    });
}

TEST_P(ExecutionMoments, OneThatIsRetriedMeanwhileIsNotEndedInItsWorkersPlace)
{
    const auto id = waiting_one();
    change_rows(id, "error", "running");   // as its worker left it
    play([&]() -> Task<void> {
        between_->before_write(1, [&] { change_rows(id, "pending", "queued"); });
        co_await service_->look_after();
        EXPECT_EQ((co_await service_->find(id, "me"))->status, Status::queued);
    });
    change_rows(id, "error", "running");
    play([&]() -> Task<void> {
        co_await service_->look_after();
        EXPECT_EQ((co_await service_->find(id, "me"))->status, Status::failed);
        EXPECT_EQ((co_await service_->whole(id, "me"))->steps.at(0).status, "cancelled") << "nobody answers any more";
        const auto told = co_await event_types(id);
        EXPECT_EQ(std::ranges::count(told, "ExecutionStepCancelled"), 1);
    });
}

INSTANTIATE_TEST_SUITE_P(Drivers, ExecutionMoments, testing::ValuesIn(test::all_drivers()), test::driver_name);

}  // namespace dure::executions

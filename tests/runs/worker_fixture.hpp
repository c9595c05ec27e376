// What the tests of workers share: workers and a scenario on one loop, bodies that are no graphs.
#pragma once

#include "dure/runs/worker.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>

#include <numeric>
#include "dure/base/timeout.hpp"
#include "runs/runs_fixture.hpp"
#include "runs/start_and_wait.hpp"
#include "support/checkpointer_fixture.hpp"
#include "support/run_on_core.hpp"

namespace dure::runs {

namespace asio = boost::asio;

class WorkerTest : public RunsTest {
protected:
    void SetUp() override
    {
        RunsTest::SetUp();
        runs_.emplace(*database_, clock_);
        options_.look_interval = std::chrono::milliseconds(20);
        options_.lease = std::chrono::milliseconds(60'000);
    }

    // Workers and a scenario on one loop; the workers are drained when it ends.
    template <class Scenario>
    void play(RunBody body, Scenario scenario, std::size_t workers = 1)
    {
        asio::io_context loop(1);
        std::vector<std::unique_ptr<Worker>> team;
        std::size_t failures = 0;
        const auto caught = [&failures](std::exception_ptr thrown) {
            if (!thrown)
                return;
            ++failures;
            try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        };
        for (std::size_t i = 0; i < workers; ++i)
            team.push_back(std::make_unique<Worker>(*runs_, loop.get_executor(), log_, body, options_));
        for (auto& worker : team)
            asio::co_spawn(loop, worker->work(), caught);
        asio::co_spawn(loop, scenario(), [&](std::exception_ptr thrown) {
            caught(thrown);
            for (auto& worker : team)
                worker->drain(Deadline::after(std::chrono::seconds(10)));
        });
        loop.run();
    }

    Task<runs::Run> start(std::string thread, Json input = Json(), Multitask multitask = Multitask::enqueue,
                          Json options = Json::object())
    {
        return started_run(*runs_, std::move(thread), std::move(input), std::move(options), multitask);
    }
    Task<runs::Run> ended(std::string id) { return ended_run(*runs_, std::move(id)); }
    // Until `true_now()`; the scenario fails when that takes too long.
    template <class Condition>
    Task<void> until(Condition true_now)
    {
        const auto deadline = Deadline::after(std::chrono::seconds(20));
        while (!true_now()) {
            if (deadline.passed())
                throw std::runtime_error("it did not happen in time");
            co_await sleep_for(std::chrono::milliseconds(2));
        }
    }

    static Ending success(Json output)
    {
        Ending ending;
        ending.output = std::move(output);
        return ending;
    }

    SystemClock clock_;
    Logger log_{Logger::Options{LogLevel::error, false, ""}};
    std::optional<Runs> runs_;
    WorkerOptions options_;
};

// Waits until cancelled.
inline Task<Ending> endless(RunWriter&, RunControl&)
{
    for (;;)
        co_await sleep_for(std::chrono::seconds(10));
}

inline Task<std::vector<std::int64_t>> numbers_of(RunReader& reader)
{
    std::vector<std::int64_t> numbers;
    while (!reader.ended()) {
        const auto page = co_await reader.next(Steady::now() + std::chrono::seconds(20));
        if (!page)
            throw std::runtime_error(page.error().message());
        for (const auto& event : *page)
            numbers.push_back(event->seq);
    }
    co_return numbers;
}

}  // namespace

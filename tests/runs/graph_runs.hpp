// Graphs executed by a worker on both drivers: one thread "t", its runs, what they told.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "dure/base/timeout.hpp"
#include "dure/runs/graph_body.hpp"
#include "runs/runs_fixture.hpp"
#include "runs/start_and_wait.hpp"

namespace dure::runs {

inline Json log_entry(Json text)
{
    auto update = Json::object();
    update["log"] = std::move(text);
    return update;
}

inline graph::NodeFunction adds(std::string name, std::vector<std::string>* executed = nullptr)
{
    return [name, executed](graph::NodeContext&) -> Task<Result<graph::Update>> {
        if (executed)
            executed->push_back(name);
        co_return graph::Update(log_entry(name));
    };
}

class GraphBodyTest : public RunsTest {
protected:
    void SetUp() override
    {
        RunsTest::SetUp();
        runs_.emplace(*database_, clock_);
        options_.look_interval = std::chrono::milliseconds(20);
    }

    template <class Scenario>
    void play(const graph::StateGraph& graph, Scenario scenario)
    {
        const auto compiled = graph.compile();
        ASSERT_TRUE(compiled) << compiled.error().message();
        boost::asio::io_context loop(1);
        Worker worker(*runs_, loop.get_executor(), log_, graph_body([&](const runs::Run&) -> Result<PreparedRun> {
            return PreparedRun{*compiled, graph::RunOptions(), nullptr};
        }),
                      options_);
        const auto caught = [](std::exception_ptr thrown) {
            if (!thrown)
                return;
            try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        };
        boost::asio::co_spawn(loop, worker.work(), caught);
        boost::asio::co_spawn(loop, scenario(), [&](std::exception_ptr thrown) {
            caught(thrown);
            worker.drain(Deadline::after(std::chrono::seconds(10)));
        });
        loop.run();
    }

    Task<runs::Run> start(Json input, Json options = Json::object())
    {
        return started_run(*runs_, thread_, std::move(input), std::move(options), Multitask::enqueue);
    }
    Task<runs::Run> ended(std::string id) { return ended_run(*runs_, std::move(id)); }
    Task<runs::Run> play_run(Json input, Json options = Json::object())
    {
        const auto run = co_await start(std::move(input), std::move(options));
        co_return co_await ended(run.id);
    }
    // "mode data" of every event.
    Task<std::vector<std::string>> events(std::string id, EventFilter filter = {})
    {
        auto reader = co_await runs_->read(id, "me", 0, std::move(filter));
        std::vector<std::string> texts;
        while (!(*reader)->ended()) {
            const auto page = co_await (*reader)->next(Steady::now() + std::chrono::seconds(20));
            for (const auto& event : *page)
                texts.push_back(event->mode + " " + event->data.dump());
        }
        co_return texts;
    }

    std::string thread_ = "t";
    SystemClock clock_;
    Logger log_{Logger::Options{LogLevel::error, false, ""}};
    std::optional<Runs> runs_;
    WorkerOptions options_;
};

}  // namespace dure::runs

// What simulation_test.cpp simulates: a world with its own time and a seeded scheduler, and random graphs in it whose nodes
// ask, send, loop, defer, fail, take too long and hold further graphs.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <map>
#include <random>

#include "graph/support.hpp"

namespace dure::graph::simulated {

using namespace std::chrono_literals;
using namespace test;

using Random = std::minstd_rand;

inline std::size_t below(Random& random, std::size_t bound)
{
    return random() % bound;
}
inline bool one_in(Random& random, std::size_t bound)
{
    return below(random, bound) == 0;
}

// Stands still until everybody waits, then goes on to the next moment somebody waits for.
class VirtualTime final : public Timekeeper {
public:
    Steady::time_point now() const override { return now_; }
    Task<void> wait(Signal& signal, Steady::time_point until) override
    {
        struct Entry {
            Entry(std::multimap<Steady::time_point, Signal*>& all, Steady::time_point until, Signal& signal)
                : waiting(all), place(all.emplace(until, &signal))
            {}
            ~Entry() { waiting.erase(place); }
            Entry(const Entry&) = delete;
            Entry& operator=(const Entry&) = delete;
            std::multimap<Steady::time_point, Signal*>& waiting;
            std::multimap<Steady::time_point, Signal*>::iterator place;
        };
        const Entry entry(waiting_, until, signal);
        co_await signal.wait();
    }
    Task<void> sleep(Steady::duration length)
    {
        Signal nobody(co_await boost::asio::this_coro::executor);
        const auto until = now_ + length;
        while (now_ < until)
            co_await wait(nobody, until);
    }
    // False: nobody waits for a moment.
    bool go_on()
    {
        if (waiting_.empty() || waiting_.begin()->first == Steady::time_point::max())
            return false;
        now_ = std::max(now_, waiting_.begin()->first);
        for (auto entry = waiting_.begin(); entry != waiting_.end() && entry->first <= now_; ++entry)
            entry->second->notify();
        return true;
    }

private:
    Steady::time_point now_{};
    std::multimap<Steady::time_point, Signal*> waiting_;
};

struct World {
    VirtualTime time;
    Random random;
    bool shuffles = false;
    int late = 0;  // attempts that took too long
    int retried = 0;  // other attempts behind the first
    int handled = 0;  // failures that an error handler took over
};

// How many times somebody gives way to the others before he goes on: the order of completion.
inline Task<void> give_way(World& world)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    for (auto times = world.shuffles ? below(world.random, 4) : 0; times > 0; --times)
        co_await boost::asio::post(executor, boost::asio::use_awaitable);
}

inline Task<void> give_way(NodeContext& context)
{
    return give_way(context.context<World>());
}

constexpr auto attempt_limit = 100ms;

struct NodeShape {
    bool asks = false;
    bool keeps_a_step = false;
    std::size_t sends = 0;  // to the worker
    int late = 0;  // attempts that take longer than the limit
    int failing = 0;  // attempts after these that fail
    bool beats = false;  // works longer than the limit, which counts from its last sign of life
};

inline Json text_step(std::string text)
{
    return Json(std::move(text));
}

// Being late, failing, being at work, as the shape says; nothing: the attempt goes on.
inline Task<std::optional<Error>> troubles(NodeContext& context, NodeShape shape)
{
    auto& world = context.context<World>();
    if (context.attempt() <= shape.late) {
        ++world.late;
        co_await world.time.sleep(2 * attempt_limit);  // it is cancelled on the way
    }
    if (context.attempt() <= shape.late + shape.failing) {
        ++world.retried;
        co_return Error(Errc::unavailable, "not yet");
    }
    for (int i = 0; shape.beats && i < 3; ++i) {
        co_await world.time.sleep(attempt_limit / 2);
        context.heartbeat();
    }
    co_return std::nullopt;
}

inline Task<Result<Update>> execute(NodeContext& context, std::string name, NodeShape shape)
{
    co_await give_way(context);
    if (auto trouble = co_await troubles(context, shape))
        co_return *trouble;
    auto said = name + "@" + context.state().at("total").dump();
    if (shape.keeps_a_step) {
        auto kept = co_await context.step("said", [said]() -> Task<Result<Json>> { co_return text_step(said); });
        if (!kept)
            co_return kept.error();
        said = kept->get<std::string>() + "!";
    }
    if (shape.asks) {
        auto answer = co_await context.interrupt(name + "?");
        if (!answer)
            co_return answer.error();
        said += "=" + answer->dump();
        co_await give_way(context);
    }
    Routes sends;
    for (std::size_t i = 0; i < shape.sends; ++i) {
        Json argument{{"text", name + std::to_string(i)}, {"asks", shape.asks && i == 1}, {"late", i == 2}};
        sends.push_back(Send("worker", std::move(argument), i == 2 ? attempt_limit : 0ms));
    }
    auto update = entry("log", said);
    update["total"] = 1;
    update["longest"] = said;
    co_return Update(std::move(update), std::move(sends));
}

inline NodeFunction simulated(std::string name, NodeShape shape)
{
    return [name, shape](NodeContext& context) { return execute(context, name, shape); };
}

inline Task<Result<Update>> simulated_worker(NodeContext& context)
{
    co_await give_way(context);
    NodeShape shape;
    shape.late = context.argument()->at("late").get<bool>() ? 1 : 0;
    if (auto trouble = co_await troubles(context, shape))
        co_return *trouble;
    auto said = "worker:" + context.argument()->at("text").get<std::string>();
    if (context.argument()->at("asks").get<bool>()) {
        auto answer = co_await context.interrupt(said + "?");
        if (!answer)
            co_return answer.error();
        said += "=" + answer->dump();
    }
    auto update = entry("log", said);
    update["total"] = 1;
    co_return Update(std::move(update));
}

inline RetryPolicy four_attempts()
{
    RetryPolicy policy;
    policy.attempts = 4;
    policy.matches = [](const Error& error) { return error.reason() != "STORAGE_ERROR"; };
    return policy;
}

// With what a node of this shape needs to end well: four attempts, or somebody who stands in for it.
inline NodeOptions options_for(const NodeShape& shape)
{
    NodeOptions options;
    options.destinations = {"worker"};
    options.retry = {four_attempts()};
    if (shape.beats)
        options.timeouts.idle = attempt_limit;
    else if (shape.late > 0)
        options.timeouts.run = attempt_limit;
    if (shape.failing > 3)
        options.on_error = [](NodeContext& context, const Error& error) -> Task<Result<Update>> {
            ++context.context<World>().handled;
            co_await give_way(context);
            co_return Update(Json{{"log", context.node() + " handled: " + error.message()}, {"total", 1}});
        };
    return options;
}

inline NodeShape random_shape(Random& random, bool may_ask)
{
    NodeShape shape;
    shape.asks = may_ask && one_in(random, 8);
    shape.keeps_a_step = one_in(random, 6);
    shape.sends = one_in(random, 4) ? 1 + below(random, 3) : 0;
    if (one_in(random, 6))
        shape.late = 1;
    if (one_in(random, 6))
        shape.failing = one_in(random, 3) ? 9 : 1 + static_cast<int>(below(random, 2));
    shape.beats = one_in(random, 8);
    return shape;
}

inline std::string simulated_name(std::size_t index)
{
    return std::string(1, static_cast<char>('a' + index));
}

CompiledGraph random_graph(Random& random, int depth = 0, bool may_ask = true);

// Its list is added to ours, and it counts as one in our total.
inline void add_random_subgraph(StateGraph& graph, const std::string& name, Random& random, int depth, bool may_ask)
{
    SubgraphOptions options;
    options.persistence =
        std::array{Persistence::inherit, Persistence::inherit, Persistence::own, Persistence::none}[below(random, 4)];
    options.input_map = {{"total", "total"}};
    options.output_map = {{"log", "log"}, {"total", "one"}, {"longest", "longest"}};
    if (one_in(random, 2))
        options.timeouts.idle = 10s;
    const bool inner_may_ask = may_ask && options.persistence != Persistence::none;
    graph.add_subgraph(name, random_graph(random, depth + 1, inner_may_ask), options);
}

inline void add_loop(StateGraph& graph, const std::string& from, const std::string& target, std::int64_t most)
{
    graph.add_conditional_edges(from,
                                [target, most](const State& state) {
                                    return state.at("total").get<std::int64_t>() < most
                                               ? Routes(std::string_view(target))
                                               : Routes(end);
                                },
                                {{target, target}, {std::string(end), std::string(end)}});
}

inline CompiledGraph random_graph(Random& random, int depth, bool may_ask)
{
    const auto count = depth == 0 ? 2 + below(random, 5) : 1 + below(random, 2);
    StateGraph graph;
    graph.add_channel("log", reducers::append()).add_channel("total", reducers::sum());
    graph.add_channel("longest", reducers::max()).add_channel("one", reducers::last(), 1);
    NodeOptions retried;
    retried.retry = {four_attempts()};
    graph.add_node("worker", simulated_worker, retried);
    std::vector<bool> reached(count, false);
    bool somebody_sends = false;
    for (std::size_t i = 0; i < count; ++i) {
        const auto name = simulated_name(i);
        if (depth < 2 && one_in(random, depth == 0 ? 5 : 8)) {
            add_random_subgraph(graph, name, random, depth, may_ask);
        } else {
            const auto shape = random_shape(random, may_ask);
            auto options = options_for(shape);
            options.defer = one_in(random, 8);
            graph.add_node(name, simulated(name, shape), options);
            somebody_sends = true;
        }
        for (auto to = i + 1; to < count; ++to)
            if (one_in(random, 3)) {
                graph.add_edge(name, simulated_name(to));
                reached[to] = true;
            }
        if (one_in(random, 4))
            add_loop(graph, name, simulated_name(below(random, i + 1)), depth == 0 ? 8 : 4);
    }
    for (std::size_t i = 0; i < count; ++i)
        if (!reached[i])
            graph.add_edge(start, simulated_name(i));
    if (!somebody_sends)
        graph.add_conditional_edges(start, [](const State&) { return Routes(); }, targets({"worker", end}));
    if (count > 3 && one_in(random, 2))
        graph.add_edge({simulated_name(0), simulated_name(1)}, simulated_name(count - 1));
    return compiled(graph);
}

// One run, in virtual time.
inline RunResult run_in(World& world, const CompiledGraph& graph, const RunInput& input, RunOptions options)
{
    options.context = &world;
    options.timekeeper = &world.time;
    RunResult result;
    boost::asio::io_context loop(1);
    bool ended = false;
    std::exception_ptr thrown;
    boost::asio::co_spawn(loop, graph.run(input, options, result), [&](std::exception_ptr error) {
        ended = true;
        thrown = error;
    });
    while (loop.poll(), !ended)
        if (!world.time.go_on())
            throw std::runtime_error("everybody waits for nothing");
    loop.run();
    if (thrown)
        std::rethrow_exception(thrown);
    return result;
}

}  // namespace dure::graph::simulated

// Short words for the graph tests: nodes that add their name to `log`, a recorder of events, one call to run a graph.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "dure/base/timeout.hpp"
#include "dure/graph/graph.hpp"
#include "dure/graph/memory_checkpointer.hpp"
#include "support/run_task.hpp"

namespace dure::graph::test {

// Storage between a run and the real one: everything is handed on, but for `save` if one likes.
class ForwardingCheckpointer : public Checkpointer {
public:
    explicit ForwardingCheckpointer(Checkpointer& real) : real_(real) {}

    Task<Result<void>> save(const std::string& thread, Batch batch) override
    {
        return real_.save(thread, std::move(batch));
    }
    Task<Result<std::optional<StoredCheckpoint>>> load(const std::string& thread, const std::string& ns,
                                                       const std::string& id, bool with_pending) override
    {
        return real_.load(thread, ns, id, with_pending);
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
                                     std::optional<UnixMillis> older) override
    {
        return real_.prune(thread, keep, older);
    }

protected:
    Checkpointer& real_;
};

// Events as short text: "v[i,p]" for values of `log`, "u p" for updates.
class Recorder final : public EventSink {
public:
    explicit Recorder(Modes wanted = Mode::values | Mode::updates) : modes_(wanted) {}
    Modes modes() const override { return modes_; }

    Task<Result<void>> event(const Event& event) override
    {
        EXPECT_EQ(event.seq, ++last_);
        if (event.mode == Mode::values)
            lines.push_back("v" + list(event.data.value("log", Json::array())));
        else if (event.mode == Mode::updates)
            lines.push_back(told_update(event));
        else
            others.push_back(event.data);
        if (refuse_after != 0 && event.seq >= refuse_after)
            co_return Error(Errc::cancelled, "gone");
        co_return Result<void>();
    }

    // "u p", "u p (cached)", "int a" for the question of node a; with its namespace in front for a sub-graph's.
    static std::string told_update(const Event& event)
    {
        if (const auto asked = event.data.find("__interrupt__"); asked != event.data.end()) {
            std::string text = "int";
            for (const auto& one : *asked)
                text += " " + one.at("node").get<std::string>();
            return text;
        }
        std::string text;
        for (const auto& [key, value] : event.data.items())
            if (key != "__metadata__")
                text += "u " + key;
        return event.data.contains("__metadata__") ? text + " (cached)" : text;
    }

    static std::string list(const Json& values)
    {
        std::string text = "[";
        for (const auto& value : values)
            text += (text.size() > 1 ? "," : "") + (value.is_string() ? value.get<std::string>() : value.dump());
        return text + "]";
    }

    std::vector<std::string> lines;
    std::vector<Json> others;
    std::uint64_t refuse_after = 0;

private:
    Modes modes_;
    std::uint64_t last_ = 0;
};

inline Json entry(std::string_view channel, Json value)
{
    auto object = Json::object();
    object[channel] = std::move(value);
    return object;
}

inline Json log_of(std::initializer_list<const char*> items)
{
    auto list = Json::array();
    for (const auto* item : items)
        list.push_back(item);
    return entry("log", std::move(list));
}

// Adds its name to `log`.
inline NodeFunction adds(std::string name)
{
    return [name](NodeContext&) -> Task<Result<Update>> { co_return Update(entry("log", name)); };
}

inline NodeFunction adds_after(std::string name, Steady::duration pause)
{
    return [name, pause](NodeContext&) -> Task<Result<Update>> {
        co_await sleep_for(pause);
        co_return Update(entry("log", name));
    };
}

inline NodeFunction writes(std::string channel, Json value)
{
    return [channel, value](NodeContext&) -> Task<Result<Update>> { co_return Update(entry(channel, value)); };
}

inline NodeFunction fails(std::string message)
{
    return [message](NodeContext&) -> Task<Result<Update>> { co_return Error(Errc::unavailable, message); };
}

// A graph with channel `log` (append) and `n` (last value) and the named adding nodes.
struct LogGraph : StateGraph {
    LogGraph(std::initializer_list<const char*> nodes)
    {
        add_channel("log", reducers::append());
        add_channel("n");
        for (const auto* name : nodes)
            add_node(name, adds(name));
    }
};

inline CompiledGraph compiled(const StateGraph& graph)
{
    auto result = graph.compile();
    if (!result)
        throw std::runtime_error(result.error().message());
    return *result;
}

inline RunResult run(const CompiledGraph& graph, RunInput input, RunOptions options = RunOptions())
{
    RunResult result;
    dure::test::run([&]() -> Task<void> { co_await graph.run(std::move(input), options, result); });
    return result;
}

inline std::string reason(const RunResult& result) { return result.error ? result.error->reason() : ""; }
inline std::string log_text(const RunResult& result) { return Recorder::list(result.state.at("log")); }

using Lines = std::vector<std::string>;

// A thread in memory that several runs move on.
struct ThreadOf {
    explicit ThreadOf(CompiledGraph of, std::string name = "t") : graph(std::move(of)), thread(std::move(name)) {}

    RunResult run(RunInput input, RunOptions options = RunOptions())
    {
        Recorder recorder(modes);
        options.events = &recorder;
        options.checkpointer = &checkpointer;
        options.thread = thread;
        auto result = test::run(graph, std::move(input), std::move(options));
        events = recorder.lines;
        others = recorder.others;
        return result;
    }
    RunResult resume(Json answer, RunOptions options = RunOptions())
    {
        return run(Command{std::move(answer), {}, {}}, std::move(options));
    }
    RunResult resume_one(const RunResult& before, std::string_view node, Json answer)
    {
        for (const auto& one : before.interrupts)
            if (one.node == node)
                return resume(Json{{one.id, std::move(answer)}});
        throw std::runtime_error("no open interrupt of " + std::string(node));
    }
    StateSnapshot state(std::string checkpoint = {}, bool subgraphs = false)
    {
        std::optional<StateSnapshot> found;
        dure::test::run([&]() -> Task<void> {
            auto read = co_await graph.get_state(checkpointer, thread, checkpoint, subgraphs);
            found = std::move(read.value());
        });
        return found.value();
    }
    std::vector<StateSnapshot> history(HistoryOptions options = HistoryOptions())
    {
        std::vector<StateSnapshot> found;
        dure::test::run([&]() -> Task<void> {
            found = (co_await graph.history(checkpointer, thread, options)).value();
        });
        return found;
    }
    Result<std::string> update(Json values, std::string as_node = {}, std::string at = {})
    {
        std::optional<Result<std::string>> outcome;
        dure::test::run([&]() -> Task<void> {
            outcome = co_await graph.update_state(checkpointer, thread, Update(values), as_node, at);
        });
        return *outcome;
    }
    // Oldest first, as "0:loop:p,q".
    Lines checkpoints()
    {
        Lines lines;
        for (const auto& one : history())
            lines.insert(lines.begin(), line(one));
        return lines;
    }
    static std::string line(const StateSnapshot& one)
    {
        std::string next;
        for (const auto& name : one.next)
            next += (next.empty() ? "" : ",") + (name == start ? std::string("START") : name);
        return std::to_string(one.step) + ":" + std::string(name_of(one.source)) + ":" + (next.empty() ? "-" : next);
    }
    std::string checkpoint_at(std::int64_t step)
    {
        HistoryOptions all;
        all.limit = 10'000;
        for (const auto& one : history(all))
            if (one.step == step)
                return one.checkpoint;
        throw std::runtime_error("no checkpoint at that step");
    }

    CompiledGraph graph;
    std::string thread;
    MemoryCheckpointer checkpointer;
    Modes modes = Mode::values | Mode::updates;
    Lines events;
    std::vector<Json> others;
};

// Asks `question` and adds "name=answer" to the log.
inline NodeFunction asks(std::string name, std::string question, int* executions = nullptr)
{
    return [=](NodeContext& context) -> Task<Result<Update>> {
        if (executions)
            ++*executions;
        auto answer = co_await context.interrupt(question);
        if (!answer)
            co_return answer.error();
        co_return Update(entry("log", name + "=" + answer->dump()));
    };
}

// Counts its executions; fails while *failures > 0.
inline NodeFunction counts(std::string name, int* executions, int* failures = nullptr)
{
    return [=](NodeContext&) -> Task<Result<Update>> {
        ++*executions;
        if (failures && *failures > 0) {
            --*failures;
            co_return Error(Errc::unavailable, name + " is down");
        }
        co_return Update(entry("log", name));
    };
}

}  // namespace dure::graph::test

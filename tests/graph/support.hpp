// Short words for the graph tests: nodes that add their name to `log`, a recorder of events, one call to run a graph.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "dure/graph/graph.hpp"
#include "support/run_task.hpp"

namespace dure::graph::test {

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
            lines.push_back("u " + event.data.begin().key());
        else
            others.push_back(event.data);
        if (refuse_after != 0 && event.seq >= refuse_after)
            co_return Error(Errc::cancelled, "gone");
        co_return Result<void>();
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

inline RunResult run(const CompiledGraph& graph, Json input, RunOptions options = RunOptions())
{
    RunResult result;
    dure::test::run([&]() -> Task<void> { co_await graph.run(input, options, result); });
    return result;
}

inline std::string reason(const RunResult& result) { return result.error ? result.error->reason() : ""; }
inline std::string log_text(const RunResult& result) { return Recorder::list(result.state.at("log")); }

using Lines = std::vector<std::string>;

}  // namespace dure::graph::test

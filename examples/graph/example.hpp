// What the examples share: one call that runs a graph to its end, a printer of its updates, short words for JSON.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <iostream>

#include "dure/graph/graph.hpp"
#include "dure/graph/memory_checkpointer.hpp"

namespace example {

using namespace dure;
using namespace dure::graph;

// Runs one coroutine to its end on a loop of its own.
inline void finish(Task<void> work)
{
    boost::asio::io_context loop(1);
    boost::asio::co_spawn(loop, std::move(work), [](std::exception_ptr thrown) {
        if (thrown)
            std::rethrow_exception(thrown);
    });
    loop.run();
}

inline CompiledGraph must_compile(const StateGraph& graph, const CompileOptions& options = {})
{
    auto compiled = graph.compile(options);
    if (!compiled) {
        std::cerr << compiled.error().message() << "\n";
        std::exit(1);
    }
    return *compiled;
}

// Prints {node: update} as it happens, and questions as "asks: …".
class Printer final : public EventSink {
public:
    Modes modes() const override { return Mode::updates; }
    Task<Result<void>> event(const Event& event) override
    {
        if (const auto asked = event.data.find("__interrupt__"); asked != event.data.end())
            for (const auto& one : *asked)
                std::cout << "asks: " << one.at("value").dump() << "\n";
        else
            std::cout << event.data.dump() << "\n";
        co_return Result<void>();
    }
};

inline RunResult run(const CompiledGraph& graph, RunInput input, RunOptions options = {})
{
    Printer printer;
    options.events = &printer;
    RunResult result;
    finish(graph.run(std::move(input), options, result));
    if (result.error)
        std::cout << "error: " << result.error->message() << "\n";
    return result;
}

inline Json object(const char* key, Json value)
{
    auto made = Json::object();
    made[key] = std::move(value);
    return made;
}

}  // namespace example

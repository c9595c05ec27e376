// Map-reduce with Send: one task per document, all in one superstep, and a deferred node that waits for them.
#include "example.hpp"

using namespace example;

namespace {

Routes map(const State& state)
{
    Routes sends;
    for (const auto& text : state.at("documents"))
        sends.emplace_back(Send("count", text));
    return sends;
}

Task<Result<Update>> count(NodeContext& context)
{
    const auto& text = context.argument()->get_ref<const std::string&>();
    co_return Update(object("words", 1 + std::count(text.begin(), text.end(), ' ')));
}

Task<Result<Update>> report(NodeContext& context)
{
    co_return Update(object("report", context.state().at("words").dump() + " words"));
}

}  // namespace

int main()
{
    StateGraph graph;
    graph.add_channel("documents").add_channel("words", reducers::sum()).add_channel("report");
    graph.add_node("count", count).add_node("report", report, {.defer = true});
    graph.add_conditional_edges(start, map).add_edge("count", "report");
    const auto result = run(must_compile(graph), object("documents", {"one two", "three", "four five six"}));
    std::cout << result.output.at("report").get<std::string>() << "\n";
}

// A supervisor with three workers: it looks at what is done and sends the next worker by a Command, until nothing is left.
#include "example.hpp"

using namespace example;

namespace {

Task<Result<Update>> supervisor(NodeContext& context)
{
    static const std::vector<std::string> plan = {"researcher", "writer", "editor"};
    const auto done = context.state().at("results").size();
    co_return Update(Json(), done < plan.size() ? Routes(Destination(plan[done])) : Routes(dure::graph::end));
}

NodeFunction worker(std::string does)
{
    return [does](NodeContext& context) -> Task<Result<Update>> {
        co_return Update(object("results", context.node() + " " + does), Routes("supervisor"));
    };
}

}  // namespace

int main()
{
    StateGraph graph;
    graph.add_channel("task").add_channel("results", reducers::append());
    graph.add_node("supervisor", supervisor, {.destinations = {"researcher", "writer", "editor"}});
    for (const auto& [name, does] :
         {std::pair("researcher", "found three sources"), {"writer", "wrote a draft"}, {"editor", "approved it"}})
        graph.add_node(name, worker(does), {.destinations = {"supervisor"}});
    graph.add_edge(start, "supervisor");
    const auto result = run(must_compile(graph), object("task", "an article on barley tea"));
    std::cout << result.output.at("results").dump() << " in " << result.supersteps << " supersteps\n";
}

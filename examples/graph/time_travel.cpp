// Time travel: the history of a thread, a branch from one of its checkpoints with another value, and the old branch beside it.
#include "example.hpp"

using namespace example;

namespace {

NodeFunction adds(std::string word)
{
    return [word](NodeContext&) -> Task<Result<Update>> { co_return Update(object("story", word)); };
}

Task<void> travel(const CompiledGraph& graph, MemoryCheckpointer& checkpointer, std::string& branch)
{
    const auto history = (co_await graph.history(checkpointer, "story")).value();
    for (auto one = history.rbegin(); one != history.rend(); ++one) {
        std::cout << "step " << one->step << ": " << one->values.value("story", Json::array()).dump() << "\n";
        if (one->step == 1)
            branch = one->checkpoint;
    }
    // As if the node "who" had written something else.
    branch = (co_await graph.update_state(checkpointer, "story",
                                          Update(object("story", object("__overwrite__", {"A tiger"}))), "who", branch))
                 .value();
}

}  // namespace

int main()
{
    StateGraph graph;
    graph.add_channel("story", reducers::append());
    graph.add_node("who", adds("A fox")).add_node("what", adds("eats")).add_node("which", adds("persimmons"));
    graph.add_edge(start, "who").add_edge("who", "what").add_edge("what", "which");
    const auto compiled = must_compile(graph);

    MemoryCheckpointer checkpointer;
    RunOptions options;
    options.checkpointer = &checkpointer;
    options.thread = "story";
    const auto first = run(compiled, object("story", Json::array()), options);
    std::string branch;
    finish(travel(compiled, checkpointer, branch));
    options.checkpoint = branch;
    const auto second = run(compiled, RunInput::nothing(), options);
    std::cout << first.output.at("story").dump() << "\n" << second.output.at("story").dump() << "\n";
}

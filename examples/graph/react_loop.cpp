// A ReAct loop: the model thinks, calls a tool, sees its result, thinks again. The "model" is scripted, so that the example
// runs without one; a real one is a call in its place.
#include "example.hpp"

using namespace example;

namespace {

// Asks for 6 × 7 once, then answers with what the tool said.
Task<Result<Update>> model(NodeContext& context)
{
    const auto& messages = context.state().at("messages");
    const auto& last = messages.back();
    if (last.at("role") == "tool")
        co_return Update(object(
            "messages",
            {{"id", "m2"}, {"role", "assistant"}, {"content", "6 × 7 = " + last.at("content").get<std::string>()}}));
    co_return Update(
        object("messages",
               {{"id", "m1"}, {"role", "assistant"}, {"tool_call", {{"name", "multiply"}, {"arguments", {6, 7}}}}}));
}

Task<Result<Update>> tool(NodeContext& context)
{
    const auto& call = context.state().at("messages").back().at("tool_call");
    const auto product = call.at("arguments").at(0).get<int>() * call.at("arguments").at(1).get<int>();
    co_return Update(object("messages", {{"id", "t1"}, {"role", "tool"}, {"content", std::to_string(product)}}));
}

Routes after_model(const State& state)
{
    return state.at("messages").back().contains("tool_call") ? Routes("tool") : Routes(dure::graph::end);
}

}  // namespace

int main()
{
    StateGraph graph;
    graph.add_channel("messages", reducers::messages());
    graph.add_node("model", model).add_node("tool", tool);
    graph.add_edge(start, "model").add_edge("tool", "model");
    graph.add_conditional_edges("model", after_model, targets({"tool", dure::graph::end}));
    const auto result =
        run(must_compile(graph), object("messages", {{"id", "u1"}, {"role", "user"}, {"content", "What is 6 × 7?"}}));
    std::cout << result.output.at("messages").back().at("content").get<std::string>() << "\n";
}

// Human approval: the run stops with a question, keeps nothing but its checkpoint, and goes on with the answer, which a
// person may give a week later in another process.
#include "example.hpp"

using namespace example;

namespace {

Task<Result<Update>> draft(NodeContext&)
{
    co_return Update(object("mail", "Dear customer, your refund is on its way."));
}

Task<Result<Update>> approve(NodeContext& context)
{
    auto answer = co_await context.interrupt(object("approve?", context.state().at("mail")));
    if (!answer)
        co_return answer.error();  // INTERRUPTED: the run stops here
    co_return Update(object("approved", *answer));
}

Task<Result<Update>> deliver(NodeContext& context)
{
    // Runs once, whatever happens to the process: its result is durable under the task and this name.
    auto receipt = co_await context.step("send mail", []() -> Task<Result<Json>> { co_return Json("sent as no. 1"); });
    if (!receipt)
        co_return receipt.error();
    co_return Update(object("receipt", *receipt));
}

Routes after_approval(const State& state)
{
    return state.at("approved") == true ? Routes("send") : Routes(dure::graph::end);
}

}  // namespace

int main()
{
    StateGraph graph;
    graph.add_channel("topic").add_channel("mail").add_channel("approved").add_channel("receipt");
    graph.add_node("draft", draft).add_node("approve", approve).add_node("send", deliver);
    graph.add_edge(start, "draft").add_edge("draft", "approve");
    graph.add_conditional_edges("approve", after_approval, targets({"send", dure::graph::end}));
    const auto compiled = must_compile(graph);

    MemoryCheckpointer checkpointer;  // runs::SqlCheckpointer keeps it in SQLite or PostgreSQL
    RunOptions options;
    options.checkpointer = &checkpointer;
    options.thread = "refund 42";
    const auto asked = run(compiled, object("topic", "refund"), options);
    std::cout << name_of(asked.status) << ", next: " << asked.next.at(0) << "\n";
    const auto done = run(compiled, Command{.resume = Json(true), .update = {}, .go_to = {}}, options);
    std::cout << name_of(done.status) << ": " << done.output.at("receipt").get<std::string>() << "\n";
}

// Kind `tool`: one call of a tool of the server, as it was drawn. {"result"}
// The drawn call is the flow owner's word for tools that act; the rights are those of whoever started the run.
#include "nodes/config_reader.hpp"
#include "nodes/tool_use.hpp"

namespace dure::nodes {

Task<Result<Json>> run_tool(const Shared& shared, flows::NodeCall& call)
{
    ConfigReader reader(call.config);
    model::ToolCall wanted;
    wanted.id = "tool";
    wanted.name = reader.text("tool");
    const auto* arguments = reader.object("arguments");
    wanted.arguments = arguments ? dump(*arguments) : "{}";
    if (wanted.name.empty())
        reader.problem("tool", "is missing");
    if (auto fine = reader.done(); !fine)
        co_return fine.error();
    if (!shared.parts.tools.find(wanted.name))
        co_return Error(Errc::not_found, "There is no tool named '" + wanted.name + "'.")
            .reason("tool_not_found")
            .param("tool");
    auto caller = co_await caller_for(shared, call.facts);
    if (!caller)
        co_return caller.error();
    caller->approves = true;
    auto outcome =
        co_await use_once(shared, call.context, call.facts, std::move(*caller), "tool", wanted, Keep::successes);
    if (!outcome)
        co_return outcome.error();
    // Our own faults are not told apart for the world.
    if (!outcome->success)
        co_return Error(outcome->code == Errc::internal ? Errc::upstream_failed : outcome->code, outcome->error)
            .reason("tool_failed")
            .param(wanted.name);
    auto output = Json::object();
    output["result"] = std::move(outcome->result);
    co_return output;
}

}  // namespace dure::nodes

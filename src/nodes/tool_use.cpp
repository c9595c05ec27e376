// See tool_use.hpp.
#include "nodes/tool_use.hpp"

namespace dure::nodes {
namespace {

Json kept_outcome(const tools::Outcome& outcome)
{
    auto kept = Json::object();
    kept["success"] = outcome.success;
    kept[outcome.success ? "result" : "error"] = outcome.success ? outcome.result : Json(outcome.error);
    kept["duration_ms"] = outcome.duration_ms;
    kept["cached"] = outcome.cached;
    return kept;
}

tools::Outcome outcome_from(const Json& kept)
{
    tools::Outcome outcome;
    outcome.success = kept.at("success").get<bool>();
    if (outcome.success)
        outcome.result = kept.at("result");
    else
        outcome.error = kept.at("error").get<std::string>();
    outcome.duration_ms = kept.at("duration_ms").get<std::int64_t>();
    outcome.cached = kept.at("cached").get<bool>();
    return outcome;
}

// A step of its own: when it fails only the telling is repeated, not the tool.
Task<Result<void>> tell_audit(const Shared& shared, graph::NodeContext& context, const flows::RunFacts& facts,
                              const std::string& name, ToolRun run)
{
    if (!shared.parts.tool_ran)
        co_return Result<void>();
    auto told = co_await context.step("audit/" + name, [&]() -> Task<Result<Json>> {
        if (auto stored = co_await shared.parts.tool_ran(facts, run); !stored)
            co_return stored.error();
        co_return Json(true);
    });
    if (!told)
        co_return told.error();
    co_return Result<void>();
}

}  // namespace

Task<Result<tools::Caller>> caller_for(const Shared& shared, const flows::RunFacts& facts)
{
    auto caller = co_await shared.parts.rights(facts.owner);
    if (!caller)
        co_return caller.error();
    if (!caller->may_execute)
        co_return Error(Errc::permission_denied, "The owner of the run may not use tools.")
            .reason("tools_not_permitted");
    if (facts.rights) {
        if (!facts.rights->may(tools::execute_permission))
            co_return Error(Errc::permission_denied, "The key or person that started the run may not use tools.")
                .reason("tools_not_permitted");
        std::erase_if(caller->permissions, [&](const std::string& one) { return !facts.rights->may(one); });
    }
    caller->user_id = facts.owner;
    caller->request_id = facts.execution_id;
    co_return caller;
}

Task<Result<tools::Outcome>> use_once(const Shared& shared, graph::NodeContext& context, const flows::RunFacts& facts,
                                      tools::Caller caller, std::string name, const model::ToolCall& call, Keep keep)
{
    caller.idempotency_key = context.idempotency_key(name);
    std::optional<tools::Outcome> failed;
    auto kept = co_await context.step(name, [&]() -> Task<Result<Json>> {
        auto outcome = co_await shared.parts.tools.execute(call.name, call.arguments, caller);
        if (outcome.success || keep == Keep::every_outcome)
            co_return kept_outcome(outcome);
        failed = std::move(outcome);
        co_return Error(failed->code, failed->error);
    });
    const auto run_of = [&](const tools::Outcome& outcome) {
        return ToolRun{call.name, call.arguments, outcome.success, caller.approves, outcome.duration_ms};
    };
    if (failed) {
        if (shared.parts.tool_ran)
            if (auto told = co_await shared.parts.tool_ran(facts, run_of(*failed)); !told)
                co_return told.error();
        co_return std::move(*failed);
    }
    if (!kept)
        co_return kept.error();
    auto outcome = outcome_from(*kept);
    auto run = run_of(outcome);
    if (auto told = co_await tell_audit(shared, context, facts, name, std::move(run)); !told)
        co_return told.error();
    co_return outcome;
}

}  // namespace dure::nodes

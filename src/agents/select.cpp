// tool_selector: which of the server's tools are offered in this run. All of them when they are few; else those that are nearest
// to the question (tools::Selector).
#include <algorithm>

#include "agents/run.hpp"

namespace dure::agents {
namespace {

// A question that short leans on the one before: "그럼 부산은?"
constexpr std::size_t short_question = 48;

// The user's last question, with the one before when it hardly says anything by itself.
std::string question_of(const std::vector<model::Message>& messages)
{
    std::string question;
    for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
        if (message->role != model::Role::user)
            continue;
        const auto text = message->text();
        if (!question.empty())
            return question + "\n" + text;
        question = text;
        if (question.size() > short_question)
            break;
    }
    return question;
}

// What this run may offer, beside the client's own: of one name the client's tool wins, it is the one the client means.
bool is_offered(const AgentRun& run, const tools::Tool& tool)
{
    return tool.why_unavailable().empty() && !tool.acts() && tools::why_not_allowed(tool, run.caller).empty() &&
           !is_client_tool(run, tool.definition().name);
}

Task<void> offer_nearest(AgentRun& run, std::size_t most)
{
    const auto wanted = [&](const tools::Tool& tool) { return is_offered(run, tool); };
    const auto nearest =
        co_await run.selector.select(question_of(run.request.messages), most, run.caller, run.call.deadline, wanted);
    run.record.completion.usage += nearest.usage;
    for (const auto& near : nearest.tools)
        run.server_tools.push_back(near.tool->definition());
}

Task<void> offer_tools(AgentRun& run)
{
    auto tools = run.registry.all();
    std::erase_if(tools, [&](const auto& tool) { return !is_offered(run, *tool); });
    const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, run.settings.tools_top_k));
    if (tools.size() > most) {
        co_await offer_nearest(run, most);
        co_return;
    }
    for (const auto& tool : tools)
        run.server_tools.push_back(tool->definition());
}

}  // namespace

Task<Result<graph::Update>> select_tools(graph::NodeContext&, AgentRun& run)
{
    if (run.request.use_tools && run.caller.may_execute)
        co_await offer_tools(run);
    auto update = Json::object();
    update["candidates"] = Json::array();
    for (const auto& tool : run.server_tools)
        update["candidates"].push_back(tool.name);
    co_return graph::Update(std::move(update));
}

}  // namespace dure::agents

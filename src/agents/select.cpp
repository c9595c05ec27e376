// tool_selector: which of the server's tools are offered in this run. All of them when they are few; else those whose
// name and description share most words, or pieces of Korean words, with the question.
#include <algorithm>
#include <cctype>
#include <set>

#include "agents/run.hpp"
#include "dure/base/text.hpp"

namespace dure::agents {
namespace {

std::string last_question(const std::vector<model::Message>& messages)
{
    for (auto message = messages.rbegin(); message != messages.rend(); ++message)
        if (message->role == model::Role::user)
            return message->text();
    return {};
}

// Words of ASCII letters and digits, and pairs of neighbouring characters of everything else (Korean has no such words).
std::set<std::string> terms_of(std::string_view text)
{
    constexpr std::size_t most_bytes = 4096;
    const auto lower = ascii_lower(utf8_prefix(text, most_bytes));
    std::set<std::string> terms;
    std::string word;
    std::string previous;
    for (std::size_t at = 0; at < lower.size();) {
        const auto first = static_cast<unsigned char>(lower[at]);
        const std::size_t width = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        const auto character = lower.substr(at, width);
        at += width;
        const bool of_word = first < 0x80 && std::isalnum(first) != 0;
        if (!of_word && word.size() > 2)
            terms.insert(word);
        word = of_word ? word + character : std::string();
        if (first >= 0x80 && !previous.empty())
            terms.insert(previous + character);
        previous = first >= 0x80 ? character : std::string();
    }
    if (word.size() > 2)
        terms.insert(word);
    return terms;
}

std::size_t shared(const std::set<std::string>& question, const model::ToolDefinition& tool)
{
    const auto terms = terms_of(tool.name + " " + tool.description);
    return static_cast<std::size_t>(
        std::count_if(terms.begin(), terms.end(), [&](const auto& term) { return question.contains(term); }));
}

void keep_best(std::vector<model::ToolDefinition>& tools, std::size_t most, std::string_view question)
{
    const auto terms = terms_of(question);
    std::vector<std::pair<std::size_t, std::size_t>> ranking;   // shared terms, place
    for (std::size_t i = 0; i < tools.size(); ++i)
        ranking.emplace_back(shared(terms, tools[i]), i);
    std::sort(ranking.begin(), ranking.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    ranking.resize(most);
    std::vector<model::ToolDefinition> best;
    for (const auto& [count, place] : ranking)
        best.push_back(std::move(tools[place]));
    tools = std::move(best);
}

}  // namespace

Task<Result<graph::Update>> select_tools(graph::NodeContext&, AgentRun& run)
{
    if (run.request.use_tools && run.caller.may_execute)
        run.server_tools = run.registry.offered();
    // A client's tool of the same name wins: it is the one the client means.
    std::erase_if(run.server_tools, [&](const auto& tool) { return is_client_tool(run, tool.name); });
    const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, run.settings.tools_top_k));
    if (run.server_tools.size() > most)
        keep_best(run.server_tools, most, last_question(run.request.messages));
    auto update = Json::object();
    update["candidates"] = Json::array();
    for (const auto& tool : run.server_tools)
        update["candidates"].push_back(tool.name);
    co_return graph::Update(std::move(update));
}

}  // namespace dure::agents

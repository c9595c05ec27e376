// See decision.hpp.
#include "agents/decision.hpp"

#include <algorithm>
#include <cctype>

#include "dure/agents/lenient_json.hpp"

namespace dure::agents {
namespace {

constexpr std::size_t longest_name = 128;

std::string member_text(const Json& object, const char* name)
{
    const auto at = object.find(name);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// Letters and digits in lower case, bytes of other scripts as they are: "Execute-Tool" → "executetool".
std::string plain_name(std::string_view name)
{
    std::string plain;
    for (const char c : name)
        if (static_cast<unsigned char>(c) >= 0x80 || std::isalnum(static_cast<unsigned char>(c)) != 0)
            plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return plain;
}

std::string known_action(std::string_view said)
{
    const auto plain = plain_name(said);
    if (plain == "executetool" || plain == "usetool" || plain == "calltool" || plain == "tool")
        return "execute_tool";
    if (plain == "directresponse" || plain == "respond" || plain == "directanswer" || plain == "answer")
        return "direct_response";
    if (plain == "needmoreinfo" || plain == "needmoreinformation" || plain == "clarify")
        return "need_more_info";
    return plain == "end" || plain == "finish" ? "END" : "";
}

// Levenshtein's, bytes.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::string listed(const std::vector<std::string>& names)
{
    std::string list;
    for (const auto& name : names)
        list += (list.empty() ? "" : ", ") + name;
    return list;
}

std::string arguments_of(const Json& object)
{
    for (const auto* name : {"arguments", "args", "parameters", "tool_input", "action_input"}) {
        const auto at = object.find(name);
        if (at == object.end())
            continue;
        if (at->is_object())
            return dump(*at);
        if (at->is_string())
            if (const auto inner = object_in(at->get_ref<const std::string&>()))
                return dump(*inner);
    }
    return {};
}

// The tool's name as it was said, and where its arguments stand: beside it or in an object with it.
struct Said {
    std::string tool;
    std::string arguments;
};

constexpr const char* names_of_the_tool[] = {"selected_tool", "tool", "tool_name"};

// Models think aloud before they decide, with objects of other kinds; and arguments may have an "action" of their own.
bool is_decision(const Json& object)
{
    return object.contains("action") || std::any_of(std::begin(names_of_the_tool), std::end(names_of_the_tool),
                                                    [&](const char* name) { return object.contains(name); });
}

Said said_tool(const Json& object)
{
    Said said;
    said.arguments = arguments_of(object);
    for (const auto* name : names_of_the_tool) {
        const auto at = object.find(name);
        if (at == object.end() || at->is_null())
            continue;
        said.tool = at->is_string()   ? at->get<std::string>()
                    : at->is_object() ? member_text(*at, "name")
                                      : std::string();
        if (at->is_object() && said.arguments.empty())
            said.arguments = arguments_of(*at);
        break;
    }
    return said;
}

}  // namespace

std::optional<std::string> nearest_tool(std::string_view name, const std::vector<std::string>& tools)
{
    if (std::find(tools.begin(), tools.end(), name) != tools.end())
        return std::string(name);
    if (name.size() > longest_name)
        return std::nullopt;
    if (const auto dot = name.rfind('.'); dot != std::string_view::npos)   // "functions.calculator"
        name.remove_prefix(dot + 1);
    const auto wanted = plain_name(name);
    if (wanted.empty())
        return std::nullopt;
    const auto tolerance = wanted.size() < 5 ? 0 : wanted.size() < 10 ? 1 : 2;
    const std::string* best = nullptr;
    std::size_t least = tolerance + 1;
    bool several = false;
    for (const auto& tool : tools) {
        const auto off = distance(wanted, plain_name(tool));
        several = off == least ? true : off < least ? false : several;
        if (off < least) {
            least = off;
            best = &tool;
        }
    }
    return best && !several ? std::optional(*best) : std::nullopt;
}

std::variant<Decision, Misunderstood> read_decision(std::string_view text, const std::vector<std::string>& tools)
{
    const auto object = object_in(text, is_decision);
    if (!object)
        return Misunderstood{"The answer holds no JSON object."};
    Decision decision;
    decision.reasoning = member_text(*object, "reasoning");
    auto said = said_tool(*object);
    const auto word = member_text(*object, "action");
    decision.action = known_action(word);
    if (decision.action.empty() && (word.empty() ? !said.tool.empty() : nearest_tool(word, tools).has_value())) {
        decision.action = "execute_tool";
        if (said.tool.empty())
            said.tool = word;
    }
    if (decision.action.empty())
        return Misunderstood{"\"action\" must be execute_tool, direct_response, need_more_info or END."};
    if (decision.action != "execute_tool")
        return decision;
    const auto tool = nearest_tool(said.tool, tools);
    if (!tool)
        return Misunderstood{"There is no tool \"" + said.tool.substr(0, longest_name) +
                             "\". \"selected_tool\" must be one of: " + listed(tools) + "."};
    decision.tool = *tool;
    decision.arguments = std::move(said.arguments);
    return decision;
}

}  // namespace dure::agents

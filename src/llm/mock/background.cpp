// Answers of the mock to the requests chat clients make on their own: titles, tags, follow-ups … (openai-clients §7).
#include <array>

#include "dure/base/text.hpp"
#include "llm/language.hpp"
#include "llm/mock/answer.hpp"
#include "llm/mock/intent.hpp"

namespace dure::llm::mock {

namespace {

struct TaskMark {
    std::string_view task;
    std::string_view mark;
};

constexpr std::array<TaskMark, 11> task_marks = {{
    {"title_generation", "Generate a concise title"},
    {"title_generation", "Generate a concise, 3-5 word title"},
    {"tags_generation", "Generate 1-3 broad tags"},
    {"follow_up_generation", "Suggest 3-5 relevant follow-up"},
    {"query_generation", "necessity of generating search queries"},
    {"autocomplete_generation", "You are an autocompletion system"},
    {"image_prompt_generation", "Generate a detailed prompt for am image"},
    {"emoji_generation", "Your task is to reflect the speaker's likely facial expression"},
    {"context_compaction", "Summarize the conversation history that will be compacted"},
    {"memory_review", "You are Open WebUI's private memory reviewer"},
    {"moa_response_generation", "You have been provided with a set of responses"},
}};

// The block between the tags, or the whole text.
std::string_view history_of(std::string_view prompt)
{
    constexpr std::string_view opening = "<chat_history>";
    const auto start = prompt.rfind(opening);
    if (start == std::string_view::npos)
        return prompt;
    const auto body = prompt.substr(start + opening.size());
    return trim(body.substr(0, body.find("</chat_history>")));
}

// First thing the user said in the history, as a short line.
std::string topic_of(std::string_view history)
{
    auto line = history;
    if (const auto user = ascii_lower(history).find("user:"); user != std::string::npos)
        line = history.substr(user + 5);
    line = trim(line);
    line = trim(line.substr(0, line.find('\n')));
    auto short_line = utf8_prefix(line, 48);
    if (short_line.size() < line.size())
        short_line = short_line.substr(0, short_line.rfind(' ') == std::string_view::npos ? short_line.size()
                                                                                          : short_line.rfind(' '));
    return std::string(short_line);
}

std::string legacy_tool_calls(const Conversation& conversation)
{
    const auto system = conversation.system_text();
    const auto start = system.find('[');
    const auto end = system.rfind(']');
    std::vector<model::ToolDefinition> tools;
    if (start != std::string::npos && end != std::string::npos && end > start) {
        const auto list = Json::parse(system.substr(start, end - start + 1), nullptr, false);
        for (const auto& entry : list.is_array() ? list : Json::array()) {
            if (!entry.is_object() || !entry.value("name", Json()).is_string())
                continue;
            model::ToolDefinition tool;
            tool.name = entry["name"].get<std::string>();
            if (const auto text = entry.value("description", Json()); text.is_string())
                tool.description = text.get<std::string>();
            tool.parameters = entry.value("parameters", Json::object());
            tools.push_back(std::move(tool));
        }
    }
    auto question = conversation.last_user();
    if (const auto query = question.rfind("Query:"); query != std::string::npos)
        question = question.substr(query + 6);
    const auto intent = read_intent(question);
    auto calls = Json::array();
    if (const auto* tool = fitting_tool(tools, intent.want))
        calls.push_back({{"name", tool->name},
                         {"parameters", Json::parse(tool_arguments(*tool, intent, question), nullptr, false)}});
    return dump(Json{{"tool_calls", calls}});
}

std::string follow_ups(const std::string& topic, bool korean)
{
    const auto about = topic.empty() ? std::string(korean ? "이 주제" : "this topic") : topic;
    auto all = korean ? Json{about + "에 대해 더 자세히 알려 줄래?", "예를 하나 들어 줄래?", "다음에는 무엇을 하면 좋을까?"}
                      : Json{"Can you tell me more about " + about + "?", "Can you give an example?",
                             "What should I do next?"};
    return dump(Json{{"follow_ups", std::move(all)}});
}

}  // namespace

std::string background_task_of(const Conversation& conversation)
{
    if (!conversation.background_task.empty())
        return conversation.background_task;
    if (!conversation.tools.empty())
        return {};
    const auto system = conversation.system_text();
    const auto user = conversation.last_user();
    if (system.starts_with("Available Tools:") && user.find("Query:") != std::string::npos)
        return "function_calling";
    for (const auto& known : task_marks) {
        const bool in_user = user.find(known.mark) != std::string::npos &&
                             (user.starts_with("### Task:") || known.task == "emoji_generation" ||
                              known.task == "moa_response_generation");
        const bool in_system = known.task == "memory_review" && system.find(known.mark) != std::string::npos;
        if (in_user || in_system)
            return std::string(known.task);
    }
    return {};
}

std::optional<std::string> background_answer(const std::string& task, const Conversation& conversation)
{
    const auto prompt = conversation.last_user();
    const auto history = history_of(prompt);
    const bool korean = has_hangul(history);
    const auto topic = topic_of(history);
    const auto or_default = [&](const char* ko, const char* en) {
        return topic.empty() ? std::string(korean ? ko : en) : topic;
    };
    if (task == "title_generation")
        return dump(Json{{"title", or_default("새 대화", "New chat")}});
    if (task == "tags_generation")
        return dump(Json{{"tags", korean ? Json{"일반"} : Json{"General"}}});
    if (task == "follow_up_generation")
        return follow_ups(topic, korean);
    if (task == "query_generation")
        return dump(Json{{"queries", topic.empty() ? Json::array() : Json::array({topic})}});
    if (task == "autocomplete_generation")
        return dump(Json{{"text", korean ? "계속해서 설명해 줘." : "and tell me more about it."}});
    if (task == "image_prompt_generation")
        return dump(Json{{"prompt", or_default("밝은 풍경", "A bright landscape")}});
    if (task == "emoji_generation")
        return "\xF0\x9F\x98\x8A";
    if (task == "context_compaction")
        return (korean ? "지금까지의 대화 요약: " : "Summary of the conversation so far: ") + or_default("없음", "none");
    if (task == "memory_review")
        return dump(Json{{"operations", Json::array()}});
    if (task == "function_calling")
        return legacy_tool_calls(conversation);
    if (task == "moa_response_generation")
        return korean ? "여러 답변을 하나로 정리한 모의 응답입니다." : "This is a mock answer that joins the given responses.";
    return std::nullopt;
}

}  // namespace dure::llm::mock

// Decides what the mock says, in this order: background task, results of tools, tool calls, router prompt, structured
// answer, plain text; then stop sequences and the token limit. See answer.hpp.
#include "llm/mock/answer.hpp"

#include <algorithm>

#include "dure/base/text.hpp"
#include "llm/mock/instance.hpp"
#include "llm/mock/intent.hpp"

namespace dure::llm::mock {

namespace {

constexpr std::size_t token_bytes = 4;

std::int64_t tokens_of(std::size_t bytes)
{
    return static_cast<std::int64_t>((bytes + token_bytes - 1) / token_bytes);
}

// ---- tool calls

std::string call_id(const model::ToolDefinition& tool, const std::string& arguments, std::size_t messages)
{
    return "call_" + hex(sha256(tool.name + '\n' + arguments + '\n' + std::to_string(messages))).substr(0, 24);
}

std::string forced_name(const OrderedJson& choice)
{
    if (!choice.is_object() || !choice.contains("function") || !choice["function"].is_object())
        return {};
    const auto name = choice["function"].value("name", OrderedJson());
    return name.is_string() ? name.get<std::string>() : std::string();
}

// The tool to ask for now; null when the mock answers by itself.
const model::ToolDefinition* tool_to_call(const Conversation& conversation, const Intent& intent)
{
    const auto& choice = conversation.tool_choice;
    if (conversation.tools.empty() || choice == "none" || !conversation.fresh_results().empty())
        return nullptr;
    if (const auto name = forced_name(choice); !name.empty()) {
        const auto named = std::find_if(conversation.tools.begin(), conversation.tools.end(),
                                        [&](const auto& tool) { return tool.name == name; });
        return named == conversation.tools.end() ? nullptr : &*named;
    }
    if (const auto* fitting = fitting_tool(conversation.tools, intent.want))
        return fitting;
    return choice == "required" ? &conversation.tools.front() : nullptr;
}

// ---- the agent's router

bool asks_for_route(std::string_view system)
{
    return system.find("\"action\"") != std::string_view::npos &&
           system.find("\"selected_tool\"") != std::string_view::npos;
}

// Tools stand in the prompt as JSON objects, one per line.
std::vector<model::ToolDefinition> listed_tools(std::string_view prompt)
{
    std::vector<model::ToolDefinition> tools;
    while (!prompt.empty()) {
        const auto line = prompt.substr(0, prompt.find('\n'));
        prompt.remove_prefix(std::min(prompt.size(), line.size() + 1));
        const auto start = line.find("{\"name\"");
        if (start == std::string_view::npos)
            continue;
        const auto entry = Json::parse(line.substr(start, line.rfind('}') - start + 1), nullptr, false);
        if (!entry.is_object() || !entry.value("name", Json()).is_string())
            continue;
        model::ToolDefinition tool;
        tool.name = entry["name"].get<std::string>();
        if (const auto text = entry.value("description", Json()); text.is_string())
            tool.description = text.get<std::string>();
        tools.push_back(std::move(tool));
    }
    return tools;
}

std::string route(const Conversation& conversation, const Intent& intent)
{
    const auto tools = listed_tools(conversation.system_text());
    const auto* tool = conversation.fresh_results().empty() ? fitting_tool(tools, intent.want) : nullptr;
    OrderedJson decision;
    decision["action"] = tool != nullptr ? "execute_tool" : "direct_response";
    decision["selected_tool"] = tool != nullptr ? OrderedJson(tool->name) : OrderedJson();
    if (conversation.korean())
        decision["reasoning"] = tool != nullptr ? "질문에 맞는 도구가 있습니다." : "도구 없이 답할 수 있습니다.";
    else
        decision["reasoning"] = tool != nullptr ? "A listed tool fits the question." : "No tool is needed.";
    return dump(decision);
}

// ---- sentences

// The bare value out of a tool's answer: {"result":84} and "84" both give 84.
std::string value_of_result(const std::string& text)
{
    const auto parsed = Json::parse(text, nullptr, false);
    if (parsed.is_string())
        return parsed.get<std::string>();
    if (!parsed.is_object())
        return std::string(trim(text));
    for (const auto* name : {"result", "value", "answer", "output"})
        if (const auto found = parsed.find(name); found != parsed.end())
            return found->is_string() ? found->get<std::string>() : dump(*found);
    return dump(parsed);
}

std::string sentence_of_result(const std::string& value, Want want, bool korean)
{
    if (want == Want::weather)
        return korean ? "날씨 정보는 다음과 같습니다: " + value : "Here is the weather: " + value;
    if (want == Want::calculation)
        return korean ? "계산 결과는 " + value + "입니다." : "The result is " + value + ".";
    return korean ? "도구의 결과는 다음과 같습니다: " + value : "The tool returned: " + value;
}

std::string from_results(const Conversation& conversation, const Intent& intent)
{
    std::string text;
    for (const auto* result : conversation.fresh_results()) {
        if (!text.empty())
            text += '\n';
        text += sentence_of_result(value_of_result(result->text()), intent.want, conversation.korean());
    }
    return text;
}

bool asks_for_summary(const Conversation& conversation)
{
    const auto lower = ascii_lower(conversation.last_user());
    return lower.find("summar") != std::string::npos || lower.find("요약") != std::string::npos;
}

std::string summary(const Conversation& conversation)
{
    const auto last = conversation.last_user();
    const auto text = utf8_prefix(last, 240);
    return (conversation.korean() ? "요약: " : "Summary: ") + std::string(text) + (text.size() < last.size() ? "…" : "");
}

// What steps or workers found, where the prompt "assignment" shows it, without their headings; empty: nothing yet.
std::string shown_results(std::string_view question)
{
    for (const std::string_view mark : {"## Results so far\n", "## 지금까지의 결과\n"}) {
        const auto at = question.rfind(mark);
        if (at == std::string_view::npos)
            continue;
        std::string text;
        for (auto rest = trim(question.substr(at + mark.size())); !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            if (!line.empty() && !line.starts_with("### "))
                text.append(text.empty() ? "" : "\n").append(line);
        }
        return text == "-" ? std::string() : text;
    }
    return {};
}

// What the user said, where the prompt "assignment" puts it under a heading.
std::string_view task_of(std::string_view question)
{
    for (const std::string_view mark : {"## Task\n", "## 과제\n"})
        if (question.starts_with(mark)) {
            question.remove_prefix(mark.size());
            return trim(question.substr(0, question.find("\n\n## ")));
        }
    return question;
}

std::string plain_text(const Conversation& conversation, const Intent& intent)
{
    const bool korean = conversation.korean();
    const auto question = conversation.last_user();
    if (question.empty())
        return "Hello! I am the offline mock model.";
    if (auto results = shown_results(question); !results.empty())
        return results;
    if (asks_for_summary(conversation))
        return summary(conversation);
    if (intent.want == Want::calculation)
        return korean ? intent.subject + " 계산에는 계산 도구가 필요합니다. 지금은 쓸 수 있는 계산 도구가 없습니다."
                      : "Working out " + intent.subject + " needs a calculator tool, and none is offered.";
    if (intent.want == Want::weather)
        return korean ? intent.subject + "의 날씨를 알려 드리려면 날씨 도구가 필요합니다."
                      : "Telling the weather in " + intent.subject + " needs a weather tool, and none is offered.";
    const std::string quoted(utf8_prefix(task_of(question), 200));
    return korean ? "오프라인 모의 모델의 답변입니다. 질문은 다음과 같습니다: " + quoted
                  : "This is the offline mock model. You said: " + quoted;
}

std::optional<std::string> structured(const Conversation& conversation)
{
    const auto& format = conversation.response_format;
    const auto type = format.is_object() ? format.value("type", OrderedJson()) : OrderedJson();
    if (type == "json_schema" && format.contains("json_schema") && format["json_schema"].is_object())
        return dump(minimal_instance(Json(format["json_schema"].value("schema", OrderedJson::object()))));
    return std::nullopt;
}

bool wants_json_object(const Conversation& conversation)
{
    return conversation.response_format.is_object() &&
           conversation.response_format.value("type", OrderedJson()) == "json_object";
}

std::string say(const Conversation& conversation, const Intent& intent)
{
    if (const auto task = background_task_of(conversation); !task.empty())
        if (auto text = background_answer(task, conversation))
            return *text;
    if (conversation.tools.empty() && asks_for_route(conversation.system_text()))
        return route(conversation, intent);
    if (auto json = structured(conversation))
        return *json;
    auto text = conversation.fresh_results().empty() ? plain_text(conversation, intent)
                                                     : from_results(conversation, intent);
    return wants_json_object(conversation) ? dump(Json{{"answer", text}}) : text;
}

// ---- limits and numbers

void apply_limits(const Conversation& conversation, Answer& answer)
{
    for (const auto& stop : conversation.stop)
        answer.text = answer.text.substr(0, answer.text.find(stop));
    if (!conversation.max_tokens)
        return;
    const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(*conversation.max_tokens, 0, 1 << 24)) * token_bytes;
    if (answer.text.size() <= most)
        return;
    answer.text = std::string(utf8_prefix(answer.text, most));
    answer.finish_reason = "length";
}

void count_usage(const Conversation& conversation, Answer& answer)
{
    std::size_t prompt = 0;
    for (const auto& message : conversation.messages) {
        prompt += message.text().size();
        for (const auto& call : message.tool_calls)
            prompt += call.name.size() + call.arguments.size();
    }
    std::size_t said = answer.text.size();
    for (const auto& call : answer.tool_calls)
        said += call.name.size() + call.arguments.size();
    answer.usage.prompt_tokens = std::max<std::int64_t>(1, tokens_of(prompt));
    answer.usage.completion_tokens = tokens_of(said);
}

}  // namespace

Answer answer(const Conversation& conversation)
{
    Answer made;
    const auto question = conversation.last_user();
    const auto intent = read_intent(question);
    const auto* tool = conversation.background_task.empty() ? tool_to_call(conversation, intent) : nullptr;
    if (tool != nullptr) {
        model::ToolCall call;
        call.name = tool->name;
        call.arguments = tool_arguments(*tool, intent, question);
        call.id = call_id(*tool, call.arguments, conversation.messages.size());
        made.tool_calls.push_back(std::move(call));
        made.finish_reason = "tool_calls";
    } else {
        made.text = say(conversation, intent);
        apply_limits(conversation, made);
    }
    count_usage(conversation, made);
    return made;
}

}  // namespace dure::llm::mock

// Recognises background requests; see background_tasks.hpp. The marks are the opening words of Open WebUI's templates.
#include "chat/background_tasks.hpp"

#include <algorithm>
#include <array>

#include "chat/messages.hpp"
#include "dure/base/text.hpp"

namespace dure::chat {

namespace {

struct Mark {
    std::string_view start;   // the prompt begins so
    std::string_view holds;   // empty: whatever follows
    std::string_view task;
};

constexpr std::string_view first_letters = "#YA";
constexpr std::array<Mark, 11> marks = {{
    {"### Task:", "Generate a concise", "title_generation"},
    {"### Task:", "broad tags", "tags_generation"},
    {"### Task:", "follow-up questions", "follow_up_generation"},
    {"### Task:", "necessity of generating search queries", "query_generation"},
    {"### Task:", "You are an autocompletion system", "autocomplete_generation"},
    {"### Task:", "Generate a detailed prompt for a", "image_prompt_generation"},
    {"### Task:", "Summarize the conversation history that will be compacted", "context_compaction"},
    {"Your task is to reflect the speaker's likely facial expression", "", "emoji_generation"},
    {"You are Open WebUI's private memory reviewer", "", "memory_review"},
    {"Available Tools:", "", "function_calling"},
    {"You have been provided with a set of responses", "", "moa_response_generation"},
}};
static_assert(std::all_of(marks.begin(), marks.end(), [](const Mark& mark) {
    return first_letters.find(mark.start.front()) != std::string_view::npos;
}));

// Templates can be long (they hold the chat); the marks stand near their start.
constexpr std::size_t searched_bytes = 4096;

}  // namespace

std::string background_task_of(const CompletionCall& call)
{
    if (!call.hints.task.empty())
        return call.hints.task;
    if (call.stream || (call.tools && !is_empty_array(*call.tools)))
        return {};
    std::string room;
    const auto text = trim(first_text(call.messages, searched_bytes, room));
    if (text.empty() || first_letters.find(text.front()) == std::string_view::npos)
        return {};   // as nearly every question that a person asks
    for (const auto& mark : marks)
        if (text.starts_with(mark.start) && text.find(mark.holds) != std::string_view::npos)
            return std::string(mark.task);
    return {};
}

}  // namespace dure::chat

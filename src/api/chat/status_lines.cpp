// See status_lines.hpp.
#include "api/chat/status_lines.hpp"

#include <algorithm>

#include "dure/base/language.hpp"
#include "dure/base/text.hpp"

namespace dure::api {

namespace {

// In bytes; Open WebUI shows one line and cuts the rest of it.
constexpr std::size_t longest_name = 60, longest_list = 120;

}  // namespace

std::optional<Status> StatusLines::step(const model::Progress& progress)
{
    if (progress.done)
        return std::nullopt;
    const bool acts = of_flow_ || !progress.tool.empty();
    if (acts)
        remember(of_flow_ ? progress.description : progress.tool);
    else
        korean_ = holds_hangul(progress.description);
    // Behind its own words the agent's next node either ends the turn, and "Writing the answer" would come when it is written, or
    // runs tools, which are told by themselves.
    if (!acts && !open_ && closed_before_)
        return std::nullopt;
    if (open_ && progress.description == shown_)  // one tool called several times at once, a node in a loop
        return std::nullopt;
    open_ = true;
    shown_ = progress.description;
    return Status{shown_, false, false};
}

Status StatusLines::close()
{
    open_ = false;
    closed_before_ = true;
    if (names_.empty())
        return Status{shown_, true, true};
    return Status{what_was_done(), true, false};
}

void StatusLines::remember(std::string_view name)
{
    auto cut = std::string(utf8_prefix(name, longest_name));
    if (cut.size() < name.size())
        cut += "…";
    if (!cut.empty() && std::find(names_.begin(), names_.end(), cut) == names_.end())
        names_.push_back(std::move(cut));
}

std::string StatusLines::what_was_done() const
{
    std::string list;
    std::size_t told = 0;
    for (; told < names_.size(); ++told) {
        if (told > 0 && list.size() + names_[told].size() > longest_list)
            break;
        list += (told > 0 ? ", " : "") + names_[told];
    }
    const auto others = std::to_string(names_.size() - told);
    if (korean_)
        return list + (told < names_.size() ? " 외 " + others + "개" : "") + (of_flow_ ? " 실행" : " 사용");
    return (of_flow_ ? "Ran " : "Used ") + list + (told < names_.size() ? " and " + others + " more" : "");
}

}  // namespace dure::api

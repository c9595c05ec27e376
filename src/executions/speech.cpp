// See speech.hpp.
#include "executions/speech.hpp"

namespace dure::executions {

namespace {

constexpr std::string_view between_paragraphs = "\n\n";

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace

Speech::Speech(const flows::Document& document) : speakers_(speakers_of(document)) {}

std::string Speech::piece(const std::string& node_id, const std::string& text)
{
    if (text.empty() || !speakers_.streaming.contains(node_id) || unheard_.contains(node_id))
        return {};
    if (!speaker_.empty() && speaker_ != node_id) {
        unheard_.insert(node_id);
        return {};
    }
    const bool begins_to_speak = speaker_.empty();
    speaker_ = node_id;
    told_[node_id] += text;
    if (begins_to_speak)
        return paragraph(text);
    said_ += text;
    return text;
}

// A node may have told more than its text: what it said between two calls of tools, or before it was tried again.
std::string Speech::take_told(const std::string& node_id, const std::string& text)
{
    for (const auto& source : speakers_.sources[node_id]) {
        const auto told = told_.find(source);
        if (told == told_.end() || !trimmed(told->second).ends_with(trimmed(text)))
            continue;
        told_.erase(told);
        return {};
    }
    return text;
}

std::string Speech::reply(const std::string& node_id, const std::string& text)
{
    if (!speakers_.replies.contains(node_id))   // of a sub-flow
        return {};
    replied_ = true;
    const auto rest = take_told(node_id, text);
    if (rest.empty())
        return {};
    if (speaker_.empty())
        return paragraph(rest);
    held_ += (held_.empty() ? "" : std::string(between_paragraphs)) + rest;
    return {};
}

void Speech::begins(const std::string& node_id)
{
    if (speaker_ == node_id)   // it is tried again: what it says now is no end of what it had said
        speaker_.clear();
    told_.erase(node_id);
    unheard_.erase(node_id);
}

std::string Speech::ends(const std::string& node_id)
{
    if (speaker_ != node_id)
        return {};
    speaker_.clear();
    const auto held = std::move(held_);
    held_.clear();
    return held.empty() ? held : paragraph(held);
}

std::string Speech::rest_of(const std::string& whole)
{
    if (replied_ || (!said_.empty() && trimmed(said_).ends_with(trimmed(whole))))
        return {};
    return paragraph(whole);
}

std::string Speech::paragraph(const std::string& text)
{
    auto out = (said_.empty() ? "" : std::string(between_paragraphs)) + text;
    said_ += out;
    return out;
}

}  // namespace dure::executions

// A strict JSON cursor with just the branches ordinary answers need; see whole_scanner.hpp.
#include "llm/openai/whole_scanner.hpp"

#include <utility>

#include "llm/openai/answer_members.hpp"
#include "llm/openai/usage.hpp"

namespace dure::llm::openai {

namespace {

class WholeScanner : UsageCursor {
public:
    WholeScanner(std::string_view text, ScannedWhole& whole) : UsageCursor(text, Blanks::line_ends_too), whole_(whole) {}

    bool run()
    {
        const bool sound = members([this](std::string_view key) { return top_member(key); });
        blanks();
        return sound && at_end() && has_choice_ && has_content_ && by_assistant_ && !whole_.finish.empty() &&
               !whole_.model.empty() && has_usage_ && has_id_ && has_object_ && has_created_ && has_index_ &&
               has_refusal_ && has_logprobs_;
    }

private:
    template <class Member>
    bool members(Member member)
    {
        return object([&](std::string_view key, std::size_t, std::size_t) { return member(key); });
    }

    bool top_member(std::string_view key)
    {
        if (key == "model")
            return whole_.model.empty() && peek() == '"' && value_span(whole_.model);
        if (key == "id")
            return has_id_ = named();
        if (key == "object")
            return has_object_ = named();
        if (key == "created") {
            std::string_view time;
            return has_created_ = whole_number(time);
        }
        if (key == "choices")
            return !has_choice_ && (has_choice_ = choices());
        if (key == "usage") {
            std::string_view text;
            return !has_usage_ &&
                   (has_usage_ = usage(whole_.usage, text) && whole_.usage.reported && has_all_numbers(text));
        }
        if (key == "error" || key == "event" || key == "selected_model_id" || key == "sources" || key == "output" ||
            key == "type")
            return false;
        return beside(key);
    }

    // A member beside the message: passed over, but seen.
    bool beside(std::string_view key)
    {
        std::string_view value;
        if (!value_span(value))
            return false;
        whole_.has_more = whole_.has_more || brings_more_beside(key, value);
        return true;
    }

    bool named()
    {
        std::string_view text;
        return string(text) && !text.empty();
    }

    bool choices()
    {
        return take('[') && members([this](std::string_view key) { return choice_member(key); }) && take(']');
    }

    bool choice_member(std::string_view key)
    {
        if (key == "message")
            return !std::exchange(has_message_, true) &&   // of two the slow path takes the last
                   members([this](std::string_view name) { return message_member(name); });
        if (key == "finish_reason")
            return whole_.finish.empty() && string(whole_.finish) &&
                   (whole_.finish == "stop" || whole_.finish == "length");
        if (key == "index")
            return has_index_ = number();
        if (key == "logprobs")
            has_logprobs_ = true;
        return key != "error" && beside(key);
    }

    bool message_member(std::string_view key)
    {
        if (key == "content")
            return !has_content_ && (has_content_ = string(whole_.content));
        if (key == "role") {
            std::string_view role;
            return by_assistant_ = string(role) && role == "assistant";
        }
        if (key == "refusal")
            return has_refusal_ = literal("null");
        if (key == "tool_calls")
            return literal("null");
        std::string_view value;
        if (key.starts_with("reasoning") || !value_span(value))   // reasoning, reasoning_content, reasoning_details
            return false;
        whole_.has_more = whole_.has_more || (value != "null" && value != "[]" && value != "{}" && value != "\"\"");
        return true;
    }

    ScannedWhole& whole_;
    bool has_id_ = false;
    bool has_object_ = false;
    bool has_created_ = false;
    bool has_index_ = false;
    bool has_refusal_ = false;
    bool has_logprobs_ = false;
    bool has_choice_ = false;
    bool has_usage_ = false;
    bool has_message_ = false;
    bool has_content_ = false;
    bool by_assistant_ = false;
};

}  // namespace

bool scan_whole(std::string_view text, ScannedWhole& whole)
{
    whole = ScannedWhole();
    return WholeScanner(text, whole).run();
}

}  // namespace dure::llm::openai

// A strict JSON cursor with just the branches ordinary chunks need; see chunk_scanner.hpp.
#include "llm/openai/chunk_scanner.hpp"

#include <utility>

#include "llm/openai/answer_members.hpp"
#include "llm/openai/usage.hpp"

namespace dure::llm::openai {

namespace {

// Keys of errors, and keys that could act in a client's browser (openai-clients §10).
bool acts(std::string_view key)
{
    for (const std::string_view one : {"error", "event", "selected_model_id", "sources", "output", "type"})
        if (key == one)
            return true;
    return false;
}

// Line ends between tokens are refused: the text goes out again as one line of a stream. So is a member that comes twice: of
// those the slow path takes the last.
class ChunkScanner : JsonCursor {
public:
    ChunkScanner(std::string_view text, ScannedChunk& chunk) : JsonCursor(text, Blanks::spaces), chunk_(chunk) {}

    bool run()
    {
        chunk_.text = text_;
        bool has_choice = false;
        const bool whole = object([&](std::string_view key, std::size_t start, std::size_t comma) {
            return top_member(key, start, comma, has_choice);
        });
        return whole && has_choice && has_object_ && has_index_ && has_delta_ && at_end();
    }

private:
    bool top_member(std::string_view key, std::size_t start, std::size_t comma, bool& has_choice)
    {
        if (key == "id")
            return chunk_.id.empty() && value_span(chunk_.id) && chunk_.id.front() == '"';
        if (key == "created")
            return chunk_.created.empty() && whole_number(chunk_.created);
        if (key == "model")
            return chunk_.model.empty() && value_span(chunk_.model);
        if (key == "choices")
            return !has_choice && (has_choice = choices());
        if (key == "object") {
            std::string_view name;
            return !has_object_ && (has_object_ = string(name) && name == "chat.completion.chunk");
        }
        if (key == "usage")
            return null_usage(start, comma);
        return !acts(key) && beside(key);
    }

    bool null_usage(std::size_t start, std::size_t comma)
    {
        if (!literal("null") || !chunk_.usage.empty())
            return false;
        if (comma != std::string_view::npos) {
            chunk_.usage = text_.substr(comma, at_ - comma);
            return true;
        }
        blanks();
        if (peek() != ',')
            return false;
        chunk_.usage = text_.substr(start, at_ + 1 - start);
        return true;
    }

    bool choices()
    {
        return take('[') &&
               object([&](std::string_view key, std::size_t, std::size_t) { return choice_member(key); }) && take(']');
    }

    bool choice_member(std::string_view key)
    {
        if (key == "index") {
            const char digit = peek();
            if (std::exchange(has_index_, true))
                return false;
            chunk_.index = static_cast<std::size_t>(digit - '0');
            ++at_;
            return digit >= '0' && digit <= '9' && !(peek() >= '0' && peek() <= '9') && peek() != '.' &&
                   peek() != 'e' && peek() != 'E';
        }
        if (key == "delta")
            return !std::exchange(has_delta_, true) &&
                   object([&](std::string_view name, std::size_t, std::size_t) { return delta_member(name); });
        if (key == "finish_reason")
            return !std::exchange(has_finish_, true) && finish();
        if (key == "error" || key == "message")
            return false;
        return beside(key);
    }

    // A member beside the delta: passed over, but seen.
    bool beside(std::string_view key)
    {
        std::string_view value;
        if (!value_span(value))
            return false;
        chunk_.has_more = chunk_.has_more || brings_more_beside(key, value);
        return true;
    }

    bool finish()
    {
        if (peek() == 'n')
            return literal("null");
        return string(chunk_.finish) && (chunk_.finish == "stop" || chunk_.finish == "length" ||
                                         chunk_.finish == "tool_calls" || chunk_.finish == "content_filter");
    }

    bool delta_member(std::string_view key)
    {
        if (key == "content")
            return text_or_null(chunk_.content, chunk_.has_content);
        if (key == "reasoning_content")
            return text_or_null(chunk_.reasoning, chunk_.has_reasoning);
        if (key == "role") {
            std::string_view role;
            chunk_.has_role = true;
            return string(role) && role == "assistant";
        }
        if (key == "refusal")
            return literal("null");
        if (key == "tool_calls")
            return chunk_.tool_calls.empty() && peek() == '[' && value_span(chunk_.tool_calls);
        if (key == "reasoning" || key == "function_call")
            return false;
        std::string_view value;
        chunk_.has_details = chunk_.has_details || key == "reasoning_details";
        if (!value_span(value))
            return false;
        chunk_.has_more = chunk_.has_more || (value != "null" && value != "[]" && value != "{}" && value != "\"\"");
        return true;
    }

    bool text_or_null(std::string_view& text, bool& present)
    {
        if (present)
            return false;
        if (peek() == 'n')
            return literal("null");
        present = true;
        return string(text);
    }

    ScannedChunk& chunk_;
    bool has_object_ = false;
    bool has_index_ = false;
    bool has_delta_ = false;
    bool has_finish_ = false;
};

class UsageScanner : UsageCursor {
public:
    explicit UsageScanner(std::string_view text) : UsageCursor(text, Blanks::spaces) {}

    bool run(ScannedUsage& found)
    {
        bool no_choices = false;
        found = {};
        const bool whole = object([&](std::string_view key, std::size_t, std::size_t) {
            std::string_view value;
            if (key == "choices")
                return no_choices = take('[') && take(']');
            if (key == "usage")
                return found.text.empty() && usage(found.numbers, found.text);
            if (key == "object")
                return string(value) && value == "chat.completion.chunk";
            if (acts(key) || !value_span(value))
                return false;
            if (key != "id" && key != "created" && key != "model") {
                if (found.rest_count == found.rest.size())
                    return false;
                found.rest[found.rest_count++] = {key, value};
                found.has_more = found.has_more || brings_more_beside(key, value);
            }
            return true;
        });
        return whole && no_choices && !found.text.empty() && at_end();
    }
};

}  // namespace

bool scan_usage_chunk(std::string_view text, ScannedUsage& usage)
{
    return UsageScanner(text).run(usage);
}

bool scan_chunk(std::string_view text, ScannedChunk& chunk)
{
    chunk = ScannedChunk();
    return ChunkScanner(text, chunk).run();
}

}  // namespace dure::llm::openai

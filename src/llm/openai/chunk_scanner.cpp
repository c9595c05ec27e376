// A strict JSON cursor with just the branches ordinary chunks need; see chunk_scanner.hpp.
#include "llm/openai/chunk_scanner.hpp"

#include <algorithm>

#include "dure/base/text.hpp"

namespace dure::llm::openai {

namespace {

constexpr int deepest_skip = 16;

bool hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Length of a strict escape at `at`, 0 when it is broken or half of a surrogate pair.
std::size_t escape_length(std::string_view text, std::size_t at)
{
    if (at + 1 >= text.size())
        return 0;
    const char kind = text[at + 1];
    if (kind != 'u')
        return std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos ? 0 : 2;
    const auto is_unit = [&](std::size_t place) {
        return text.size() >= place + 6 && text[place] == '\\' && text[place + 1] == 'u' &&
               std::all_of(text.begin() + static_cast<std::ptrdiff_t>(place + 2),
                           text.begin() + static_cast<std::ptrdiff_t>(place + 6), hex_digit);
    };
    if (!is_unit(at))
        return 0;
    const bool surrogate = (text[at + 2] == 'd' || text[at + 2] == 'D') && text[at + 3] >= '8';
    if (!surrogate)
        return 6;
    const bool high = text[at + 3] == '8' || text[at + 3] == '9' || text[at + 3] == 'a' || text[at + 3] == 'b' ||
                      text[at + 3] == 'A' || text[at + 3] == 'B';
    const bool low_follows = is_unit(at + 6) && (text[at + 8] == 'd' || text[at + 8] == 'D') &&
                             std::string_view("cdefCDEF").find(text[at + 9]) != std::string_view::npos;
    return high && low_follows ? 12 : 0;
}

class Scanner {
public:
    Scanner(std::string_view text, ScannedChunk& chunk) : text_(text), chunk_(chunk) {}

    bool run()
    {
        chunk_.text = text_;
        bool has_choice = false;
        const bool whole = object([&](std::string_view key, std::size_t start, std::size_t comma) {
            return top_member(key, start, comma, has_choice);
        });
        return whole && has_choice && at_ == text_.size();
    }

private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void blanks()
    {
        while (peek() == ' ')
            ++at_;
    }
    bool take(char wanted)
    {
        blanks();
        if (peek() != wanted)
            return false;
        ++at_;
        return true;
    }

    bool string(std::string_view& raw)
    {
        if (!take('"'))
            return false;
        const auto end = end_of_string(text_, at_);
        if (end == std::string_view::npos)
            return false;
        raw = text_.substr(at_, end - at_);
        at_ = end + 1;
        return true;
    }

    // member(key, place of the key's quote, place of the comma before it or npos), standing before the value.
    template <class Member>
    bool object(Member member)
    {
        if (!take('{'))
            return false;
        blanks();
        if (peek() == '}') {
            ++at_;
            return true;
        }
        for (auto comma = std::string_view::npos;;) {
            blanks();
            const auto start = at_;
            std::string_view key;
            if (!string(key) || key.find('\\') != std::string_view::npos || !take(':'))
                return false;
            blanks();
            if (!member(key, start, comma))
                return false;
            blanks();
            comma = at_;
            if (peek() == '}') {
                ++at_;
                return true;
            }
            if (!take(','))
                return false;
        }
    }

    bool top_member(std::string_view key, std::size_t start, std::size_t comma, bool& has_choice)
    {
        if (key == "id")
            return value_span(chunk_.id) && chunk_.id.front() == '"';
        if (key == "created")
            return value_span(chunk_.created) && chunk_.created.front() >= '0' && chunk_.created.front() <= '9';
        if (key == "model")
            return value_span(chunk_.model);
        if (key == "choices")
            return !has_choice && (has_choice = choices());
        if (key == "object") {
            std::string_view name;
            return string(name) && name == "chat.completion.chunk";
        }
        if (key == "usage")
            return null_usage(start, comma);
        if (key == "error" || key == "event" || key == "selected_model_id" || key == "sources" || key == "output" ||
            key == "type")
            return false;
        return skip(0);
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

    bool value_span(std::string_view& span)
    {
        const auto start = at_;
        if (!skip(0))
            return false;
        span = text_.substr(start, at_ - start);
        return !span.empty();
    }

    bool choices()
    {
        return take('[') && object([&](std::string_view key, std::size_t, std::size_t) { return choice_member(key); }) &&
               take(']');
    }

    bool choice_member(std::string_view key)
    {
        if (key == "index") {
            const char digit = peek();
            chunk_.index = static_cast<std::size_t>(digit - '0');
            ++at_;
            return digit >= '0' && digit <= '9' && !(peek() >= '0' && peek() <= '9') && peek() != '.' && peek() != 'e' &&
                   peek() != 'E';
        }
        if (key == "delta")
            return object([&](std::string_view name, std::size_t, std::size_t) { return delta_member(name); });
        if (key == "finish_reason")
            return finish();
        if (key == "error" || key == "message")
            return false;
        return skip(0);
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
        if (key == "tool_calls" || key == "reasoning" || key == "function_call")
            return false;
        return skip(0);
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

    bool literal(std::string_view word)
    {
        if (!text_.substr(at_).starts_with(word))
            return false;
        at_ += word.size();
        return true;
    }

    bool digits()
    {
        const auto start = at_;
        while (peek() >= '0' && peek() <= '9')
            ++at_;
        return at_ > start;
    }

    bool number()
    {
        if (peek() == '-')
            ++at_;
        if (peek() == '0')
            ++at_;
        else if (!digits())
            return false;
        if (peek() == '.' && (++at_, !digits()))
            return false;
        if (peek() != 'e' && peek() != 'E')
            return true;
        ++at_;
        if (peek() == '+' || peek() == '-')
            ++at_;
        return digits();
    }

    bool skip(int depth)
    {
        if (depth > deepest_skip)
            return false;
        std::string_view ignored;
        switch (peek()) {
        case '"': return string(ignored);
        case '{': return object([&](std::string_view, std::size_t, std::size_t) { return skip(depth + 1); });
        case '[': return array(depth);
        case 't': return literal("true");
        case 'f': return literal("false");
        case 'n': return literal("null");
        default: return number();
        }
    }

    bool array(int depth)
    {
        ++at_;
        blanks();
        if (peek() == ']') {
            ++at_;
            return true;
        }
        for (;;) {
            blanks();
            if (!skip(depth + 1))
                return false;
            blanks();
            if (peek() == ']') {
                ++at_;
                return true;
            }
            if (!take(','))
                return false;
        }
    }

    std::string_view text_;
    ScannedChunk& chunk_;
    std::size_t at_ = 0;
};

}  // namespace

std::size_t end_of_string(std::string_view text, std::size_t start)
{
    bool high_bytes = false;
    for (auto at = start; at < text.size();) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c == '"')
            return high_bytes && !valid_utf8(text.substr(start, at - start)) ? std::string_view::npos : at;
        if (c < 0x20)
            return std::string_view::npos;
        if (c == '\\') {
            const auto length = escape_length(text, at);
            if (length == 0)
                return std::string_view::npos;
            at += length;
            continue;
        }
        high_bytes = high_bytes || c >= 0x80;
        ++at;
    }
    return std::string_view::npos;
}

bool scan_chunk(std::string_view text, ScannedChunk& chunk)
{
    chunk = ScannedChunk();
    return Scanner(text, chunk).run();
}

}  // namespace dure::llm::openai

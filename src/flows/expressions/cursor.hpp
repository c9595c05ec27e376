// A reader's place in the text of one expression: names, numbers, quoted texts, white space.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/json.hpp"

namespace dure::flows {

inline bool starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
}

inline bool continues_name(char c)
{
    return starts_name(c) || (c >= '0' && c <= '9');
}

class ExpressionCursor {
public:
    explicit ExpressionCursor(std::string_view text) : text_(text) {}

    bool at_end() const { return at_ >= text_.size(); }
    std::size_t place() const { return at_; }
    char peek() const { return at_end() ? '\0' : text_[at_]; }
    std::string_view since(std::size_t from) const { return text_.substr(from, at_ - from); }

    void skip_space()
    {
        while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r'))
            ++at_;
    }
    bool take(char wanted)
    {
        if (at_end() || peek() != wanted)
            return false;
        ++at_;
        return true;
    }
    // Letters of any script, digits, underscore and hyphens inside; empty when none stands here.
    std::string_view take_name()
    {
        const auto from = at_;
        if (!at_end() && starts_name(peek()))
            while (!at_end() && (continues_name(peek()) ||
                                 (peek() == '-' && at_ + 1 < text_.size() && continues_name(text_[at_ + 1]))))
                ++at_;
        return since(from);
    }
    // Digits may begin a name behind a dot: nodes.1 is a node, not a number.
    std::string_view take_step_name()
    {
        const auto from = at_;
        while (!at_end() &&
               (continues_name(peek()) || (peek() == '-' && at_ + 1 < text_.size() && continues_name(text_[at_ + 1]))))
            ++at_;
        return since(from);
    }
    std::optional<std::int64_t> take_index()
    {
        std::int64_t value = 0;
        const auto* from = text_.data() + at_;
        const auto read = std::from_chars(from, text_.data() + text_.size(), value);
        if (read.ec != std::errc())
            return std::nullopt;
        at_ += static_cast<std::size_t>(read.ptr - from);
        return value;
    }
    std::optional<Json> take_number()
    {
        const auto from = at_;
        while (!at_end() && (continues_name(peek()) || peek() == '-' || peek() == '+' || peek() == '.'))
            ++at_;
        auto value = Json::parse(since(from), nullptr, false);
        if (!value.is_number())
            return std::nullopt;
        return value;
    }
    // 'text' or "text"; backslash makes the next character itself, \n and \t are a line's end and a tab.
    std::optional<std::string> take_quoted()
    {
        const char quote = peek();
        if (quote != '"' && quote != '\'')
            return std::nullopt;
        std::string out;
        for (++at_; !at_end(); ++at_) {
            char c = text_[at_];
            if (c == quote) {
                ++at_;
                return out;
            }
            if (c == '\\') {
                if (++at_ >= text_.size())
                    break;
                c = text_[at_] == 'n' ? '\n' : text_[at_] == 't' ? '\t' : text_[at_];
            }
            out += c;
        }
        return std::nullopt;
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace dure::flows

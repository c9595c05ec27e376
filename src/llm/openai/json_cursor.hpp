// A strict cursor over one JSON text, without a tree: what the scanners of chunks and whole answers share. Every step answers
// false on anything that is not JSON (RFC 8259), so that what has been passed over is checked too.
#pragma once

#include <cstddef>
#include <string_view>

#include "dure/base/json_text.hpp"

namespace dure::llm::openai {

// Place of the quote that ends the string whose text begins at `start`; npos when it does not end or is not strict JSON.
std::size_t end_of_string(std::string_view text, std::size_t start);

class JsonCursor {
public:
    enum class Blanks { spaces, line_ends_too };
    JsonCursor(std::string_view text, Blanks allowed) : text_(text), line_ends_(allowed == Blanks::line_ends_too) {}

protected:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool at_end() const { return at_ == text_.size(); }
    void blanks()
    {
        if (peek() > ' ')   // nearly always: providers write no blanks
            return;
        while (peek() == ' ' || (line_ends_ && (peek() == '\n' || peek() == '\r' || peek() == '\t')))
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
    bool literal(std::string_view word);
    bool number();
    bool whole_number(std::string_view& span);  // above 0, in digits alone: a time that clients read as a whole number
    bool string(std::string_view& raw)  // without its quotes, not decoded
    {
        return take('"') && (plain_string_rest(raw) || string_rest(raw));
    }
    bool skip(int depth = 0);  // any value
    bool value_span(std::string_view& span);  // any value, as it is written

    // member(key, place of the key's quote, place of the comma before it or npos), standing before the value. Keys with an
    // escape are refused: no key that anybody looks for is written so.
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
            if (!this->key(key) || !take(':'))
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

    std::string_view text_;
    std::size_t at_ = 0;

private:
    bool digits();
    // Behind the opening quote; false, and nothing taken, when the string is not of plain ASCII.
    bool plain_string_rest(std::string_view& raw)
    {
        const auto end = plain_json_run_end(text_, at_);
        if (end == text_.size() || text_[end] != '"')
            return false;
        raw = text_.substr(at_, end - at_);
        at_ = end + 1;
        return true;
    }
    bool string_rest(std::string_view& raw);
    bool key(std::string_view& raw)
    {
        return take('"') &&
               (plain_string_rest(raw) || (string_rest(raw) && raw.find('\\') == std::string_view::npos));
    }
    bool array(int depth);

    bool line_ends_;
};

}  // namespace dure::llm::openai

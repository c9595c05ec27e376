// See lenient_json.hpp. object_in: outermost brackets strictly → each opening bracket, strictly and mended.
#include "dure/agents/lenient_json.hpp"

#include <array>
#include <cctype>
#include <utility>
#include <vector>

namespace dure::agents {
namespace {

constexpr int deepest_object = 64;
constexpr std::size_t largest_text = 256 * 1024;
constexpr std::size_t largest_mended = 32 * 1024;
constexpr std::size_t most_openings = 8;

std::optional<Json> strict_object(std::string_view text)
{
    bool too_deep = false;
    const auto watch = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > deepest_object;
        return true;
    };
    auto object = Json::parse(text, watch, false);
    return object.is_object() && !too_deep ? std::optional<Json>(std::move(object)) : std::nullopt;
}

bool is_word(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

// The width of a quotation mark that opens at `at`, and what closes it; 0: none opens there.
struct Quote {
    std::size_t width = 0;
    std::string_view close;
};

Quote quote_at(std::string_view text, std::size_t at)
{
    if (text[at] == '"')
        return {1, "\""};
    if (text[at] == '\'')
        return {1, "'"};
    if (text.substr(at).starts_with("“"))
        return {3, "”"};
    if (text.substr(at).starts_with("‘"))
        return {3, "’"};
    return {};
}

// Copies text into JSON token by token. Brackets that are still open at the end are closed.
class Mender {
public:
    explicit Mender(std::string_view text) : text_(text) {}

    std::string mend()
    {
        while (at_ < text_.size() && !(begun_ && open_.empty()))
            step();
        drop_comma();
        while (!open_.empty()) {
            out_ += open_.back();
            open_.pop_back();
        }
        return std::move(out_);
    }

private:
    void step()
    {
        const char c = text_[at_];
        if (const auto quote = quote_at(text_, at_); quote.width != 0)
            return copy_string(quote);
        if (c == '/' && at_ + 1 < text_.size() && (text_[at_ + 1] == '/' || text_[at_ + 1] == '*'))
            return skip_comment();
        if (c == '{' || c == '[') {
            open_ += c == '{' ? '}' : ']';
            begun_ = true;
        }
        if (c == '}' || c == ']') {
            drop_comma();
            if (!open_.empty())
                open_.pop_back();
        }
        if (is_word(c) && std::isdigit(static_cast<unsigned char>(c)) == 0)
            return copy_word();
        if (is_word(c) || c == '-')
            return copy_number();
        out_ += c;
        ++at_;
    }

    // A mark of the same kind inside counts as text unless JSON could go on behind it.
    bool closes(std::size_t at) const
    {
        while (at < text_.size() && std::isspace(static_cast<unsigned char>(text_[at])) != 0)
            ++at;
        return at >= text_.size() || std::string_view(",:}]/").find(text_[at]) != std::string_view::npos;
    }

    void copy_string(const Quote& quote)
    {
        std::string inner;
        at_ += quote.width;
        for (; at_ < text_.size(); ++at_) {
            const auto rest = text_.substr(at_);
            if (rest.starts_with(quote.close) && closes(at_ + quote.close.size())) {
                at_ += quote.close.size();
                break;
            }
            if (rest[0] == '\\' && rest.size() > 1) {
                inner += rest[1] == '\'' ? std::string("'") : std::string(rest.substr(0, 2));
                ++at_;
                continue;
            }
            copy_inner(rest[0], inner);
        }
        out_ += '"' + inner + '"';
    }

    static void copy_inner(char c, std::string& inner)
    {
        switch (c) {
        case '"': inner += "\\\""; break;
        case '\n': inner += "\\n"; break;
        case '\r': inner += "\\r"; break;
        case '\t': inner += "\\t"; break;
        default: inner += c;
        }
    }

    void copy_number()
    {
        while (at_ < text_.size() &&
               (is_word(text_[at_]) || std::string_view("+-.").find(text_[at_]) != std::string_view::npos))
            out_ += text_[at_++];
    }

    void copy_word()
    {
        const auto first = at_;
        while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '-'))
            ++at_;
        const auto word = text_.substr(first, at_ - first);
        constexpr std::array<std::pair<std::string_view, std::string_view>, 8> words{{{"true", "true"},
                                                                                      {"false", "false"},
                                                                                      {"null", "null"},
                                                                                      {"True", "true"},
                                                                                      {"False", "false"},
                                                                                      {"None", "null"},
                                                                                      {"undefined", "null"},
                                                                                      {"NULL", "null"}}};
        for (const auto& [said, meant] : words)
            if (word == said) {
                out_ += meant;
                return;
            }
        out_ += '"' + std::string(word) + '"';   // a bare key or a bare word as value
    }

    void skip_comment()
    {
        const bool line = text_[at_ + 1] == '/';
        const auto end = text_.find(line ? "\n" : "*/", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + (line ? 1 : 2);
    }

    void drop_comma()
    {
        const auto last = out_.find_last_not_of(" \t\r\n");
        if (last != std::string::npos && out_[last] == ',')
            out_.erase(last);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string out_;
    std::string open_;
    bool begun_ = false;
};

// From this opening bracket to the one that closes it, strings minded; everything when none does.
std::string_view balanced(std::string_view text)
{
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (in_string) {
            at += text[at] == '\\' ? 1 : 0;
            in_string = at >= text.size() || text[at] != '"';
        } else if (text[at] == '"') {
            in_string = true;
        } else if (text[at] == '{') {
            ++depth;
        } else if (text[at] == '}' && --depth == 0) {
            return text.substr(0, at + 1);
        }
    }
    return text;
}

}  // namespace

std::string mended(std::string_view text)
{
    return Mender(text).mend();
}

std::optional<Json> object_in(std::string_view text, bool (*wanted)(const Json& object))
{
    std::optional<Json> another;
    const auto is_it = [&](std::optional<Json>& object) {
        if (!object || wanted == nullptr || wanted(*object))
            return object.has_value();
        if (!another)
            another = std::move(object);
        return false;
    };
    const auto first = text.find('{');
    if (first == std::string_view::npos || text.size() > largest_text)
        return std::nullopt;
    if (const auto last = text.rfind('}'); last != std::string_view::npos && last > first)
        if (auto object = strict_object(text.substr(first, last - first + 1)); is_it(object))
            return object;
    std::size_t openings = 0;
    for (auto at = first; at != std::string_view::npos && openings < most_openings;
         at = text.find('{', at + 1), ++openings) {
        const auto rest = text.substr(at);
        auto object = strict_object(balanced(rest));
        if (!object && text.size() <= largest_mended)   // before the objects in it, which may need no mending
            object = strict_object(mended(rest));
        if (object && !object->empty() && is_it(object))
            return object;
    }
    return another;
}

}  // namespace dure::agents

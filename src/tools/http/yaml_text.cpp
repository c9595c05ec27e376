// parse_yaml: the events of libyaml put together to JSON. Only what JSON can say is taken: plain words get their type by the core
// schema of YAML 1.2 (so `no` is a text), and anchors, aliases and tags are refused, since a few lines of them can stand for any size.
#include <yaml.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <optional>

#include "tools/http/tool_file.hpp"

namespace dure::tools {
namespace yaml_text_parts {

constexpr int deepest = 64;

struct Refused {
    std::string message;
};

template <class Number>
std::optional<Number> whole_number(std::string_view digits, int base)
{
    Number number{};
    const auto* end = digits.data() + digits.size();
    const auto [at, failed] = std::from_chars(digits.data(), end, number, base);
    if (failed != std::errc() || at != end)
        return std::nullopt;
    return number;
}

bool all_of(std::string_view text, std::string_view allowed)
{
    return !text.empty() && text.find_first_not_of(allowed) == text.npos;
}

constexpr std::string_view digits = "0123456789";

// [-+]? (\. [0-9]+ | [0-9]+ (\. [0-9]*)?) ([eE] [-+]? [0-9]+)?
bool is_decimal(std::string_view text)
{
    const auto skip = [&](std::string_view some) {
        const auto end = std::min(text.find_first_not_of(some), text.size());
        text.remove_prefix(end);
        return end;
    };
    if (text.starts_with('-') || text.starts_with('+'))
        text.remove_prefix(1);
    const auto whole = skip(digits);
    std::size_t fraction = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        fraction = skip(digits);
    }
    if (whole + fraction == 0)
        return false;
    if (!text.starts_with('e') && !text.starts_with('E'))
        return text.empty();
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+'))
        text.remove_prefix(1);
    return all_of(text, digits);
}

std::optional<Json> number_of(std::string_view text)
{
    const auto based = [&](int base) -> std::optional<Json> {
        if (const auto number = whole_number<std::uint64_t>(text.substr(2), base))
            return *number;
        throw Refused{"a number that is too large"};
    };
    if (text.starts_with("0x") && all_of(text.substr(2), "0123456789abcdefABCDEF"))
        return based(16);
    if (text.starts_with("0o") && all_of(text.substr(2), "01234567"))
        return based(8);
    if (!is_decimal(text))
        return std::nullopt;
    if (text.starts_with('+'))
        text.remove_prefix(1);
    if (const auto number = whole_number<std::uint64_t>(text, 10))
        return *number;
    if (const auto number = whole_number<std::int64_t>(text, 10))
        return *number;
    double number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
        throw Refused{"a number that is too large"};   // or too near to zero
    return number;
}

// Of a word without quotes.
Json plain_value(std::string_view text)
{
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
        return nullptr;
    if (text == "true" || text == "True" || text == "TRUE")
        return true;
    if (text == "false" || text == "False" || text == "FALSE")
        return false;
    auto sign_less = text;
    if (sign_less.starts_with('-') || sign_less.starts_with('+'))
        sign_less.remove_prefix(1);
    if (sign_less == ".inf" || sign_less == ".Inf" || sign_less == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN")
        throw Refused{"a number that JSON cannot write"};
    if (auto number = number_of(text))
        return std::move(*number);
    return std::string(text);
}

class Reader {
public:
    explicit Reader(std::string_view text)
    {
        if (!yaml_parser_initialize(&parser_))
            throw std::bad_alloc();
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    }
    ~Reader()
    {
        yaml_event_delete(&event_);
        yaml_parser_delete(&parser_);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    Result<Json> document()
    {
        try {
            next();                                  // the stream begins
            next();
            if (event_.type == YAML_STREAM_END_EVENT)
                throw Refused{"the document is empty"};
            next();                                  // the document began
            auto out = value(0);
            next();                                  // it ended
            next();
            if (event_.type != YAML_STREAM_END_EVENT)
                throw Refused{"more than one document"};
            return out;
        } catch (const Refused& refused) {
            return Error(Errc::invalid_argument, "line " + std::to_string(line_) + ": " + refused.message);
        }
    }

private:
    void next()
    {
        yaml_event_delete(&event_);
        event_ = {};
        if (!yaml_parser_parse(&parser_, &event_)) {
            line_ = parser_.problem_mark.line + 1;
            throw Refused{parser_.problem ? parser_.problem : "this is not YAML"};
        }
        line_ = event_.start_mark.line + 1;
    }

    // Of the event at hand, and of those that belong to it.
    Json value(int depth)
    {
        if (depth > deepest)
            throw Refused{"nested more than 64 deep"};
        switch (event_.type) {
        case YAML_SCALAR_EVENT: {
            const auto& scalar = event_.data.scalar;
            refuse_anchor_and_tag(scalar.anchor, scalar.tag);
            return scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(text()) : Json(text());
        }
        case YAML_SEQUENCE_START_EVENT:
            refuse_anchor_and_tag(event_.data.sequence_start.anchor, event_.data.sequence_start.tag);
            return list(depth);
        case YAML_MAPPING_START_EVENT:
            refuse_anchor_and_tag(event_.data.mapping_start.anchor, event_.data.mapping_start.tag);
            return table(depth);
        default:
            throw Refused{"aliases are not read: write the value out"};
        }
    }

    Json list(int depth)
    {
        auto out = Json::array();
        for (next(); event_.type != YAML_SEQUENCE_END_EVENT; next())
            out.push_back(value(depth + 1));
        return out;
    }

    // Keys are texts as they are written: `200:` of an OpenAPI document's responses is "200".
    Json table(int depth)
    {
        auto out = Json::object();
        for (next(); event_.type != YAML_MAPPING_END_EVENT; next()) {
            if (event_.type != YAML_SCALAR_EVENT)
                throw Refused{"a key that is not a text"};
            refuse_anchor_and_tag(event_.data.scalar.anchor, event_.data.scalar.tag);
            const auto key = std::string(text());
            if (out.contains(key))
                throw Refused{"the key '" + key + "' stands twice"};
            next();
            out[key] = value(depth + 1);
        }
        return out;
    }

    std::string_view text() const
    {
        return {reinterpret_cast<const char*>(event_.data.scalar.value), event_.data.scalar.length};
    }

    static void refuse_anchor_and_tag(const yaml_char_t* anchor, const yaml_char_t* tag)
    {
        if (anchor)
            throw Refused{"anchors are not read: write the value out"};
        if (tag)
            throw Refused{"tags are not read"};
    }

    yaml_parser_t parser_{};
    yaml_event_t event_{};
    std::size_t line_ = 1;
};

}  // namespace yaml_text_parts

Result<Json> parse_yaml(std::string_view text)
{
    return yaml_text_parts::Reader(text).document();
}

}  // namespace dure::tools

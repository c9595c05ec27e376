// JsonView and JsonIndex: scanning JSON in place; see json_view.hpp. Every step checks the end of the text, because the
// text may be anything. Short strings are passed over sixteen bytes at a time; long ones by memchr, so that inlined images
// cost next to nothing. Whether a key holds an escape is found while its end is looked for: comparing keys costs no scan.
#include "dure/schema/json_view.hpp"

#include <charconv>
#include <cstring>

#include "dure/base/text.hpp"
#include "schema/json_string.hpp"

namespace dure::schema {

namespace view {

bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t space_end(std::string_view text, std::size_t at)
{
    while (at < text.size() && is_space(text[at]))
        ++at;
    return at;
}

bool stands_at(std::string_view text, std::size_t at, char wanted)
{
    return at < text.size() && text[at] == wanted;
}

// What lies between two places of the text, the first not behind the second.
std::string_view part(std::string_view text, std::size_t from, std::size_t to)
{
    return {text.data() + from, to - from};
}

// Position behind the closing quote of the string whose bytes from `at` on are not looked at yet; the text's end when it
// never closes. `begin` is the first byte behind the opening quote.
std::size_t long_string_end(std::string_view text, std::size_t begin, std::size_t at)
{
    while (at < text.size()) {
        const auto* found = static_cast<const char*>(std::memchr(text.data() + at, '"', text.size() - at));
        if (!found)
            return text.size();
        const auto quote = static_cast<std::size_t>(found - text.data());
        auto run = quote;
        while (run > begin && text[run - 1] == '\\')
            --run;
        if ((quote - run) % 2 == 0)
            return quote + 1;
        at = quote + 1;
    }
    return text.size();
}

constexpr std::int64_t exactly_held = std::int64_t{1} << 53;  // every whole number up to here is a double too
constexpr std::size_t short_string = 256;  // beyond this memchr is worth its call

// string_end() for strings that are longer or hold an escape; `begin` is the first byte behind the opening quote.
std::size_t later_string_end(std::string_view text, std::size_t begin, bool& escaped)
{
    const auto stop = std::min(text.size(), begin + short_string);
    auto at = json_string_stop(text, begin, stop);
    for (; at < stop; at = json_string_stop(text, at, stop)) {
        if (text[at] == '"')
            return at + 1;
        escaped = true;
        at += 2;
    }
    return at >= text.size() ? text.size() : long_string_end(text, begin, at);
}

// Position behind the closing quote of the string that opens at `at`. `escaped` becomes true when there is a backslash in
// it; for strings longer than short_string it stays as it is (they are no keys that anybody looks for by name).
inline std::size_t string_end(std::string_view text, std::size_t at, bool& escaped)
{
    const auto end = short_string_end(text, at + 1);
    return end != 0 ? end : later_string_end(text, at + 1, escaped);
}

inline std::size_t string_end(std::string_view text, std::size_t at)
{
    bool ignored = false;
    return string_end(text, at, ignored);
}

// Position behind the bracket that closes the one at `at`.
std::size_t container_end(std::string_view text, std::size_t at)
{
    std::size_t depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"') {
            at = string_end(text, at);
            continue;
        }
        ++at;
        if (c == '{' || c == '[')
            ++depth;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return text.size();
}

constexpr std::array<bool, 256> word_ends()
{
    std::array<bool, 256> ends{};
    for (const char c : {'\0', ' ', '\t', '\n', '\r', ',', ':', '"', '[', ']', '{', '}'})
        ends[static_cast<unsigned char>(c)] = true;
    return ends;
}

// Of a number or a literal.
bool ends_word(char c)
{
    static constexpr auto ends = word_ends();
    return ends[static_cast<unsigned char>(c)];
}

inline std::size_t value_end(std::string_view text, std::size_t at)
{
    if (at >= text.size())
        return at;
    if (text[at] == '"')
        return string_end(text, at);
    if (text[at] == '{' || text[at] == '[')
        return container_end(text, at);
    while (at < text.size() && !ends_word(text[at]))
        ++at;
    return at;
}

// What stands between the quotes; empty when this is no complete string.
std::optional<std::string_view> inside_quotes(std::string_view raw)
{
    if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"')
        return std::nullopt;
    return raw.substr(1, raw.size() - 2);
}

// Of the text between quotes.
bool key_equals(std::string_view inner, bool escaped, std::string_view key)
{
    return escaped ? decode_json_string(inner) == key : inner == key;
}

}  // namespace view

JsonView::JsonView(std::string_view text)
{
    while (!text.empty() && view::is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && view::is_space(text.back()))
        text.remove_suffix(1);
    text_ = text;
}

std::optional<bool> JsonView::as_bool() const
{
    if (text_ == "true")
        return true;
    if (text_ == "false")
        return false;
    return std::nullopt;
}

std::optional<std::int64_t> JsonView::as_int64() const
{
    std::int64_t number = 0;
    const auto* end = text_.data() + text_.size();
    const auto [stopped, error] = std::from_chars(text_.data(), end, number);
    if (text_.empty() || error != std::errc() || stopped != end)
        return std::nullopt;
    return number;
}

std::optional<double> JsonView::as_double() const
{
    if (kind() != JsonKind::number)  // from_chars takes "inf" and "nan" too
        return std::nullopt;
    // Most are small and whole; zero may be a negative one.
    if (const auto whole = as_int64();
        whole && *whole != 0 && *whole >= -view::exactly_held && *whole <= view::exactly_held)
        return static_cast<double>(*whole);
    double number = 0;
    const auto* end = text_.data() + text_.size();
    const auto [stopped, error] = std::from_chars(text_.data(), end, number);
    if (error != std::errc() || stopped != end || number - number != 0)
        return std::nullopt;
    return number;
}

std::string JsonView::string() const
{
    const auto inner = view::inside_quotes(text_);
    return inner ? decode_json_string(*inner) : std::string();
}

bool JsonView::string_is(std::string_view text) const
{
    const auto inner = view::inside_quotes(text_);
    return inner && view::key_equals(*inner, inner->find('\\') != std::string_view::npos, text);
}

std::optional<JsonView> JsonView::find(std::string_view key) const
{
    Cursor cursor(*this, JsonKind::object);
    while (cursor.next_member())
        if (cursor.key_is(key))
            return cursor.value();
    return std::nullopt;
}

std::optional<JsonView> JsonView::at(std::size_t index) const
{
    Cursor cursor(*this, JsonKind::array);
    for (std::size_t i = 0; cursor.next_element(); ++i)
        if (i == index)
            return cursor.value();
    return std::nullopt;
}

std::size_t JsonView::size() const
{
    std::size_t count = 0;
    Cursor elements(*this, JsonKind::array);
    while (elements.next_element())
        ++count;
    Cursor members(*this, JsonKind::object);
    while (members.next_member())
        ++count;
    return count;
}

JsonView::Cursor::Cursor(const JsonView& container, JsonKind kind)
    : text_(container.text_), at_(container.kind() == kind ? 1 : container.text_.size())
{}

bool JsonView::Cursor::take_value(std::size_t at)
{
    const auto begin = view::space_end(text_, at);
    at_ = view::value_end(text_, begin);
    if (at_ == begin)
        return false;
    value_ = view::part(text_, begin, at_);
    return true;
}

// Where it ends, at_ stands before the byte that is no member's: the closing bracket, when all is well.
bool JsonView::Cursor::next_member()
{
    const auto text = text_;
    at_ = view::space_end(text, at_);
    if (!value_.empty()) {
        if (!view::stands_at(text, at_, ','))
            return false;
        at_ = view::space_end(text, at_ + 1);
    }
    if (!view::stands_at(text, at_, '"'))
        return false;
    bool escaped = false;
    const auto key_end = view::string_end(text, at_, escaped);
    raw_key_ = view::part(text, at_, key_end);
    key_escaped_ = raw_key_.size() > view::short_string ? raw_key_.find('\\') != std::string_view::npos : escaped;
    at_ = view::space_end(text, key_end);
    return raw_key_.size() >= 2 && view::stands_at(text, at_, ':') && take_value(at_ + 1);
}

bool JsonView::Cursor::next_element_start()
{
    at_ = view::space_end(text_, at_);
    if (value_.empty())
        return true;
    if (!view::stands_at(text_, at_, ','))
        return false;
    at_ = view::space_end(text_, at_ + 1);
    return true;
}

bool JsonView::Cursor::next_element()
{
    return next_element_start() && take_value(at_);
}

JsonView::Cursor JsonView::Cursor::members_of_element() const
{
    return {text_, view::stands_at(text_, at_, '{') ? at_ + 1 : text_.size()};
}

bool JsonView::Cursor::take_element(const Cursor& members)
{
    if (!view::stands_at(text_, members.at_, '}'))
        return take_value(at_);  // no object, or a broken one
    value_ = view::part(text_, at_, members.at_ + 1);
    at_ = members.at_ + 1;
    return true;
}

std::string_view JsonView::Cursor::key()
{
    if (!key_escaped_)
        return plain_key();
    decoded_key_ = decode_json_string(plain_key());
    return decoded_key_;
}

bool JsonView::Cursor::key_is(std::string_view key) const
{
    return view::key_equals(plain_key(), key_escaped_, key);
}

JsonIndex::JsonIndex(const JsonView& object)
{
    JsonView::Cursor cursor(object, JsonKind::object);
    while (cursor.next_member())
        add(cursor.plain_key(), cursor.key_escaped(), cursor.value().raw());
}

void JsonIndex::add(std::string_view raw_key, bool escaped, std::string_view value)
{
    if (members_.empty()) {
        members_.reserve(16);
        text_ = raw_key.data();
    }
    const auto place = [this](const char* at) { return static_cast<std::uint32_t>(at - text_); };
    members_.push_back({place(raw_key.data()), static_cast<std::uint32_t>(raw_key.size()), place(value.data()),
                        static_cast<std::uint32_t>(value.size()), escaped});
}

std::optional<JsonView> JsonIndex::find(std::string_view key) const
{
    for (const auto& member : members_)
        if (view::key_equals(key_of(member), member.escaped, key))
            return value_of(member);
    return std::nullopt;
}

std::string JsonIndex::decoded_key_of(const Member& member) const
{
    return decode_json_string(key_of(member));
}

}  // namespace dure::schema

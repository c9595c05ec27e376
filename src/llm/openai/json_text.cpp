// Surrogate repair and bounded parsing; see json_text.hpp.
#include "llm/openai/json_text.hpp"

#include "dure/base/text.hpp"

namespace dure::llm::openai {

namespace {

constexpr int deepest = 64;
constexpr std::uint32_t first_marker = 0x10f000;   // + (half - 0xd800)

bool too_deep(std::string_view text)
{
    int depth = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            if (c == '\\')
                ++at;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest)
                return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

std::optional<std::uint32_t> hex_escape(std::string_view text, std::size_t at)
{
    if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u')
        return std::nullopt;
    std::uint32_t code = 0;
    for (const char c : text.substr(at + 2, 4)) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return std::nullopt;
        code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return code;
}

bool is_high(std::uint32_t code)
{
    return code >= 0xd800 && code <= 0xdbff;
}

bool is_low(std::uint32_t code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

// The text with every lone half replaced by its marker; empty when there is none.
std::optional<std::string> mark_lone_halves(std::string_view text)
{
    std::string out;
    bool found = false;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '\\') {
            const auto next = std::min(text.find('\\', at), text.size());
            out += text.substr(at, next - at);
            at = next;
            continue;
        }
        const auto code = hex_escape(text, at);
        if (!code || (!is_high(*code) && !is_low(*code))) {
            out += text.substr(at, 2);
            at += 2;
            continue;
        }
        const auto partner = hex_escape(text, at + 6);
        if (is_high(*code) && partner && is_low(*partner)) {
            out += text.substr(at, 12);
            at += 12;
            continue;
        }
        append_utf8(out, first_marker + (*code - 0xd800));
        found = true;
        at += 6;
    }
    return found ? std::optional(std::move(out)) : std::nullopt;
}

// The half a marker at this place stands for.
std::optional<std::uint32_t> marker_at(std::string_view text, std::size_t at)
{
    if (text.size() < at + 4 || text.substr(at, 2) != "\xf4\x8f")
        return std::nullopt;
    const auto third = static_cast<unsigned char>(text[at + 2]);
    const auto fourth = static_cast<unsigned char>(text[at + 3]);
    if (third < 0x80 || third > 0x9f)
        return std::nullopt;
    return 0xd800u + ((third & 0x1fu) << 6 | (fourth & 0x3fu));
}

}  // namespace

ForeignJson parse_foreign(std::string_view text)
{
    ForeignJson result;
    result.document = OrderedJson(OrderedJson::value_t::discarded);
    if (too_deep(text))
        return result;
    result.document = OrderedJson::parse(text, nullptr, false);
    if (!result.document.is_discarded())
        return result;
    if (const auto marked = mark_lone_halves(text)) {
        result.document = OrderedJson::parse(*marked, nullptr, false);
        result.lone_surrogates = !result.document.is_discarded();
    }
    return result;
}

void join_surrogates(std::string& text, std::uint32_t& carry)
{
    if (text.empty())
        return;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto half = marker_at(text, at);
        if (carry != 0) {
            const bool pair = half && is_low(*half);
            append_utf8(out, pair ? 0x10000 + ((carry - 0xd800) << 10) + (*half - 0xdc00) : 0xfffd);
            carry = 0;
            at += pair ? 4 : 0;
            continue;
        }
        if (!half) {
            out += text[at++];
            continue;
        }
        at += 4;
        if (is_high(*half))
            carry = *half;
        else
            append_utf8(out, 0xfffd);
    }
    text = std::move(out);
}

void settle_surrogates(std::string& text)
{
    std::uint32_t half = 0;
    join_surrogates(text, half);
    if (half != 0)
        append_utf8(text, 0xfffd);
}

void settle_surrogates(OrderedJson& document)
{
    if (document.is_string()) {
        settle_surrogates(document.get_ref<std::string&>());
    } else if (document.is_array()) {
        for (auto& element : document)
            settle_surrogates(element);
    } else if (document.is_object()) {
        auto members = OrderedJson::object();
        for (auto& [key, value] : document.items()) {
            auto name = key;
            settle_surrogates(name);
            settle_surrogates(value);
            members[name] = std::move(value);
        }
        document = std::move(members);
    }
}

OrderedJson parse_whole(std::string_view text)
{
    auto parsed = parse_foreign(text);
    if (parsed.lone_surrogates)
        settle_surrogates(parsed.document);
    return std::move(parsed.document);
}

std::size_t room_of(const OrderedJson& document)
{
    std::size_t bytes = sizeof document;
    if (document.is_string())
        bytes += document.get_ref<const std::string&>().size();
    else if (document.is_object())
        for (const auto& [key, value] : document.items())
            bytes += sizeof key + key.size() + room_of(value);
    else if (document.is_array())
        for (const auto& one : document)
            bytes += room_of(one);
    return bytes;
}

void append_decoded(std::string& out, std::string_view raw)
{
    while (!raw.empty()) {
        const auto escape = std::min(raw.find('\\'), raw.size());
        out += raw.substr(0, escape);
        raw.remove_prefix(escape);
        if (raw.size() < 2)
            return;
        if (const auto code = hex_escape(raw, 0)) {
            const auto low = is_high(*code) ? hex_escape(raw, 6) : std::nullopt;
            const bool pair = low && is_low(*low);
            append_utf8(out, pair ? 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00) : *code);
            raw.remove_prefix(pair ? 12 : 6);
            continue;
        }
        static constexpr std::string_view letters = "nrtbf";
        static constexpr std::string_view meanings = "\n\r\t\b\f";
        const auto letter = letters.find(raw[1]);
        out += letter == std::string_view::npos ? raw[1] : meanings[letter];
        raw.remove_prefix(2);
    }
}

}  // namespace dure::llm::openai

// The rules, one function each; nothing here guesses what a client may have meant.
#include "http/server/head_guard.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "dure/base/json_text.hpp"
#include "dure/base/text.hpp"

namespace dure::http {
namespace head_guard_parts {

enum Class : std::uint8_t { token = 1, value = 2, target = 4, host = 8 };

constexpr std::array<std::uint8_t, 256> make_classes()
{
    std::array<std::uint8_t, 256> classes{};
    for (int c = 0; c < 256; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        const auto in = [c](std::string_view set) { return set.find(static_cast<char>(c)) != set.npos; };
        auto& of = classes[static_cast<std::size_t>(c)];
        if (letter || (c != 0 && in("!#$%&'*+-.^_`|~")))
            of |= token;
        if ((c >= 0x20 && c != 0x7f) || c == '\t')
            of |= value;
        if (c > 0x20 && c < 0x7f && c != '#')
            of |= target;
        if (letter || (c != 0 && in("-._")))
            of |= host;
    }
    return classes;
}
constexpr auto classes = make_classes();

bool is(char c, Class wanted)
{
    return (classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

bool all(std::string_view text, Class wanted)
{
    for (const char c : text)
        if (!is(c, wanted))
            return false;
    return true;
}

// A character of `word` may be one that no field value holds: a control character, or DEL.
bool may_hold_control(std::uint64_t word)
{
    using namespace json_words;
    return (((word - every_byte(0x20)) & ~word & every_byte(0x80)) | zero_bytes(word ^ every_byte(0x7f))) != 0;
}

// all(text, value), eight characters at a time.
bool is_value(std::string_view text)
{
    while (text.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, text.data(), sizeof word);
        if (may_hold_control(word) && !all(text.substr(0, sizeof word), value))   // a tabulator may stand there
            return false;
        text.remove_prefix(sizeof word);
    }
    return all(text, value);
}

bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

std::string_view without_blanks(std::string_view text)
{
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

bool all_digits(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

Error refuse(std::string_view why)
{
    return Error(Errc::invalid_argument, std::string(why)).reason("bad_request");
}

Error refuse_size(std::string_view why)
{
    return Error(Errc::head_too_large, std::string(why)).reason("head_too_large");
}

Error refuse_target()
{
    return Error(Errc::target_too_long, "The request target is too long.").reason("target_too_long");
}

// host[:port], an IPv6 address in brackets.
bool well_formed_host(std::string_view text)
{
    std::string_view name;
    if (!text.empty() && text.front() == '[') {
        const auto close = text.find(']');
        if (close == text.npos || close < 3)
            return false;
        if (text.substr(1, close - 1).find_first_not_of("0123456789abcdefABCDEF:.") != text.npos)
            return false;
        name = text.substr(0, close + 1);
    } else {
        name = text.substr(0, text.find(':'));
        if (name.empty() || !all(name, host))
            return false;
    }
    const auto port = text.substr(name.size());
    if (port.empty())
        return true;
    if (port.size() < 2 || port.size() > 6 || port.front() != ':' || !all_digits(port.substr(1)))
        return false;
    unsigned number = 0;
    std::from_chars(port.data() + 1, port.data() + port.size(), number);
    return number <= 65535;
}

// http://host/path, as to a proxy (RFC 9112 §3.2.2): `target` becomes what stands behind the authority. Another form is left
// as it is.
Result<void> split_absolute(std::string_view& target, std::string_view& authority, Method method)
{
    if (target.front() == '/')
        return {};
    const auto colon = target.find("://");
    const auto scheme = target.substr(0, colon == target.npos ? 0 : colon);
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https"))
        return {};
    const auto rest = target.substr(colon + 3);
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    if (!well_formed_host(rest.substr(0, end)))
        return refuse("The host of the request target is malformed.");
    if (end < rest.size() && rest[end] == '?')
        return refuse("The request target needs a path before its query.");
    authority = rest.substr(0, end);
    target = end < rest.size() ? rest.substr(end) : method == Method::options ? "*" : "/";
    return {};
}

// Calls use() with each element of a comma-separated list.
template <class Use>
void for_each_element(std::string_view list, Use use)
{
    while (!list.empty()) {
        const auto element = list.substr(0, list.find(','));
        use(trim(element));
        list.remove_prefix(std::min(element.size() + 1, list.size()));
    }
}

// The fields that decide about framing, gathered in one walk.
struct FramingFields {
    std::size_t hosts = 0, lengths = 0, codings = 0;
    std::string_view host, length, coding;
    bool close = false, keep_alive = false, expects = false, expects_other = false, bad_option = false;

    void take(const HeaderView& field)
    {
        const auto named = [&](std::string_view name) { return equals_ignoring_case(field.name, name); };
        switch (field.name.size()) {  // most fields are none of these: the length tells
        case 4:
            if (named("host"))
                ++hosts, host = field.value;
            break;
        case 6:
            if (named("expect"))
                (equals_ignoring_case(field.value, "100-continue") ? expects : expects_other) = true;
            break;
        case 10:
            if (named("connection"))
                for_each_element(field.value, [&](std::string_view option) {
                    bad_option |= !all(option, token);
                    close |= equals_ignoring_case(option, "close");
                    keep_alive |= equals_ignoring_case(option, "keep-alive");
                });
            break;
        case 14:
            if (named("content-length"))
                ++lengths, length = field.value;
            break;
        case 17:
            if (named("transfer-encoding"))
                ++codings, coding = field.value;
            break;
        default: break;
        }
    }
};

Result<void> check_framing(const FramingFields& fields, RequestHead& out, Framing& framing)
{
    if (fields.hosts > 1 || (fields.hosts == 0 && !framing.http_1_0))
        return refuse("Exactly one Host field is needed.");
    if (fields.hosts == 1 && !well_formed_host(fields.host))
        return refuse("The Host field is malformed.");
    framing.host = framing.authority.empty() ? fields.host : framing.authority;
    if (fields.codings > 0) {
        if (framing.http_1_0 || fields.codings > 1 || fields.lengths > 0 ||
            !equals_ignoring_case(fields.coding, "chunked"))
            return refuse("The only transfer coding taken is chunked, once, in HTTP/1.1, without Content-Length.");
        framing.chunked = true;
    }
    if (fields.lengths > 0) {
        constexpr std::size_t most_digits = 18;  // below 2^63: no overflow in any sum
        if (fields.lengths > 1 || !all_digits(fields.length) || fields.length.size() > most_digits)
            return refuse("Content-Length must be there once and be a number.");
        std::uint64_t length = 0;
        for (const char c : fields.length)
            length = length * 10 + static_cast<std::uint64_t>(c - '0');
        if (length > 0)
            out.content_length = length;
    }
    if (fields.bad_option)
        return refuse("The Connection field is malformed.");
    if (fields.expects_other)
        return Error(Errc::expectation_failed, "The only expectation taken is 100-continue.")
            .reason("expectation_failed");
    out.has_body = framing.chunked || out.content_length.has_value();
    out.keep_alive = !fields.close && (!framing.http_1_0 || fields.keep_alive);
    framing.expects_continue = fields.expects && !framing.http_1_0 && out.has_body;
    return {};
}

}  // namespace head_guard_parts

using namespace head_guard_parts;

Result<std::size_t> HeadGuard::scan(std::string_view bytes)
{
    while (const void* found = std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_)) {
        const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
        if (at == 0 || bytes[at - 1] != '\r')
            return refuse("A line does not end with CR LF.");
        scanned_ = at + 1;
        if (at + 1 > limits_->head_bytes)
            return refuse_size("The request head is too large.");
        if (at == 1)
            return refuse("The request line is empty.");
        if (bytes[at - 2] == '\n')
            return at + 1;
    }
    // Bytes without a line end are looked at again when more come; the bound on the head keeps that small.
    constexpr std::size_t around_target = 32;  // method, blanks and version
    if (scanned_ == 0 && bytes.size() > limits_->target_bytes + around_target)
        return refuse_target();
    if (bytes.size() > limits_->head_bytes)
        return refuse_size("The request head is too large.");
    return std::size_t{0};
}

std::string_view HeadGuard::path_of(std::string_view bytes)
{
    const auto from = bytes.find(" /");
    if (from == bytes.npos || from > 16)
        return {};
    const auto target_text = bytes.substr(from + 1, bytes.find_first_of(" \r\n", from + 1) - from - 1);
    const auto path = target_text.substr(0, target_text.find('?'));
    return path.substr(
        0, static_cast<std::size_t>(std::find_if_not(path.begin(), path.end(), [](char c) { return is(c, target); }) -
                                    path.begin()));
}

std::string_view HeadGuard::origin_of(std::string_view bytes)
{
    constexpr std::string_view name = "origin:";
    std::string_view origin;
    for (auto end = bytes.find("\r\n"); end != bytes.npos && end > 0; end = bytes.find("\r\n")) {
        const auto line = bytes.substr(0, end);
        bytes.remove_prefix(end + 2);
        if (!equals_ignoring_case(line.substr(0, name.size()), name))
            continue;
        if (!origin.empty())
            return {};
        origin = trim(line.substr(name.size()));
    }
    return origin;
}

Result<Framing> HeadGuard::parse(std::string_view head, RequestHead& out) const
{
    out.headers.clear();
    out.content_length.reset();
    out.has_body = false;
    out.keep_alive = true;
    Framing framing;
    const auto line_end = head.find("\r\n");
    if (line_end == head.npos || !head.ends_with("\r\n\r\n"))
        return refuse("The request head is incomplete.");
    if (auto done = parse_request_line(head.substr(0, line_end), out, framing); !done)
        return done.error();
    if (auto done = parse_fields(head.substr(line_end + 2, head.size() - line_end - 4), out); !done)
        return done.error();
    FramingFields fields;
    for (const auto& field : out.headers)
        fields.take(field);
    if (auto done = check_framing(fields, out, framing); !done)
        return done.error();
    return framing;
}

Result<void> HeadGuard::parse_request_line(std::string_view line, RequestHead& out, Framing& framing) const
{
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == line.npos || first == last)
        return refuse("The request line is malformed.");
    const auto method = line.substr(0, first);
    const auto target_text = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    if (method.empty() || !all(method, token))
        return refuse("The method is malformed.");
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        return refuse("Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    framing.http_1_0 = version.back() == '0';
    if (target_text.size() > limits_->target_bytes)
        return refuse_target();
    if (target_text.empty() || !all(target_text, target))
        return refuse("The request target holds a character that must be escaped.");
    const auto known = parse_method(method);
    if (!known)
        return Error(Errc::not_implemented, "This method is not known here.").reason("unknown_method");
    out.method = *known;
    out.target = target_text;
    if (auto done = split_absolute(out.target, framing.authority, *known); !done)
        return done;
    if (out.target.front() != '/' && !(out.target == "*" && *known == Method::options))
        return refuse("The request target must be a path.");
    const auto mark = out.target.find('?');
    out.path = out.target.substr(0, mark);
    out.query = mark == out.target.npos ? std::string_view() : out.target.substr(mark + 1);
    return {};
}

Result<void> HeadGuard::parse_fields(std::string_view lines, RequestHead& out) const
{
    while (!lines.empty()) {
        const auto end = lines.find('\r');
        const auto line = lines.substr(0, end);
        lines.remove_prefix(line.size());
        if (!lines.empty() && !lines.starts_with("\r\n"))
            return refuse("A header field holds a control character.");
        lines.remove_prefix(std::min<std::size_t>(lines.size(), 2));
        std::size_t colon = 0;
        while (colon < line.size() && is(line[colon], token))
            ++colon;
        // A folded line starts with a blank and a name with a blank behind it stops there: both end up here.
        if (colon == 0 || colon == line.size() || line[colon] != ':')
            return refuse("A header field has no proper name.");
        const auto text = line.substr(colon + 1);
        if (!is_value(text))
            return refuse("A header field holds a control character.");
        if (out.headers.size() >= limits_->header_fields)
            return refuse_size("There are too many header fields.");
        out.headers.push_back({line.substr(0, colon), without_blanks(text)});
    }
    return {};
}

}  // namespace dure::http

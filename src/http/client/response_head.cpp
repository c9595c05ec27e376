// Strict on everything two readers could read differently: bare LF, folded lines, odd lengths, unknown codings.
#include "http/client/response_head.hpp"

#include <algorithm>
#include <charconv>

#include "dure/base/text.hpp"
#include "http/client/field_text.hpp"

namespace dure::http::outgoing {
namespace response_head_parts {

std::string_view trim_blanks(std::string_view text)
{
    const auto first = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(first);
    return text.substr(0, text.find_last_not_of(" \t") + 1);
}

template <class Number>
bool parse_digits(std::string_view text, Number& number)
{
    if (text.empty() || text[0] < '0' || text[0] > '9')
        return false;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end;
}

// "HTTP/1.1 200 OK"; the reason phrase may be missing, with or without its space.
bool parse_status_line(std::string_view line, int& status, bool& version_1_1)
{
    if (line.size() < 12 || (!line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.0 ")) || !is_field_text(line))
        return false;
    version_1_1 = line[7] == '1';
    return parse_digits(line.substr(9, 3), status) && status >= 100 && (line.size() == 12 || line[12] == ' ');
}

struct FramingFields {
    std::optional<std::uint64_t> length;
    bool chunked = false;
    bool close = false;
    bool keep_alive = false;
};

void apply_connection(std::string_view value, FramingFields& fields)
{
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        const std::string_view option = trim_blanks(value.substr(0, comma));
        fields.close = fields.close || equals_ignoring_case(option, "close");
        fields.keep_alive = fields.keep_alive || equals_ignoring_case(option, "keep-alive");
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
}

const char* apply_framing(std::string_view name, std::string_view value, FramingFields& fields)
{
    if (equals_ignoring_case(name, "connection"))
        apply_connection(value, fields);
    if (equals_ignoring_case(name, "transfer-encoding")) {
        if (fields.chunked || !equals_ignoring_case(value, "chunked"))
            return "unknown transfer coding";
        fields.chunked = true;
    }
    if (equals_ignoring_case(name, "content-length")) {
        std::uint64_t length = 0;
        if (!parse_digits(value, length) || (fields.length && *fields.length != length))
            return "broken content length";
        fields.length = length;
    }
    return nullptr;
}

void decide_framing(const FramingFields& fields, Method request, bool version_1_1, ResponseHead& head)
{
    head.keep_alive = !fields.close && (version_1_1 || fields.keep_alive);
    if (request == Method::head || head.status < 200 || head.status == 204 || head.status == 304)
        return;
    if (fields.chunked) {
        head.framing = Framing::chunked;
        // Both is how answers are smuggled past a reader: take what the RFC says, and trust the connection no further.
        head.keep_alive = head.keep_alive && !fields.length;
    } else if (fields.length) {
        head.framing = *fields.length > 0 ? Framing::length : Framing::none;
        head.length = *fields.length;
    } else {
        head.framing = Framing::until_close;
        head.keep_alive = false;
    }
}

}  // namespace response_head_parts

std::size_t find_head_end(std::string_view bytes, std::size_t& scanned)
{
    const std::size_t found = bytes.find("\r\n\r\n", scanned);
    if (found != std::string_view::npos)
        return found + 4;
    scanned = bytes.size() < 3 ? 0 : bytes.size() - 3;
    return 0;
}

std::optional<ResponseHead> parse_response_head(std::string_view head, Method request, const char*& problem)
{
    using namespace response_head_parts;
    ResponseHead out;
    FramingFields fields;
    bool version_1_1 = true;
    bool first = true;
    out.headers.reserve(8);
    for (;;) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(line.size() + 2, head.size()));
        if (first && !parse_status_line(line, out.status, version_1_1)) {
            problem = "no HTTP/1 status line";
            return std::nullopt;
        }
        if (std::exchange(first, false))
            continue;
        if (line.empty())
            break;
        const std::size_t colon = std::min(line.find(':'), line.size());
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = trim_blanks(line.substr(std::min(colon + 1, line.size())));
        problem = colon < line.size() && is_token(name) && is_field_text(value) ? apply_framing(name, value, fields)
                                                                               : "broken header field";
        if (problem != nullptr)
            return std::nullopt;
        out.headers.emplace_back(name, value);
    }
    if (fields.chunked && !version_1_1) {
        problem = "chunked with HTTP/1.0";
        return std::nullopt;
    }
    decide_framing(fields, request, version_1_1, out);
    return out;
}

}  // namespace dure::http::outgoing

// Heads, queries and paths as values; see message.hpp.
#include "dure/http/message.hpp"

#include <algorithm>
#include <array>

#include "dure/base/text.hpp"

namespace dure::http {
namespace message_parts {

constexpr std::array<std::string_view, 7> method_names = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

// '+' stands for a space in queries only, and only where it was not escaped.
std::optional<std::string> decode_query_part(std::string_view part)
{
    std::string spaced(part);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    auto decoded = percent_decode(spaced);
    if (!decoded || !valid_utf8(*decoded))
        return std::nullopt;
    return decoded;
}

bool safe_segment(std::string_view segment)
{
    return !segment.empty() && segment != "." && segment != ".." &&
           segment.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos && valid_utf8(segment);
}

// Each part between decoded slashes is a segment of its own as far as safety goes.
bool safe_parts(std::string_view segment)
{
    for (std::size_t at = 0; at <= segment.size();) {
        const auto end = std::min(segment.find('/', at), segment.size());
        if (!safe_segment(segment.substr(at, end - at)))
            return false;
        at = end + 1;
    }
    return true;
}

}  // namespace message_parts

std::string_view name_of(Method method)
{
    return message_parts::method_names.at(static_cast<std::size_t>(method));
}

std::optional<Method> parse_method(std::string_view text)
{
    const auto& names = message_parts::method_names;
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end())
        return std::nullopt;
    return static_cast<Method>(found - names.begin());
}

std::optional<std::string_view> RequestHead::header(std::string_view name) const
{
    for (const auto& field : headers)
        if (field.name.size() == name.size() && equals_ignoring_case(field.name, name))
            return field.value;
    return std::nullopt;
}

std::size_t RequestHead::count(std::string_view name) const
{
    return static_cast<std::size_t>(std::count_if(
        headers.begin(), headers.end(), [&](const HeaderView& field) { return equals_ignoring_case(field.name, name); }));
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query)
{
    std::vector<std::pair<std::string, std::string>> parameters;
    while (!query.empty()) {
        const auto piece = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(piece.size() + 1, query.size()));
        if (piece.empty())
            continue;
        const auto equals = piece.find('=');
        auto name = message_parts::decode_query_part(piece.substr(0, equals));
        auto value = message_parts::decode_query_part(equals == piece.npos ? std::string_view() : piece.substr(equals + 1));
        if (!name || !value)
            return std::nullopt;
        parameters.emplace_back(std::move(*name), std::move(*value));
    }
    return parameters;
}

std::optional<std::vector<std::string>> parse_path(std::string_view path, EncodedSlash encoded_slash)
{
    if (path.empty() || path.front() != '/')
        return std::nullopt;
    std::vector<std::string> segments;
    if (path == "/")
        return segments;
    for (std::size_t at = 1; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        auto segment = percent_decode(path.substr(at, end - at));
        if (!segment)
            return std::nullopt;
        const bool safe = encoded_slash == EncodedSlash::kept ? message_parts::safe_parts(*segment)
                                                              : message_parts::safe_segment(*segment);
        if (!safe)
            return std::nullopt;
        segments.push_back(std::move(*segment));
        at = end + 1;
    }
    return segments;
}

}  // namespace dure::http

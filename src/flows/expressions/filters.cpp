// The filters; see filters.hpp. Characters are code points.
#include "flows/expressions/filters.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"
#include "flows/document/fields.hpp"
#include "flows/expressions/find_text.hpp"
#include "flows/expressions/letter_case.hpp"

namespace dure::flows {

namespace {

Error cannot_use(std::string_view filter, const Json& value, std::string_view wanted)
{
    return Error(Errc::invalid_argument, "The filter " + std::string(filter) + " needs " + std::string(wanted) +
                                             ", but got " + value.type_name() + ".")
        .reason("expression_value");
}

// Byte places of every character, and the end.
std::vector<std::size_t> character_places(std::string_view text)
{
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < text.size(); ++at)
        if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80)
            places.push_back(at);
    places.push_back(text.size());
    return places;
}

std::string characters(std::string_view text, const std::vector<std::size_t>& places, std::size_t from, std::size_t to)
{
    return std::string(text.substr(places[from], places[to] - places[from]));
}

Result<Json> to_number(const Json& value)
{
    if (value.is_number())
        return value;
    if (value.is_boolean())
        return Json(value.get<bool>() ? 1 : 0);
    if (!value.is_string())
        return cannot_use("number", value, "a text or a number");
    auto number = Json::parse(trim(value.get_ref<const std::string&>()), nullptr, false);
    if (!number.is_number())
        return Error(Errc::invalid_argument,
                     "The filter number cannot read " + in_quotes(value.get_ref<const std::string&>()) + ".")
            .reason("expression_value");
    return number;
}

Result<Json> length_json(const Json& value)
{
    if (value.is_string())
        return Json(utf8_characters(value.get_ref<const std::string&>()));
    if (value.is_array() || value.is_object())
        return Json(value.size());
    return cannot_use("length", value, "a text, a list or an object");
}

Result<std::optional<Json>> end_of(const Json& value, bool first)
{
    if (value.is_array())
        return value.empty() ? std::optional<Json>() : std::optional<Json>(first ? value.front() : value.back());
    if (!value.is_string())
        return cannot_use(first ? "first" : "last", value, "a list or a text");
    const auto& text = value.get_ref<const std::string&>();
    if (text.empty())
        return std::optional<Json>();
    const auto places = character_places(text);
    const auto at = first ? 0 : places.size() - 2;
    return std::optional<Json>(characters(text, places, at, at + 1));
}

Result<Json> join_list(const Json& value, const std::string& between, std::size_t bytes)
{
    if (!value.is_array())
        return cannot_use("join", value, "a list");
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        out += (i == 0 ? "" : between) + text_of(value[i]);
        if (out.size() > bytes)
            return filter_result_too_large(bytes);
    }
    return Json(std::move(out));
}

// At most so many pieces as a result has bytes: each is a value of its own, many times the size of a character.
Result<Json> split_text(const Json& value, const std::string& at, std::size_t most, EvaluationWork& work)
{
    constexpr std::size_t units_of_a_piece = 100;
    if (!value.is_string())
        return cannot_use("split", value, "a text");
    const auto& text = value.get_ref<const std::string&>();
    auto out = Json::array();
    if (at.empty()) {  // into its characters
        const auto places = character_places(text);
        if (places.size() > most)
            return filter_result_too_large(most);
        if (!work.spend(places.size() * units_of_a_piece))
            return too_much_work();
        for (std::size_t i = 0; i + 1 < places.size(); ++i)
            out.push_back(characters(text, places, i, i + 1));
        return out;
    }
    std::size_t from = 0;
    for (std::size_t found; (found = find_text(text, at, from)) != std::string::npos; from = found + at.size()) {
        out.push_back(text.substr(from, found - from));
        if (out.size() > most)
            return filter_result_too_large(most);
        if (!work.spend(units_of_a_piece))
            return too_much_work();
    }
    out.push_back(text.substr(from));
    return out;
}

// Negative places count from the end; what lies outside is moved to the border.
std::size_t bounded_place(const Json& argument, std::size_t size)
{
    const auto length = static_cast<std::int64_t>(size);
    const auto asked =
        argument.is_number_unsigned() && argument.get<std::uint64_t>() > static_cast<std::uint64_t>(length)
            ? length
            : argument.get<std::int64_t>();
    return static_cast<std::size_t>(
        std::clamp<std::int64_t>(asked < 0 ? std::max(asked, -length) + length : asked, 0, length));
}

Result<Json> slice_value(const Json& value, const std::vector<Json>& arguments)
{
    if (!value.is_array() && !value.is_string())
        return cannot_use("slice", value, "a list or a text");
    const auto places =
        value.is_string() ? character_places(value.get_ref<const std::string&>()) : std::vector<std::size_t>();
    const auto size = value.is_string() ? places.size() - 1 : value.size();
    const auto from = bounded_place(arguments[0], size);
    const auto to = std::max(from, arguments.size() > 1 ? bounded_place(arguments[1], size) : size);
    if (value.is_string())
        return Json(characters(value.get_ref<const std::string&>(), places, from, to));
    auto out = Json::array();
    for (auto i = from; i < to; ++i)
        out.push_back(value[i]);
    return out;
}

Result<std::optional<Json>> get_member(const Json& value, const Json& key)
{
    if (value.is_object() && key.is_string()) {
        const auto found = value.find(key.get_ref<const std::string&>());
        return found == value.end() ? std::optional<Json>() : std::optional<Json>(*found);
    }
    if (value.is_array() && key.is_number_integer()) {
        const auto asked = key.get<std::int64_t>();
        const auto size = static_cast<std::int64_t>(value.size());
        const auto index = asked < 0 ? asked + size : asked;
        if (index < 0 || index >= size)
            return std::optional<Json>();
        return std::optional<Json>(value[static_cast<std::size_t>(index)]);
    }
    return cannot_use("get", value, key.is_string() ? "an object" : "a list");
}

Result<Json> replace_all(const Json& value, const std::string& what, const std::string& with, std::size_t bytes)
{
    if (!value.is_string())
        return cannot_use("replace", value, "a text");
    const auto& text = value.get_ref<const std::string&>();
    if (what.empty())
        return value;
    std::string out;
    std::size_t from = 0;
    for (std::size_t found; (found = find_text(text, what, from)) != std::string::npos; from = found + what.size()) {
        out.append(text, from, found - from).append(with);
        if (out.size() > bytes)
            return filter_result_too_large(bytes);
    }
    out.append(text, from, std::string::npos);
    return Json(std::move(out));
}

Result<Json> truncated(const Json& value, const std::vector<Json>& arguments)
{
    if (!value.is_string())
        return cannot_use("truncate", value, "a text");
    const auto& text = value.get_ref<const std::string&>();
    const auto places = character_places(text);
    const auto most = arguments[0].get<std::uint64_t>();
    if (places.size() - 1 <= most)
        return value;
    return Json(characters(text, places, 0, static_cast<std::size_t>(most)) +
                (arguments.size() > 1 ? text_of(arguments[1]) : "…"));
}

// Milliseconds or RFC 3339 in; UTC out. The format knows %Y %m %d %H %M %S and %%; without one it is %Y-%m-%d.
Result<Json> date_text(const Json& value, const std::string& format)
{
    std::optional<UnixMillis> time;
    if (value.is_number_integer())
        time = value.get<std::int64_t>();
    else if (value.is_string())
        time = parse_rfc3339(value.get_ref<const std::string&>());
    if (!time || *time < -62135596800000 || *time > 253402300799999)
        return cannot_use("date", value, "a time (RFC 3339 or milliseconds)");
    const auto whole = rfc3339(*time);  // 2026-11-21T02:15:00.123Z
    std::string out;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            out += format[i];
            continue;
        }
        switch (format[++i]) {
        case 'Y': out += whole.substr(0, 4); break;
        case 'm': out += whole.substr(5, 2); break;
        case 'd': out += whole.substr(8, 2); break;
        case 'H': out += whole.substr(11, 2); break;
        case 'M': out += whole.substr(14, 2); break;
        case 'S': out += whole.substr(17, 2); break;
        case '%': out += '%'; break;
        default:
            return Error(Errc::invalid_argument, "The filter date knows %Y %m %d %H %M %S only.")
                .reason("expression_value");
        }
    }
    return Json(std::move(out));
}

std::string url_escaped(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
            c == '.' || c == '~')
            out += c;
        else
            out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return out;
}

std::string html_escaped(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out += c;
        }
    }
    return out;
}

std::optional<Json> some(Json value)
{
    return value;
}

Result<std::optional<Json>> passed_on(Result<Json> value)
{
    if (!value)
        return value.error();
    return std::optional<Json>(std::move(*value));
}

Result<std::optional<Json>> parsed(const Json& value)
{
    if (!value.is_string())
        return some(value);
    const auto& text = value.get_ref<const std::string&>();
    if (auto checked = schema::check_json(text, {.refuse_duplicates = false, .refuse_nul = false}); !checked)
        return Error(Errc::invalid_argument,
                     "The filter parse_json got text that is no JSON: " + checked.error().message())
            .reason("expression_value");
    return some(Json::parse(text));
}

Result<std::optional<Json>> key_list(const Json& value)
{
    if (!value.is_object())
        return cannot_use("keys", value, "an object");
    auto out = Json::array();
    for (const auto& [key, inner] : value.items())
        out.push_back(key);
    return some(std::move(out));
}

// Units for each byte of a text that a filter is given.
std::size_t cost_of_a_byte(FilterKind kind)
{
    switch (kind) {
    case FilterKind::upper:
    case FilterKind::lower:
    case FilterKind::parse_json: return 16;
    case FilterKind::number: return 8;
    case FilterKind::first:
    case FilterKind::last:
    case FilterKind::slice:
    case FilterKind::truncate:
    case FilterKind::json:
    case FilterKind::url:
    case FilterKind::html: return 4;
    case FilterKind::split:
    case FilterKind::replace: return 2;
    default: return 1;
    }
}

bool writes_json(FilterKind kind)
{
    switch (kind) {
    case FilterKind::json:
    case FilterKind::text:
    case FilterKind::upper:
    case FilterKind::lower:
    case FilterKind::trim:
    case FilterKind::join:
    case FilterKind::url:
    case FilterKind::html: return true;
    default: return false;
    }
}

bool can_pay(const Filter& filter, const Json& value, EvaluationWork& work)
{
    const auto of_a_byte = cost_of_a_byte(filter.kind);
    if (value.is_string())
        return work.step(of_a_byte * value.get_ref<const std::string&>().size());
    const auto pass =
        writes_json(filter.kind) ? Pass{writing.of_a_value, writing.of_eight_bytes + 8 * of_a_byte} : copying;
    return work.step(cost_of(pass, value, work.left()));
}

}  // namespace

Error filter_result_too_large(std::size_t bytes)
{
    return Error(Errc::invalid_argument, "A filter made more than " + std::to_string(bytes) + " bytes.")
        .reason("expression_too_large");
}

Result<std::optional<Json>> apply_filter(const Filter& filter, std::optional<Json> value, std::size_t result_bytes,
                                         EvaluationWork& work)
{
    const auto& arguments = filter.arguments;
    if (value ? !can_pay(filter, *value, work) : !work.step(0))
        return too_much_work();
    if (filter.kind == FilterKind::default_value)
        return value && !value->is_null() ? std::move(value) : some(arguments[0]);
    if (!value)
        return value;
    switch (filter.kind) {
    case FilterKind::default_value: return value;
    case FilterKind::json: return some(dump(*value));
    case FilterKind::parse_json: return parsed(*value);
    case FilterKind::text: return some(text_of(*value));
    case FilterKind::number: return passed_on(to_number(*value));
    case FilterKind::length: return passed_on(length_json(*value));
    case FilterKind::upper: return some(upper_case(text_of(*value)));
    case FilterKind::lower: return some(lower_case(text_of(*value)));
    case FilterKind::trim: return some(std::string(trim(text_of(*value))));
    case FilterKind::first: return end_of(*value, true);
    case FilterKind::last: return end_of(*value, false);
    case FilterKind::join:
        return passed_on(join_list(*value, arguments.empty() ? ", " : arguments[0].get<std::string>(), result_bytes));
    case FilterKind::split: return passed_on(split_text(*value, arguments[0].get<std::string>(), result_bytes, work));
    case FilterKind::slice: return passed_on(slice_value(*value, arguments));
    case FilterKind::keys: return key_list(*value);
    case FilterKind::get: return get_member(*value, arguments[0]);
    case FilterKind::replace:
        return passed_on(
            replace_all(*value, arguments[0].get<std::string>(), arguments[1].get<std::string>(), result_bytes));
    case FilterKind::truncate: return passed_on(truncated(*value, arguments));
    case FilterKind::date:
        return passed_on(date_text(*value, arguments.empty() ? "%Y-%m-%d" : arguments[0].get<std::string>()));
    case FilterKind::url: return some(url_escaped(text_of(*value)));
    case FilterKind::html: return some(html_escaped(text_of(*value)));
    }
    return value;
}

}  // namespace dure::flows

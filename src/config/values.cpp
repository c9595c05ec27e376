// Conversion and bounds of values; see values.hpp.
#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "dure/base/text.hpp"

namespace dure::config {

namespace values {

struct Scale {
    std::string_view unit;
    std::int64_t factor;
};

constexpr std::array<Scale, 5> durations = {{{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}}};
constexpr std::array<Scale, 4> sizes = {{{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};

template <std::size_t N>
std::optional<std::int64_t> parse_scaled(std::string_view text, const std::array<Scale, N>& scales)
{
    std::int64_t number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0)
        return std::nullopt;
    const auto unit = text.substr(static_cast<std::size_t>(stopped - text.data()));
    for (const auto& scale : scales)
        if (scale.unit == unit)
            return number > std::numeric_limits<std::int64_t>::max() / scale.factor
                       ? std::nullopt
                       : std::optional(number * scale.factor);
    return std::nullopt;
}

// The largest unit that divides the number.
template <std::size_t N>
std::string show_scaled(std::int64_t number, const std::array<Scale, N>& scales)
{
    const auto* best = &scales.front();
    for (const auto& scale : scales)
        if (number >= scale.factor && number % scale.factor == 0)
            best = &scale;
    return std::to_string(number / best->factor) + std::string(best->unit);
}

std::string toml_text(std::string_view text)
{
    std::string out;
    append_json_string(out, text);   // TOML's basic strings take the same escapes
    return out;
}

std::string joined(const Texts& texts)
{
    std::string all;
    for (const auto& text : texts)
        all += (all.empty() ? "" : ", ") + text;
    return all;
}

std::string show_integer(const Key& key, std::int64_t number)
{
    if (key.unit == Unit::bytes)
        return show_scaled(number, sizes);
    if (key.unit == Unit::none)
        return std::to_string(number);
    auto decimals = std::to_string(number % 1000000000);
    decimals.insert(0, 9 - decimals.size(), '0');
    while (decimals.size() > 2 && decimals.back() == '0')
        decimals.pop_back();
    return std::to_string(number / 1000000000) + "." + decimals;
}

// Of durations, in milliseconds: added to any clock it stays a time.
constexpr std::int64_t longest = 3650ll * 86400000;

std::string check_range(const Key& key, std::int64_t number, bool duration = false)
{
    const auto shown = [&](std::int64_t bound) {
        return duration ? show_scaled(bound, durations) : show_integer(key, bound);
    };
    if (number < key.least)
        return "must be at least " + shown(key.least);
    const auto most = duration ? std::min(key.most, longest) : key.most;
    if (number > most)
        return "must be at most " + shown(most);
    return {};
}

// "@host/name?a=b&sslpassword=c" with *** for what a password has.
std::string with_parameters_hidden(std::string_view text)
{
    std::string out;
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find_first_of("?&", from + 1), text.size());
        const auto part = text.substr(from, end - from);
        const auto equals = part.find('=');
        const bool password = equals != part.npos && part.substr(0, equals).find("password") != part.npos;
        out.append(password ? part.substr(0, equals + 1) : part).append(password ? "***" : "");
        from = end;
    }
    return out;
}

// A text that is no URL is hidden as a whole: nobody knows what of it is secret.
std::string with_password_hidden(std::string_view url)
{
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos)
        return url.empty() || url.starts_with("sqlite:") ? std::string(url) : "***";
    // PostgreSQL's parameters may hold an @ of their own; of a Redis address a ? is a part of the password.
    const auto parameters = url.starts_with("postgres") ? url.find('?') : std::string_view::npos;
    const auto at = url.substr(0, parameters).rfind('@');
    const auto colon = url.find(':', scheme + 3);
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at)
        return with_parameters_hidden(url);
    return std::string(url.substr(0, colon + 1)) + "***" + with_parameters_hidden(url.substr(at));
}

// Of an http(s) address who it logs in as and the values of its query; other texts as they are.
std::string with_address_hidden(std::string_view text)
{
    if (!text.starts_with("http://") && !text.starts_with("https://"))
        return std::string(text);
    const auto authority = text.find("://") + 3;
    const auto path = std::min(text.find_first_of("/?#", authority), text.size());
    const auto at = text.substr(0, path).rfind('@');
    const auto query = std::min(text.find('?', path), text.size());
    const auto fragment = std::min(text.find('#', query), text.size());
    std::string out(text.substr(0, authority));
    if (at != text.npos && at >= authority)
        out.append("***").append(text.substr(at, query - at));
    else
        out.append(text.substr(authority, query - authority));
    for (std::size_t from = query; from < fragment;) {
        const auto end = std::min(text.find('&', from + 1), fragment);
        const auto part = text.substr(from, end - from);
        out.append(part.substr(0, part.find('=') + 1)).append(part.find('=') == part.npos ? part : "***");
        from = end;
    }
    return out.append(text.substr(fragment));
}

// "--api-key", "-token=x": what an option of a program is called when its value is a secret.
bool names_secret(std::string_view option)
{
    if (!option.starts_with('-'))
        return false;
    const auto name = ascii_lower(option.substr(0, option.find('=')));
    for (const auto* word : {"token", "key", "secret", "pass", "pwd", "auth", "credential"})
        if (name.find(word) != name.npos)
            return true;
    return false;
}

std::string show_list(const Texts& texts)
{
    std::string all = "[";
    bool secret = false;   // the one behind an option that names one
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        const bool inside = names_secret(text) && equals != text.npos;
        const auto shown = inside ? text.substr(0, equals + 1) + "***" : secret ? "***" : with_address_hidden(text);
        all += (all.size() > 1 ? ", " : "") + toml_text(shown);
        secret = names_secret(text) && !inside;
    }
    return all + "]";
}

std::string show_numbers(const Numbers& numbers)
{
    std::string all = "[";
    for (const auto number : numbers)
        all += (all.size() > 1 ? ", " : "") + std::to_string(number);
    return all + "]";
}

std::string show_map(const TextMap& map, bool plain)
{
    std::string all = "{";
    for (const auto& [name, value] : map)
        all += (all.size() > 1 ? ", " : " ") + toml_text(name) + " = " + toml_text(plain ? value : "***");
    return all + (map.empty() ? "}" : " }");
}

Texts split(std::string_view text)
{
    Texts parts;
    while (!text.empty()) {
        const auto comma = text.find(',');
        if (const auto part = trim(text.substr(0, comma)); !part.empty())
            parts.emplace_back(part);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return parts;
}

std::string what_is_expected(const Target& target, Unit unit)
{
    if (std::holds_alternative<bool*>(target))
        return "must be true or false";
    if (std::holds_alternative<Milliseconds*>(target))
        return "must be a duration such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"90d\"";
    if (std::holds_alternative<Texts*>(target))
        return "must be a list of strings";
    if (std::holds_alternative<Numbers*>(target))
        return "must be a list of whole numbers";
    if (std::holds_alternative<TextMap*>(target))
        return "must be a table of strings";
    if (!std::holds_alternative<std::int64_t*>(target))
        return "must be a string";
    return unit == Unit::bytes          ? "must be a size such as \"512KiB\" or \"1MiB\""
           : unit == Unit::nano_dollars ? "must be an amount of USD such as \"2.50\""
                                        : "must be a whole number";
}

std::string set_text(const Key& key, std::string& place, std::string_view text)
{
    if (!key.choices.empty() && std::find(key.choices.begin(), key.choices.end(), text) == key.choices.end())
        return "must be one of " + joined(key.choices);
    if (text.find('\0') != std::string_view::npos || !valid_utf8(text))
        return "must be valid text";
    place = text;
    return {};
}

std::optional<std::int64_t> parse_integer(const Key& key, std::string_view text)
{
    if (key.unit == Unit::bytes)
        return parse_size(text);
    if (key.unit == Unit::nano_dollars)
        return parse_dollars(text);
    std::int64_t number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || stopped != text.data() + text.size())
        return std::nullopt;
    return number;
}

}  // namespace values

std::optional<Milliseconds> parse_duration(std::string_view text)
{
    const auto number = values::parse_scaled(text, values::durations);
    return number ? std::optional(Milliseconds(*number)) : std::nullopt;
}

std::optional<std::int64_t> parse_size(std::string_view text)
{
    return values::parse_scaled(text, values::sizes);
}

std::optional<std::int64_t> parse_dollars(std::string_view text)
{
    const auto point = text.find('.');
    std::string digits(text.substr(0, point));
    auto decimals = point == std::string_view::npos ? std::string() : std::string(text.substr(point + 1));
    if (digits.empty() || digits.size() > 9 || decimals.size() > 9 ||
        (point != std::string_view::npos && decimals.empty()))
        return std::nullopt;
    decimals.resize(9, '0');
    digits += decimals;
    if (digits.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    std::int64_t nano = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), nano);
    return nano;
}

std::string set_integer(const Key& key, void* owner, std::int64_t number)
{
    const auto target = key.target(owner);
    auto* const* place = std::get_if<std::int64_t*>(&target);
    if (!place || key.unit == Unit::nano_dollars)
        return values::what_is_expected(target, key.unit);
    auto wrong = values::check_range(key, number);
    if (wrong.empty())
        **place = number;
    return wrong;
}

std::string set_bool(const Key& key, void* owner, bool yes)
{
    const auto target = key.target(owner);
    auto* const* place = std::get_if<bool*>(&target);
    if (!place)
        return values::what_is_expected(target, key.unit);
    **place = yes;
    return {};
}

std::string set_list(const Key& key, void* owner, Texts texts)
{
    const auto target = key.target(owner);
    auto* const* place = std::get_if<Texts*>(&target);
    if (!place)
        return values::what_is_expected(target, key.unit);
    **place = std::move(texts);
    return {};
}

std::string set_numbers(const Key& key, void* owner, Numbers numbers)
{
    const auto target = key.target(owner);
    auto* const* place = std::get_if<Numbers*>(&target);
    if (!place)
        return values::what_is_expected(target, key.unit);
    for (const auto number : numbers)
        if (auto wrong = values::check_range(key, number); !wrong.empty())
            return "each number " + wrong;
    **place = std::move(numbers);
    return {};
}

std::string set_map(const Key& key, void* owner, TextMap map)
{
    const auto target = key.target(owner);
    auto* const* place = std::get_if<TextMap*>(&target);
    if (!place)
        return values::what_is_expected(target, key.unit);
    **place = std::move(map);
    return {};
}

std::string expected_form(const Key& key, void* owner)
{
    return values::what_is_expected(key.target(owner), key.unit);
}

std::string set_from_text(const Key& key, void* owner, std::string_view text)
{
    const auto target = key.target(owner);
    if (auto* const* place = std::get_if<std::string*>(&target))
        return values::set_text(key, **place, text);
    if (auto* const* place = std::get_if<SecretString*>(&target)) {
        **place = SecretString(std::string(text));
        return {};
    }
    if (auto* const* place = std::get_if<Milliseconds*>(&target)) {
        const auto duration = parse_duration(text);
        if (!duration)
            return values::what_is_expected(target, key.unit);
        auto wrong = values::check_range(key, duration->count(), true);
        if (wrong.empty())
            **place = *duration;
        return wrong;
    }
    if (auto* const* place = std::get_if<std::int64_t*>(&target)) {
        const auto number = values::parse_integer(key, text);
        if (!number)
            return values::what_is_expected(target, key.unit);
        auto wrong = values::check_range(key, *number);
        if (wrong.empty())
            **place = *number;
        return wrong;
    }
    if (std::holds_alternative<bool*>(target) && (text == "true" || text == "1" || text == "false" || text == "0"))
        return set_bool(key, owner, text == "true" || text == "1");
    if (std::holds_alternative<Texts*>(target))
        return set_list(key, owner, values::split(text));
    if (!std::holds_alternative<Numbers*>(target))
        return values::what_is_expected(target, key.unit);
    Numbers numbers;
    for (const auto& part : values::split(text)) {
        const auto number = values::parse_integer(key, part);
        if (!number)
            return values::what_is_expected(target, key.unit);
        numbers.push_back(*number);
    }
    return set_numbers(key, owner, std::move(numbers));
}

std::string value_as_toml(const Key& key, void* owner, bool plain)
{
    const auto target = key.target(owner);
    if (auto* const* yes = std::get_if<bool*>(&target))
        return **yes ? "true" : "false";
    if (auto* const* text = std::get_if<std::string*>(&target))
        return values::toml_text(plain ? **text : values::with_address_hidden(**text));
    if (auto* const* secret = std::get_if<SecretString*>(&target))
        return values::toml_text(plain ? std::string((*secret)->reveal())
                                       : values::with_password_hidden((*secret)->reveal()));
    if (auto* const* duration = std::get_if<Milliseconds*>(&target))
        return values::toml_text(values::show_scaled((*duration)->count(), values::durations));
    if (auto* const* texts = std::get_if<Texts*>(&target))
        return values::show_list(**texts);
    if (auto* const* numbers = std::get_if<Numbers*>(&target))
        return values::show_numbers(**numbers);
    if (auto* const* map = std::get_if<TextMap*>(&target))
        return values::show_map(**map, plain);
    const auto shown = values::show_integer(key, *std::get<std::int64_t*>(target));
    return key.unit == Unit::none ? shown : values::toml_text(shown);
}

}  // namespace dure::config

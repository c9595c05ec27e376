// FieldReader; see fields.hpp.
#include "flows/document/fields.hpp"

#include <algorithm>

#include "dure/base/text.hpp"

namespace dure::flows {

namespace {

std::string bounds_text(double least, double most)
{
    const auto plain = [](double value) { return Json(static_cast<std::int64_t>(value)).dump(); };
    return "from " + plain(least) + " to " + plain(most);
}

}  // namespace

Location operator/(Location place, std::string_view step)
{
    place.emplace_back(step);
    return place;
}

Location operator/(Location place, std::size_t index)
{
    place.push_back(std::to_string(index));
    return place;
}

const OrderedJson* member(const OrderedJson& object, std::string_view key)
{
    if (!object.is_object())
        return nullptr;
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string in_quotes(std::string_view text)
{
    const auto shown = utf8_prefix(text, 80);
    return "\"" + std::string(shown) + (shown.size() < text.size() ? "…\"" : "\"");
}

void FieldReader::problem(std::string code, std::string_view key, std::string message) const
{
    problems_.add({std::move(code), place_ / key, std::move(message), Level::error, node_id_, edge_id_});
}

std::optional<std::string> FieldReader::text(std::string_view key, std::size_t shortest, std::size_t longest) const
{
    const auto* value = member(object_, key);
    if (!value)
        return std::nullopt;
    if (!value->is_string()) {
        problem("field_type", key, "must be a text");
        return std::nullopt;
    }
    const auto& content = value->get_ref<const std::string&>();
    const auto length = utf8_characters(content);
    if (length < shortest || length > longest) {
        problem("field_range", key,
                "must have " + std::to_string(shortest) + " to " + std::to_string(longest) + " characters");
        return std::nullopt;
    }
    return content;
}

std::optional<bool> FieldReader::boolean(std::string_view key) const
{
    const auto* value = member(object_, key);
    if (!value)
        return std::nullopt;
    if (!value->is_boolean()) {
        problem("field_type", key, "must be true or false");
        return std::nullopt;
    }
    return value->get<bool>();
}

std::optional<std::int64_t> FieldReader::integer(std::string_view key, double least, double most) const
{
    const auto* value = member(object_, key);
    if (!value)
        return std::nullopt;
    if (!value->is_number_integer()) {
        problem("field_type", key, "must be a whole number");
        return std::nullopt;
    }
    const auto seen = value->get<double>();
    if (seen < least || seen > most) {
        problem("field_range", key, "must be a whole number " + bounds_text(least, most));
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

std::optional<double> FieldReader::number(std::string_view key, double least, double most) const
{
    const auto* value = member(object_, key);
    if (!value)
        return std::nullopt;
    if (!value->is_number()) {
        problem("field_type", key, "must be a number");
        return std::nullopt;
    }
    const auto seen = value->get<double>();
    if (!(seen >= least && seen <= most)) {
        problem("field_range", key, "must be a number " + bounds_text(least, most));
        return std::nullopt;
    }
    return seen;
}

std::optional<std::string> FieldReader::one_of(std::string_view key, const std::vector<std::string>& allowed) const
{
    const auto* value = member(object_, key);
    if (!value)
        return std::nullopt;
    if (!value->is_string()) {
        problem("field_type", key, "must be a text");
        return std::nullopt;
    }
    auto content = value->get<std::string>();
    if (std::find(allowed.begin(), allowed.end(), content) != allowed.end())
        return content;
    std::string list;
    for (const auto& one : allowed)
        list += (list.empty() ? "" : ", ") + one;
    problem("field_range", key, "must be one of: " + list);
    return std::nullopt;
}

const OrderedJson* FieldReader::object(std::string_view key) const
{
    const auto* value = member(object_, key);
    if (!value || value->is_object())
        return value;
    problem("field_type", key, "must be an object");
    return nullptr;
}

const OrderedJson* FieldReader::array(std::string_view key) const
{
    const auto* value = member(object_, key);
    if (!value || value->is_array())
        return value;
    problem("field_type", key, "must be a list");
    return nullptr;
}

void FieldReader::required(std::string_view key) const
{
    if (!member(object_, key))
        problem("field_missing", key, "is required");
}

void FieldReader::only(const std::vector<std::string_view>& known) const
{
    for (const auto& [key, value] : object_.items())
        if (std::find(known.begin(), known.end(), key) == known.end())
            problem("field_unknown", key, "there is no field " + in_quotes(key) + " here");
}

}  // namespace dure::flows

// Styles of parameters; see parameter_style.hpp.
#include "tools/http/parameter_style.hpp"

#include <vector>

#include "tools/http/template.hpp"

namespace dure::tools {
namespace parameter_style {

using Encode = std::function<std::string(std::string_view)>;

std::vector<std::string> items_of(const Json& list, const Encode& encode)
{
    std::vector<std::string> items;
    for (const auto& one : list)
        items.push_back(encode(argument_text(one)));
    return items;
}

std::vector<std::string> pairs_of(const Json& object, const Encode& encode)
{
    std::vector<std::string> pairs;
    for (const auto& [name, value] : object.items())
        pairs.push_back(encode(name) + "=" + encode(argument_text(value)));
    return pairs;
}

std::string joined(const std::vector<std::string>& items, std::string_view between)
{
    std::string text;
    for (const auto& item : items)
        text.append(&item == &items.front() ? "" : between).append(item);
    return text;
}

// ";color=blue;color=black"; members of an object bring their own names.
std::string exploded_matrix(const std::string& name, const Json& value, const Encode& encode)
{
    const std::string before = value.is_object() ? ";" : ";" + name + "=";
    std::string text;
    for (const auto& item : value.is_object() ? pairs_of(value, encode) : items_of(value, encode))
        text += before + item;
    return text;
}

}  // namespace parameter_style

using namespace parameter_style;

Json members_in_turn(const Json& value)
{
    if (!value.is_object())
        return value;
    auto list = Json::array();
    for (const auto& [name, one] : value.items()) {
        list.push_back(name);
        list.push_back(one);
    }
    return list;
}

std::string styled(const ParameterStyle& style, const Json& value, const Encode& encode)
{
    using Kind = ParameterStyle::Kind;
    if (value.is_null() || (value.is_structured() && value.empty()))
        return {};
    const auto name = encode(style.name);
    if (style.kind == Kind::matrix && value.is_structured() && style.explode)
        return exploded_matrix(name, value, encode);
    const bool pairs = value.is_object() && style.explode;
    const auto items = !value.is_structured() ? std::vector{encode(argument_text(value))}
                       : pairs                ? pairs_of(value, encode)
                                              : items_of(members_in_turn(value), encode);
    const auto text = joined(items, style.kind == Kind::label && style.explode ? "." : ",");
    switch (style.kind) {
    case Kind::simple: return text;
    case Kind::label: return "." + text;
    case Kind::matrix: return ";" + name + (text.empty() ? "" : "=" + text);
    }
    return text;
}

}  // namespace dure::tools

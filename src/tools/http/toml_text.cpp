// parse_toml; the parser itself is included in this file only.
#include <sstream>

#include "dure/base/toml.hpp"
#include "tools/http/tool_file.hpp"

namespace dure::tools {
namespace toml_text_parts {

constexpr int deepest = 64;

template <class Value>
std::string date_text(const Value& value)
{
    std::ostringstream out;
    out << value;
    return out.str();
}

Json json_of(const toml::node& node, int depth)
{
    if (depth > deepest)
        return nullptr;   // toml++ refuses deeper nesting itself
    if (const auto* table = node.as_table()) {
        auto out = Json::object();
        for (const auto& [key, value] : *table)
            out[std::string(key.str())] = json_of(value, depth + 1);
        return out;
    }
    if (const auto* list = node.as_array()) {
        auto out = Json::array();
        for (const auto& value : *list)
            out.push_back(json_of(value, depth + 1));
        return out;
    }
    if (const auto* text = node.as_string())
        return text->get();
    if (const auto* number = node.as_integer())
        return number->get();
    if (const auto* number = node.as_floating_point())
        return number->get();
    if (const auto* yes = node.as_boolean())
        return yes->get();
    if (const auto* date = node.as_date())
        return date_text(date->get());
    if (const auto* time = node.as_time())
        return date_text(time->get());
    return date_text(node.as_date_time()->get());
}

}  // namespace toml_text_parts

Result<Json> parse_toml(std::string_view text)
{
    const auto parsed = toml::parse(text);
    if (!parsed)
        return Error(Errc::invalid_argument, "line " + std::to_string(parsed.error().source().begin.line) + ": " +
                                                 std::string(parsed.error().description()));
    return toml_text_parts::json_of(parsed.table(), 0);
}

}  // namespace dure::tools

// See config_template.hpp.
#include "flows/compiler/config_template.hpp"

namespace dure::flows {

namespace {

// Behind a list, or where the path ends, all of it is read.
std::string member_read(const Expression& expression)
{
    const auto* member = expression.path.size() > 1 ? std::get_if<std::string>(&expression.path[1]) : nullptr;
    return member ? *member : std::string();
}

}  // namespace

void Asked::add(const Template& text)
{
    for (const auto* expression : text.expressions()) {
        if (expression->root == Root::nodes)
            nodes.emplace(expression->name(), member_read(*expression));
        if (expression->root == Root::start)
            start.emplace(expression->name(), member_read(*expression));
        if (expression->root == Root::state || expression->root == Root::session)
            state.emplace(expression->name());
        now = now || expression->root == Root::step;
    }
}

Result<ConfigTemplate> ConfigTemplate::parse(const OrderedJson& value, const std::set<std::string_view>& raw,
                                             const std::set<std::string_view>& may_hold_secrets)
{
    if (!value.is_object())
        return parse_inner(value, Secrets::refused);
    Object members;
    for (const auto& [key, inner] : value.items()) {
        if (inner.is_null())
            continue;   // counts as absent
        ConfigTemplate written;
        if (raw.contains(key)) {
            written.part_ = Json(inner);
        } else {
            auto parsed = parse_inner(inner, may_hold_secrets.contains(key) ? Secrets::allowed : Secrets::refused);
            if (!parsed)
                return parsed;
            written = std::move(*parsed);
        }
        members.push_back({key, std::move(written)});
    }
    ConfigTemplate whole;
    whole.part_ = std::move(members);
    return whole;
}

Result<ConfigTemplate> ConfigTemplate::parse_inner(const OrderedJson& value, Secrets secrets)
{
    ConfigTemplate parsed;
    parsed.secrets_ = secrets;
    if (value.is_string()) {
        auto text = Template::parse(value.get_ref<const std::string&>());
        if (!text)
            return text.error();
        if (text->is_literal())
            parsed.part_ = Json(text->literal());
        else
            parsed.part_ = std::move(*text);
    } else if (value.is_array()) {
        List list;
        for (const auto& inner : value) {
            auto one = parse_inner(inner, secrets);
            if (!one)
                return one;
            list.push_back(std::move(*one));
        }
        parsed.part_ = std::move(list);
    } else if (value.is_object()) {
        Object members;
        for (const auto& [key, inner] : value.items()) {
            auto one = parse_inner(inner, secrets);
            if (!one)
                return one;
            members.push_back({key, std::move(*one)});
        }
        parsed.part_ = std::move(members);
    } else {
        parsed.part_ = Json(value);
    }
    return parsed;
}

Result<Json> ConfigTemplate::evaluate(const Scope& scope) const
{
    if (const auto* literal = std::get_if<Json>(&part_))
        return *literal;
    if (const auto* text = std::get_if<Template>(&part_))
        return text->evaluate(scope, secrets_);
    if (const auto* list = std::get_if<List>(&part_)) {
        auto values = Json::array();
        for (const auto& one : *list) {
            auto value = one.evaluate(scope);
            if (!value)
                return value;
            values.push_back(std::move(*value));
        }
        return values;
    }
    auto values = Json::object();
    for (const auto& [key, inner] : std::get<Object>(part_)) {
        auto value = inner.evaluate(scope);
        if (!value)
            return value;
        values[key] = std::move(*value);
    }
    return values;
}

void ConfigTemplate::gather(Asked& asked) const
{
    if (const auto* text = std::get_if<Template>(&part_))
        asked.add(*text);
    if (const auto* list = std::get_if<List>(&part_))
        for (const auto& one : *list)
            one.gather(asked);
    if (const auto* members = std::get_if<Object>(&part_))
        for (const auto& [key, inner] : *members)
            inner.gather(asked);
}

}  // namespace dure::flows

// Walks a schema and builds one value for it; depth is bounded because schemas may refer to themselves. See instance.hpp.
#include "llm/mock/instance.hpp"

#include <algorithm>
#include <cmath>

namespace dure::llm::mock {

namespace {

constexpr int deepest_schema = 24;
constexpr int most_values = 2000;
constexpr std::int64_t longest_string = 1000;
constexpr std::int64_t longest_array = 100;

// The whole schema and how many values may still be built: references branch, and a schema is foreign input.
struct Walk {
    const Json& root;
    int& budget;
};

Json build_instance(const Json& schema, const Walk& walk, int depth);

const Json* resolve_reference(const Json& root, const std::string& reference)
{
    if (!reference.starts_with("#"))
        return nullptr;
    const auto pointer = reference.substr(1);
    if (!pointer.empty() && pointer.front() != '/')
        return nullptr;
    try {
        const Json::json_pointer place(pointer);
        return root.contains(place) ? &root.at(place) : nullptr;
    } catch (const Json::exception&) {   // a pointer with a broken escape names nothing
        return nullptr;
    }
}

std::int64_t bounded_member(const Json& schema, const char* name, std::int64_t otherwise, std::int64_t most)
{
    const auto found = schema.find(name);
    if (found == schema.end() || !found->is_number())
        return otherwise;
    return static_cast<std::int64_t>(std::clamp(found->get<double>(), 0.0, static_cast<double>(most)));
}

Json string_instance(const Json& schema)
{
    const auto format = schema.value("format", Json());
    if (format == "date-time")
        return "2026-01-01T00:00:00Z";
    if (format == "date")
        return "2026-01-01";
    if (format == "email")
        return "mock@example.com";
    if (format == "uri")
        return "https://example.com/";
    const auto least = static_cast<std::size_t>(bounded_member(schema, "minLength", 0, longest_string));
    const auto most = static_cast<std::size_t>(bounded_member(schema, "maxLength", longest_string, longest_string));
    std::string text = "mock";
    text.resize(std::max(std::min(text.size(), most), least), 'x');
    return text;
}

Json number_instance(const Json& schema, bool whole)
{
    const auto limit = [&](const char* name) {
        const auto found = schema.find(name);
        return found != schema.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
    };
    double value = 0;
    if (const auto least = limit("minimum"))
        value = std::max(value, *least);
    if (const auto above = limit("exclusiveMinimum"); above && value <= *above)
        value = std::floor(*above) + 1;
    if (const auto most = limit("maximum"))
        value = std::min(value, *most);
    if (const auto below = limit("exclusiveMaximum"); below && value >= *below)
        value = std::ceil(*below) - 1;
    if (const auto step = limit("multipleOf"); step && *step > 0)
        value = std::ceil(value / *step) * *step;
    if (whole)
        value = std::ceil(value);
    if (value == std::floor(value) && std::fabs(value) < 9e15)
        return static_cast<std::int64_t>(value);
    return value;
}

Json object_instance(const Json& schema, const Walk& walk, int depth)
{
    auto object = Json::object();
    const auto required = schema.find("required");
    if (required == schema.end() || !required->is_array())
        return object;
    const auto properties = schema.find("properties");
    for (const auto& name : *required) {
        if (!name.is_string())
            continue;
        const auto key = name.get<std::string>();
        const bool described = properties != schema.end() && properties->is_object() && properties->contains(key);
        object[key] = described ? build_instance(properties->at(key), walk, depth + 1) : Json("mock");
    }
    return object;
}

const Json* list_member(const Json& schema, const char* name)
{
    const auto found = schema.find(name);
    return found != schema.end() && found->is_array() ? &*found : nullptr;
}

// The first items have schemas of their own in prefixItems or, as draft-7 writes it, in a list of items.
Json array_instance(const Json& schema, const Walk& walk, int depth)
{
    auto array = Json::array();
    const auto count = static_cast<std::size_t>(bounded_member(schema, "minItems", 0, longest_array));
    const auto* first = list_member(schema, "prefixItems");
    const bool older = first == nullptr && list_member(schema, "items") != nullptr;
    if (older)
        first = list_member(schema, "items");
    const auto rest = schema.find(older ? "additionalItems" : "items");
    while (array.size() < count) {
        const bool own = first != nullptr && array.size() < first->size();
        array.push_back(own                    ? build_instance(first->at(array.size()), walk, depth + 1)
                        : rest == schema.end() ? Json("mock")
                                               : build_instance(*rest, walk, depth + 1));
    }
    return array;
}

std::string type_of(const Json& schema)
{
    const auto type = schema.find("type");
    if (type != schema.end() && type->is_string())
        return type->get<std::string>();
    if (type != schema.end() && type->is_array() && !type->empty() && type->front().is_string())
        return type->front().get<std::string>();
    if (schema.contains("properties") || schema.contains("required"))
        return "object";
    return schema.contains("items") || schema.contains("prefixItems") ? "array" : "";
}

// allOf: the members are laid over the schema, so that required lists and properties of all of them count.
Json merged(const Json& schema, const Walk& walk)
{
    Json whole = schema;
    whole.erase("allOf");
    for (const auto& part : schema.at("allOf")) {
        const Json* source = &part;
        if (part.is_object() && part.contains("$ref") && part["$ref"].is_string())
            source = resolve_reference(walk.root, part["$ref"].get<std::string>());
        if (source == nullptr || !source->is_object())
            continue;
        for (const auto& [key, value] : source->items()) {
            if (key == "required" && value.is_array() && whole.contains("required") && whole["required"].is_array())
                whole["required"].insert(whole["required"].end(), value.begin(), value.end());
            else if (key == "properties" && value.is_object() && whole.contains("properties"))
                whole["properties"].update(value);
            else
                whole[key] = value;
        }
    }
    return whole;
}

Json typed_instance(const Json& schema, const Walk& walk, int depth)
{
    const auto type = type_of(schema);
    if (type == "object")
        return object_instance(schema, walk, depth);
    if (type == "array")
        return array_instance(schema, walk, depth);
    if (type == "integer" || type == "number")
        return number_instance(schema, type == "integer");
    if (type == "boolean")
        return true;
    if (type == "null")
        return nullptr;
    return string_instance(schema);
}

Json build_instance(const Json& schema, const Walk& walk, int depth)
{
    if (!schema.is_object() || depth > deepest_schema || --walk.budget < 0)
        return nullptr;
    if (const auto reference = schema.find("$ref"); reference != schema.end() && reference->is_string()) {
        const auto* target = resolve_reference(walk.root, reference->get<std::string>());
        return target == nullptr ? Json() : build_instance(*target, walk, depth + 1);
    }
    if (const auto fixed = schema.find("const"); fixed != schema.end())
        return *fixed;
    if (const auto allowed = schema.find("enum"); allowed != schema.end() && allowed->is_array() && !allowed->empty())
        return allowed->front();
    if (const auto all = schema.find("allOf"); all != schema.end() && all->is_array())
        return build_instance(merged(schema, walk), walk, depth + 1);
    for (const auto* name : {"anyOf", "oneOf"})
        if (const auto any = schema.find(name); any != schema.end() && any->is_array() && !any->empty())
            return build_instance(any->front(), walk, depth + 1);
    return typed_instance(schema, walk, depth);
}

}  // namespace

Json minimal_instance(const Json& schema)
{
    int budget = most_values;
    return build_instance(schema, Walk{schema, budget}, 0);
}

}  // namespace dure::llm::mock

// OpenApiSchemas; see openapi_schema.hpp.
#include "tools/http/openapi_schema.hpp"

#include <algorithm>

#include "dure/base/text.hpp"

namespace dure::tools {
namespace openapi_schema_parts {

constexpr int deepest = 48;
constexpr int longest_chain = 16;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words)
{
    return std::find(words.begin(), words.end(), word) != words.end();
}

const Json& at_pointer(const Json& document, const std::string& reference)
{
    const auto pointer =
        reference.starts_with("#/") ? percent_decode(std::string_view(reference).substr(1)) : std::nullopt;
    if (!pointer)
        throw OpenApiProblem{"$ref '" + reference + "' leads out of the document"};
    try {
        return document.at(Json::json_pointer(*pointer));
    } catch (const Json::exception&) {
        throw OpenApiProblem{"$ref '" + reference + "' leads to nothing"};
    }
}

std::string version_of(const Json& document)
{
    const auto found = document.is_object() ? document.find("openapi") : document.end();
    return document.is_object() && found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

// nullable of OpenAPI 3.0
void allow_null(Json& schema)
{
    if (schema.contains("type") && schema["type"].is_string())
        schema["type"] = Json::array({schema["type"], "null"});
    if (schema.contains("enum") && schema["enum"].is_array() &&
        std::find(schema["enum"].begin(), schema["enum"].end(), Json(nullptr)) == schema["enum"].end())
        schema["enum"].push_back(nullptr);
}

// exclusiveMinimum: true of OpenAPI 3.0 belongs to minimum.
void translate_bound(Json& schema, const char* exclusive, const char* bound)
{
    const auto found = schema.find(exclusive);
    if (found == schema.end() || !found->is_boolean())
        return;
    const bool excluded = found->get<bool>();
    schema.erase(exclusive);
    if (excluded && schema.contains(bound)) {
        schema[exclusive] = schema[bound];
        schema.erase(bound);
    }
}

// What the server sets is not asked for.
void leave_out_read_only(const Json& schema, Json& out)
{
    if (!schema.contains("properties") || !schema["properties"].is_object())
        return;
    for (const auto& [name, property] : schema["properties"].items()) {
        if (!property.is_object() || property.value("readOnly", Json(false)) != Json(true))
            continue;
        out["properties"].erase(name);
        if (auto required = out.find("required"); required != out.end() && required->is_array())
            required->erase(std::remove(required->begin(), required->end(), Json(name)), required->end());
    }
}

}  // namespace openapi_schema_parts

using namespace openapi_schema_parts;

const Json& openapi_resolve(const Json& document, const Json& value)
{
    const Json* at = &value;
    for (int step = 0; step < longest_chain; ++step) {
        const auto reference = at->is_object() ? at->find("$ref") : at->end();
        if (!at->is_object() || reference == at->end())
            return *at;
        if (!reference->is_string())
            throw OpenApiProblem{"a $ref is no text"};
        at = &at_pointer(document, reference->get<std::string>());
    }
    throw OpenApiProblem{"a chain of $ref does not end"};
}

OpenApiSchemas::OpenApiSchemas(const Json& document, std::size_t& budget)
    : document_(document), budget_(budget), siblings_count_(!version_of(document).starts_with("3.0"))
{}

Json OpenApiSchemas::reference(const std::string& pointer)
{
    at_pointer(document_, pointer);
    auto known = names_.find(pointer);
    if (known == names_.end()) {
        auto base = pointer.substr(pointer.rfind('/') + 1);
        std::replace_if(base.begin(), base.end(), [](char c) { return c == '~' || c == '%' || c == '/'; }, '_');
        auto name = base;
        for (int i = 2; definitions_.contains(name); ++i)
            name = base + "_" + std::to_string(i);
        definitions_[name] = true;   // its place; the schema comes later
        open_.push_back(pointer);
        known = names_.emplace(pointer, name).first;
    }
    return Json{{"$ref", "#/$defs/" + known->second}};
}

Json OpenApiSchemas::definitions()
{
    while (!open_.empty()) {
        const auto pointer = open_.front();
        open_.pop_front();
        auto converted = convert(at_pointer(document_, pointer), 0);
        definitions_[names_.at(pointer)] = std::move(converted);
    }
    return definitions_;
}

Json OpenApiSchemas::convert(const Json& schema, int depth)
{
    if (depth > deepest || budget_ == 0)
        throw OpenApiProblem{depth > deepest ? "a schema is nested too deep" : "the document's schemas are too large"};
    --budget_;
    if (schema.is_boolean())
        return schema;
    if (!schema.is_object())
        throw OpenApiProblem{"a schema is neither an object nor a boolean"};
    if (const auto found = schema.find("$ref"); found != schema.end()) {
        if (!found->is_string())
            throw OpenApiProblem{"a $ref is no text"};
        auto referred = reference(found->get<std::string>());
        return siblings_count_ ? beside_reference(schema, std::move(referred), depth) : referred;
    }
    return convert_object(schema, depth);
}

// Draft-7, which tools describe their arguments in, reads nothing beside a $ref: where there is something to check, the $ref
// becomes one of allOf. Words for readers stay next to it.
Json OpenApiSchemas::beside_reference(const Json& schema, Json reference, int depth)
{
    auto out = convert_object(schema, depth);
    const auto is_checked = [](const auto& member) {
        return !is_one_of(member.key(), {"title", "description", "default"});
    };
    const auto members = out.items();
    if (std::none_of(members.begin(), members.end(), is_checked)) {
        out.update(reference);
        return out;
    }
    auto& all = out["allOf"];
    if (all.is_null())
        all = Json::array();
    if (all.is_array())  // else the schema is wrong, as whoever compiles it says
        all.push_back(std::move(reference));
    return out;
}

Json OpenApiSchemas::convert_properties(const Json& properties, int depth)
{
    auto out = Json::object();
    for (const auto& [name, property] : properties.items())
        out[name] = convert(property, depth + 1);
    return out;
}

Json OpenApiSchemas::convert_object(const Json& schema, int depth)
{
    auto out = Json::object();
    for (const auto& [word, value] : schema.items()) {
        if (word.starts_with("x-") || is_one_of(word, {"nullable", "discriminator", "xml", "externalDocs", "example",
                                                       "examples", "readOnly", "writeOnly", "deprecated", "$defs",
                                                       "definitions", "$id", "$schema", "$anchor", "$comment", "$ref"}))
            continue;
        if (is_one_of(word, {"properties", "patternProperties"}) && value.is_object()) {
            out[word] = convert_properties(value, depth);
        } else if (is_one_of(word, {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then",
                                    "else"}) &&
                   value.is_object()) {
            out[word] = convert(value, depth + 1);
        } else if (is_one_of(word, {"allOf", "anyOf", "oneOf", "prefixItems", "items"}) && value.is_array()) {
            out[word] = Json::array();
            for (const auto& one : value)
                out[word].push_back(convert(one, depth + 1));
        } else {
            out[word] = value;
        }
    }
    translate_bound(out, "exclusiveMinimum", "minimum");
    translate_bound(out, "exclusiveMaximum", "maximum");
    if (schema.value("nullable", Json(false)) == Json(true))
        allow_null(out);
    leave_out_read_only(schema, out);
    return out;
}

}  // namespace dure::tools

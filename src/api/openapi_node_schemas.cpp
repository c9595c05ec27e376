// The schemas of nodes in /openapi.json, one for each kind, made from the same table of kinds that validation reads.
#include "api/openapi_schemas.hpp"
#include "dure/flows/kinds.hpp"

namespace dure::api {

namespace {

constexpr std::string_view shared_node_schemas = R"json({
"FlowPolicy": {"type":"object","additionalProperties":false,"properties":{
  "timeout_ms":{"type":["integer","null"],"minimum":1,"maximum":900000},
  "retry":{"type":["object","null"],"additionalProperties":false,"properties":{
    "max_attempts":{"type":["integer","null"],"minimum":1,"maximum":10},"backoff_ms":{"type":["integer","null"],"minimum":0,"maximum":900000},
    "factor":{"type":["number","null"],"minimum":1,"maximum":100},"max_backoff_ms":{"type":["integer","null"],"minimum":0,"maximum":900000},
    "jitter":{"type":["boolean","null"]},"on":{"type":["array","null"],"items":{"type":"string","enum":["timeout","rate_limit","upstream","any"]}}}},
  "on_error":{"type":["string","null"],"enum":["fail","branch","default","continue",null]},
  "default":{"type":["object","null"],"additionalProperties":true},
  "on_crash":{"type":["string","null"],"enum":["retry","wait","fail",null]}}},
"FlowConditions": {"type":"object","description":"either all or any","properties":{
  "all":{"type":["array","null"],"minItems":1,"items":{"anyOf":[{"$ref":"#/components/schemas/FlowCondition"},{"$ref":"#/components/schemas/FlowConditions"}]}},
  "any":{"type":["array","null"],"minItems":1,"items":{"anyOf":[{"$ref":"#/components/schemas/FlowCondition"},{"$ref":"#/components/schemas/FlowConditions"}]}}}},
"FlowCondition": {"type":"object","additionalProperties":false,"required":["left","op"],"properties":{
  "id":{},"left":{},"right":{},"ignore_case":{"type":["boolean","null"]},
  "type":{"type":["string","null"],"enum":["text","number","boolean","list","file",null]},
  "op":{"type":"string","enum":["eq","ne","gt","ge","lt","le","contains","not_contains","starts_with","ends_with","in","not_in","empty","not_empty","exists","not_exists","all_of","matches"]}}},
"FlowCase": {"allOf":[{"$ref":"#/components/schemas/FlowConditions"},{"type":"object","required":["id"],"properties":{
  "id":{"type":"string","minLength":1,"maxLength":128,"description":"also the handle of its edges"},"label":{"type":["string","null"],"maxLength":200}}}]},
"FlowChoice": {"type":"object","additionalProperties":false,"required":["id"],"properties":{
  "id":{"type":"string","minLength":1,"maxLength":128,"description":"also the handle of its edges"},"label":{"type":["string","null"]},
  "name":{"type":["string","null"]},"description":{"type":["string","null"]}}}
})json";

OrderedJson to_schema(std::string_view name)
{
    return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

// Words of a type; null stands for a member left out.
OrderedJson types(std::initializer_list<const char*> words, bool required)
{
    auto list = OrderedJson::array();
    for (const auto* word : words)
        list.push_back(word);
    if (!required)
        list.push_back("null");
    return {{"type", list.size() == 1 ? list.front() : list}};
}

OrderedJson number_schema(const flows::ConfigField& field, const char* type)
{
    auto schema = types({type}, field.required);
    const bool whole = field.form == flows::FieldForm::integer;
    schema["minimum"] = whole ? OrderedJson(static_cast<std::int64_t>(field.least)) : OrderedJson(field.least);
    schema["maximum"] = whole ? OrderedJson(static_cast<std::int64_t>(field.most)) : OrderedJson(field.most);
    return schema;
}

OrderedJson choice_schema(const flows::ConfigField& field)
{
    auto schema = types({"string"}, field.required);
    schema["enum"] = field.allowed;
    if (!field.required)
        schema["enum"].push_back(nullptr);
    return schema;
}

// The other types have "string" too where an expression may stand in place of the value.
OrderedJson field_schema(const flows::Kind& kind, const flows::ConfigField& field)
{
    using enum flows::FieldForm;
    switch (field.form) {
    case any: return OrderedJson::object();
    case text: return types({"string"}, field.required);
    case choice: return choice_schema(field);
    case boolean: return types({"boolean", "string"}, field.required);
    case integer: return number_schema(field, "integer");
    case number: return number_schema(field, "number");
    case conditions: return {{"anyOf", {to_schema("FlowConditions"), {{"type", "null"}}}}};
    case texts: {
        auto schema = types({"array", "string"}, field.required);
        schema["items"] = {{"type", "string"}};
        return schema;
    }
    case list: {
        auto schema = types({"array", "string"}, field.required);
        schema["items"] = field.name != kind.cases   ? OrderedJson::object()
                          : kind.name == "condition" ? to_schema("FlowCase")
                                                     : to_schema("FlowChoice");
        return schema;
    }
    case object: {
        auto schema = types({"object", "string"}, field.required);
        schema["additionalProperties"] = true;
        return schema;
    }
    }
    throw InvariantBroken("unknown form of a field");
}

OrderedJson node_schema(const flows::Kind& kind)
{
    OrderedJson config{{"type", OrderedJson::array({"object", "null"})}, {"additionalProperties", false}};
    auto& properties = config["properties"] = OrderedJson::object();
    auto required = OrderedJson::array();
    for (const auto& field : kind.config) {
        properties[field.name] = field_schema(kind, field);
        if (field.required)
            required.push_back(field.name);
    }
    OrderedJson data{{"type", OrderedJson::array({"object", "null"})}, {"additionalProperties", true}};
    data["properties"] = {{"label", {{"type", {"string", "null"}}, {"maxLength", 200}}},
                          {"disabled", {{"type", {"boolean", "null"}}}}};
    OrderedJson schema{{"type", "object"}, {"additionalProperties", true}, {"required", {"id", "type"}}};
    if (!required.empty()) {
        config["type"] = "object";
        config["required"] = required;
        data["type"] = "object";
        data["required"] = {"config"};
        schema["required"].push_back("data");
    }
    data["properties"]["config"] = std::move(config);
    if (kind.may_branch_on_error)
        data["properties"]["policy"] = {{"anyOf", {to_schema("FlowPolicy"), {{"type", "null"}}}}};
    schema["properties"] = {
        {"id", {{"type", "string"}, {"minLength", 1}, {"maxLength", 128}, {"pattern", "^[A-Za-z0-9_.:-]+$"}}},
        {"type", {{"type", "string"}, {"const", kind.name}}},
        {"position",
         {{"type", {"object", "null"}},
          {"additionalProperties", true},
          {"properties", {{"x", {{"type", "number"}}}, {"y", {{"type", "number"}}}}}}},
        {"parentId", {{"type", {"string", "null"}}, {"description", "the loop or iteration it is in"}}}};
    schema["properties"]["data"] = std::move(data);
    return schema;
}

// "human_input" -> "HumanInputNode"
std::string schema_name(std::string_view kind)
{
    std::string name;
    bool first = true;
    for (const char c : kind) {
        if (c != '_')
            name += first ? static_cast<char>(c - 'a' + 'A') : c;
        first = c == '_';
    }
    return name + "Node";
}

}  // namespace

OrderedJson node_schemas()
{
    auto all = OrderedJson::parse(shared_node_schemas);
    auto any_node = OrderedJson::array();
    for (const auto* kind : flows::all_kinds()) {
        if (!kind->available)
            continue;
        const auto name = schema_name(kind->name);
        all[name] = node_schema(*kind);
        any_node.push_back(to_schema(name));
    }
    all["FlowNode"] = {{"description", "by its type; members of the designer are kept"},
                       {"oneOf", std::move(any_node)}};
    return all;
}

}  // namespace dure::api

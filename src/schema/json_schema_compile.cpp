// JsonSchema::compile: from the document to nodes, keyword by keyword; see json_schema.hpp. Nodes are made once per place of
// the document, so that a $ref back to an open place ends in the node that is being made.
#include <algorithm>
#include <cmath>
#include <limits>

#include "dure/base/text.hpp"
#include "schema/json_order.hpp"
#include "schema/json_schema_node.hpp"

namespace dure::schema {

namespace compiling {

using Node = JsonSchema::Node;

constexpr std::size_t most_nodes = 5000;
constexpr std::size_t most_depth = 64;
constexpr std::size_t longest_pattern = 1000;

// Thrown inside this file only: the deep end of a recursive walk.
struct Refusal {
    std::string place;
    std::string message;
};

// Keywords without effect on validation, or read together with another one.
bool annotation(std::string_view keyword)
{
    static const std::vector<std::string_view> names = {
        "$schema", "$id",      "$comment",   "$defs",          "definitions", "title",           "description",
        "default", "examples", "deprecated", "readOnly",       "writeOnly",   "contentEncoding", "contentMediaType",
        "example", "then",     "else",       "additionalItems"};
    return std::find(names.begin(), names.end(), keyword) != names.end();
}

std::string escaped_token(std::string_view token)
{
    std::string out;
    for (const char c : token)
        out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return out;
}

class Compiler {
public:
    Compiler(const Json& document, std::deque<Node>& nodes, std::vector<std::string>& unknown)
        : document_(document), nodes_(nodes), unknown_(unknown)
    {}

    const Node* compile(const Json& schema, const std::string& place, std::size_t depth)
    {
        if (const auto known = made_.find(place); known != made_.end())
            return known->second;
        if (nodes_.size() >= most_nodes || depth > most_depth)
            throw Refusal{place, "the schema is too large or nested too deep"};
        auto& node = nodes_.emplace_back();
        made_[place] = &node;
        if (schema.is_boolean()) {
            node.constant = schema.get<bool>();
            return &node;
        }
        if (!schema.is_object())
            throw Refusal{place, "a schema must be an object or a boolean"};
        if (const auto reference = schema.find("$ref"); reference != schema.end()) {
            node.reference = resolve(*reference, place + "/$ref", depth);
            return &node;
        }
        for (const auto& [keyword, value] : schema.items())
            read_keyword(node, keyword, value, schema, place + "/" + escaped_token(keyword), depth);
        return &node;
    }

private:
    const Node* resolve(const Json& reference, const std::string& place, std::size_t depth)
    {
        const auto text = reference.is_string() ? reference.get<std::string>() : std::string();
        const auto pointer = text.starts_with('#') ? percent_decode(std::string_view(text).substr(1)) : std::nullopt;
        if (!pointer || (!pointer->empty() && pointer->front() != '/'))
            throw Refusal{place, "$ref must be a JSON pointer inside this schema, as in \"#/definitions/name\""};
        const Json* target = nullptr;
        try {
            target = &document_.at(Json::json_pointer(*pointer));
        } catch (const Json::exception&) {
            throw Refusal{place, "$ref points at nothing"};
        }
        return compile(*target, *pointer, depth + 1);
    }

    void read_keyword(Node& node, const std::string& keyword, const Json& value, const Json& schema,
                      const std::string& place, std::size_t depth)
    {
        if (read_simple(node, keyword, value, place) || read_number(node, keyword, value, place))
            return;
        if (read_subschema(node, keyword, value, place, depth) ||
            read_children(node, keyword, value, schema, place, depth))
            return;
        if (!annotation(keyword))
            unknown_.push_back(place);
    }

    bool read_simple(Node& node, const std::string& keyword, const Json& value, const std::string& place)
    {
        if (keyword == "type") {
            node.types = value.is_string() ? std::vector{value.get<std::string>()} : texts(value, place);
            if (node.types.empty())
                throw Refusal{place, "there must be at least one type"};
            for (const auto& type : node.types)
                if (!known_type(type))
                    throw Refusal{place, "'" + type + "' is no type"};
        } else if (keyword == "enum") {
            if (!value.is_array())
                throw Refusal{place, "enum must be an array"};
            node.choices = value.get<std::vector<Json>>();
        } else if (keyword == "const") {
            node.exact = value;
        } else if (keyword == "pattern") {
            node.pattern = pattern(text(value, place), place);
        } else if (keyword == "format") {
            node.format = text(value, place);
            if (!known_format(node.format))
                unknown_.push_back(place);
        } else if (keyword == "required") {
            node.required = texts(value, place);
        } else if (keyword == "uniqueItems") {
            if (!value.is_boolean())
                throw Refusal{place, "uniqueItems must be true or false"};
            node.unique_items = value.get<bool>();
        } else {
            return false;
        }
        return true;
    }

    bool read_number(Node& node, const std::string& keyword, const Json& value, const std::string& place)
    {
        static const std::map<std::string, std::optional<Json> Node::*> numbers = {{"minimum", &Node::minimum},
                                                                                   {"maximum", &Node::maximum},
                                                                                   {"exclusiveMinimum", &Node::above},
                                                                                   {"exclusiveMaximum", &Node::below},
                                                                                   {"multipleOf", &Node::multiple_of}};
        static const std::map<std::string, std::optional<std::uint64_t> Node::*> counts = {
            {"minLength", &Node::min_length},         {"maxLength", &Node::max_length},
            {"minItems", &Node::min_items},           {"maxItems", &Node::max_items},
            {"minProperties", &Node::min_properties}, {"maxProperties", &Node::max_properties}};
        if (const auto found = numbers.find(keyword); found != numbers.end()) {
            if (!value.is_number() || (keyword == "multipleOf" && value.get<double>() <= 0))
                throw Refusal{place, keyword + " must be a number" + (keyword == "multipleOf" ? " above 0" : "")};
            node.*(found->second) = whole_if_possible(value);
            return true;
        }
        const auto found = counts.find(keyword);
        if (found == counts.end())
            return false;
        node.*(found->second) = count(value, keyword, place);
        return true;
    }

    // 2.0 is the whole number 2; one that 64 bits do not hold is above every count.
    static std::uint64_t count(const Json& value, const std::string& keyword, const std::string& place)
    {
        const auto number = whole_if_possible(value);
        if (number.is_number_integer() && compare_numbers(number, 0) >= 0)
            return number.get<std::uint64_t>();
        const auto large = number.is_number_float() ? number.get<double>() : 0;
        if (large < 1 || std::floor(large) != large)
            throw Refusal{place, keyword + " must be a whole number of at least 0"};
        return std::numeric_limits<std::uint64_t>::max();
    }

    bool read_subschema(Node& node, const std::string& keyword, const Json& value, const std::string& place,
                        std::size_t depth)
    {
        static const std::map<std::string, const Node * Node::*> single = {
            {"contains", &Node::contains},
            {"additionalProperties", &Node::additional_properties},
            {"propertyNames", &Node::property_names},
            {"not", &Node::none_of}};
        static const std::map<std::string, std::vector<const Node*> Node::*> several = {
            {"allOf", &Node::all_of}, {"anyOf", &Node::any_of}, {"oneOf", &Node::one_of}};
        if (const auto found = single.find(keyword); found != single.end()) {
            node.*(found->second) = compile(value, place, depth + 1);
            return true;
        }
        const auto found = several.find(keyword);
        if (found == several.end())
            return false;
        if (value.empty())
            throw Refusal{place, keyword + " must be a non-empty array of schemas"};
        node.*(found->second) = schemas(value, place, depth);
        return true;
    }

    bool read_children(Node& node, const std::string& keyword, const Json& value, const Json& schema,
                       const std::string& place, std::size_t depth)
    {
        const auto sibling = [&](const char* name) -> const Node* {
            const auto found = schema.find(name);
            const auto parent = place.substr(0, place.rfind('/'));
            return found == schema.end() ? nullptr : compile(*found, parent + "/" + name, depth + 1);
        };
        if (keyword == "items") {
            if (value.is_array() && schema.contains("prefixItems"))
                throw Refusal{place, "beside prefixItems it is one schema"};
            if (value.is_array()) {
                node.tuple = schemas(value, place, depth);
                node.items = sibling("additionalItems");
            } else {
                node.items = compile(value, place, depth + 1);
            }
        } else if (keyword == "prefixItems") {
            if (value.empty())
                throw Refusal{place, "prefixItems must be a non-empty array of schemas"};
            node.tuple = schemas(value, place, depth);
        } else if (keyword == "if") {
            node.condition = compile(value, place, depth + 1);
            node.consequence = sibling("then");
            node.otherwise = sibling("else");
        } else if (keyword == "properties") {
            for_each_child(value, place, [&](const std::string& name, const Json& child, const std::string& where) {
                node.properties[name] = compile(child, where, depth + 1);
            });
        } else if (keyword == "patternProperties") {
            for_each_child(value, place, [&](const std::string& name, const Json& child, const std::string& where) {
                node.pattern_properties.emplace_back(pattern(name, where), compile(child, where, depth + 1));
            });
        } else if (keyword == "dependencies") {
            for_each_child(value, place, [&](const std::string& name, const Json& child, const std::string& where) {
                if (child.is_array())
                    node.dependent_keys.emplace_back(name, texts(child, where));
                else
                    node.dependent_schemas.emplace_back(name, compile(child, where, depth + 1));
            });
        } else {
            return false;
        }
        return true;
    }

    template <class F>
    static void for_each_child(const Json& value, const std::string& place, F f)
    {
        if (!value.is_object())
            throw Refusal{place, "it must be an object of schemas"};
        for (const auto& [name, child] : value.items())
            f(name, child, place + "/" + escaped_token(name));
    }

    std::vector<const Node*> schemas(const Json& value, const std::string& place, std::size_t depth)
    {
        if (!value.is_array())
            throw Refusal{place, "it must be an array of schemas"};
        std::vector<const Node*> list;
        for (const auto& child : value) {
            const auto where = place + "/" + std::to_string(list.size());
            list.push_back(compile(child, where, depth + 1));
        }
        return list;
    }

    static bool known_type(std::string_view type)
    {
        static const std::vector<std::string_view> types = {"null",   "boolean", "integer", "number",
                                                            "string", "array",   "object"};
        return std::find(types.begin(), types.end(), type) != types.end();
    }

    static std::string text(const Json& value, const std::string& place)
    {
        if (!value.is_string())
            throw Refusal{place, "it must be a string"};
        return value.get<std::string>();
    }

    static std::vector<std::string> texts(const Json& value, const std::string& place)
    {
        if (!value.is_array())
            throw Refusal{place, "it must be an array of strings"};
        std::vector<std::string> list;
        for (const auto& one : value)
            list.push_back(text(one, place));
        return list;
    }

    static std::unique_ptr<re2::RE2> pattern(const std::string& source, const std::string& place)
    {
        if (source.size() > longest_pattern)
            throw Refusal{place, "the pattern is too long"};
        re2::RE2::Options options(re2::RE2::Quiet);
        options.set_max_mem(1 << 20);
        auto compiled = std::make_unique<re2::RE2>(source, options);
        if (!compiled->ok())
            throw Refusal{place, "the pattern cannot be used: " + compiled->error()};
        return compiled;
    }

    const Json& document_;
    std::deque<Node>& nodes_;
    std::vector<std::string>& unknown_;
    std::map<std::string, const Node*> made_;
};

}  // namespace compiling

Result<JsonSchema> JsonSchema::compile(const Json& schema)
{
    auto state = std::make_shared<State>();
    try {
        state->root = compiling::Compiler(schema, state->nodes, state->unknown).compile(schema, "", 0);
    } catch (const compiling::Refusal& refusal) {
        const auto place = refusal.place.empty() ? "the schema" : refusal.place;
        return Error(Errc::invalid_argument, "The JSON schema is wrong at " + place + ": " + refusal.message)
            .reason("invalid_schema")
            .param(refusal.place);
    }
    return JsonSchema(std::move(state));
}

const std::vector<std::string>& JsonSchema::unknown_keywords() const
{
    return state_->unknown;
}

}  // namespace dure::schema

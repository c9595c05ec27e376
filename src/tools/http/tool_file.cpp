// Reading tool files; see tool_file.hpp. One wrong tool is left out and listed, the others of its file work.
#include "tools/http/tool_file.hpp"

#include <algorithm>
#include <charconv>

#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"
#include "dure/tools/registry.hpp"

namespace dure::tools {
namespace tool_file_parts {

constexpr std::size_t largest_document = 4u << 20;
constexpr std::size_t largest_answer_allowed = 4u << 20;

// Thrown inside this file only: the end of one table.
struct Wrong {
    std::string message;
};

// One table; what nobody asked for is unknown at its end.
class Table {
public:
    Table(const Json& table, std::string place) : table_(table), place_(std::move(place))
    {
        if (!table.is_object())
            throw Wrong{place_ + " must be a table"};
    }

    const Json* find(const std::string& key)
    {
        known_.push_back(key);
        const auto value = table_.find(key);
        return value == table_.end() ? nullptr : &*value;
    }

    std::string text(const std::string& key, std::string otherwise = {})
    {
        const auto* value = find(key);
        if (value && !value->is_string())
            throw Wrong{name(key) + " must be a text"};
        return value ? value->get<std::string>() : std::move(otherwise);
    }

    std::string needed(const std::string& key)
    {
        auto value = text(key);
        if (value.empty())
            throw Wrong{name(key) + " is missing"};
        return value;
    }

    bool flag(const std::string& key, bool otherwise)
    {
        const auto* value = find(key);
        if (value && !value->is_boolean())
            throw Wrong{name(key) + " must be true or false"};
        return value ? value->get<bool>() : otherwise;
    }

    std::vector<std::string> texts(const std::string& key, std::vector<std::string> otherwise)
    {
        const auto* value = find(key);
        if (!value)
            return otherwise;
        if (!value->is_array() ||
            !std::all_of(value->begin(), value->end(), [](const Json& one) { return one.is_string(); }))
            throw Wrong{name(key) + " must be a list of texts"};
        return value->get<std::vector<std::string>>();
    }

    // A table of texts.
    std::vector<std::pair<std::string, std::string>> map(const std::string& key)
    {
        std::vector<std::pair<std::string, std::string>> out;
        const auto* value = find(key);
        if (!value)
            return out;
        if (!value->is_object())
            throw Wrong{name(key) + " must be a table of texts"};
        for (const auto& [part, one] : value->items()) {
            if (!one.is_string())
                throw Wrong{name(key) + "." + part + " must be a text"};
            out.emplace_back(part, one.get<std::string>());
        }
        return out;
    }

    // "250ms", "30s", "10m", "1h"
    std::chrono::milliseconds duration(const std::string& key, std::chrono::milliseconds otherwise)
    {
        static const std::pair<const char*, std::int64_t> units[] = {
            {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
        return std::chrono::milliseconds(measured(key, otherwise.count(), units, "a duration as \"30s\""));
    }

    // "64KiB", "1MiB"
    std::size_t size(const std::string& key, std::size_t otherwise)
    {
        static const std::pair<const char*, std::int64_t> units[] = {{"B", 1}, {"KiB", 1024}, {"MiB", 1 << 20}};
        return static_cast<std::size_t>(
            measured(key, static_cast<std::int64_t>(otherwise), units, "a size as \"1MiB\""));
    }

    void refuse_the_rest() const
    {
        for (const auto& [key, value] : table_.items())
            if (std::find(known_.begin(), known_.end(), key) == known_.end())
                throw Wrong{"unknown key " + name(key)};
    }

    std::string name(const std::string& key) const { return place_.empty() ? key : place_ + "." + key; }

private:
    template <std::size_t Count>
    std::int64_t measured(const std::string& key, std::int64_t otherwise,
                          const std::pair<const char*, std::int64_t> (&units)[Count], const char* form)
    {
        const auto* value = find(key);
        if (!value)
            return otherwise;
        const auto text = value->is_string() ? value->get<std::string>() : std::string();
        std::int64_t number = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
        const std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
        for (const auto& [suffix, factor] : units)
            if (read.ec == std::errc() && unit == suffix && number >= 0 && number <= 1'000'000'000)
                return number * factor;
        throw Wrong{name(key) + " must be " + form};
    }

    const Json& table_;
    const std::string place_;
    std::vector<std::string> known_;
};

Template parsed(const std::string& text, const std::string& place)
{
    auto made = Template::parse(text);
    if (!made)
        throw Wrong{place + ": " + made.error().message()};
    return *made;
}

http::Method method_of(Table& table)
{
    const auto text = table.text("method", "GET");
    const auto method = http::parse_method(text);
    if (!method || *method == http::Method::options)
        throw Wrong{table.name("method") + " must be one of GET, HEAD, POST, PUT, PATCH, DELETE"};
    return *method;
}

// Origin, path and the query that stands in the URL itself.
void read_url(Table& table, HttpToolPlan& plan)
{
    const auto text = table.needed("url");
    const auto scheme_end = text.find("://");
    const auto authority_end = scheme_end == std::string::npos
                                   ? std::string::npos
                                   : std::min(text.find_first_of("/?#", scheme_end + 3), text.size());
    const auto url = http::parse_url(text.substr(0, authority_end));
    if (!url)
        throw Wrong{table.name("url") + ": " + url.error().message() + " Arguments may stand behind the host only."};
    plan.origin = url->origin();
    auto rest = text.substr(std::min(authority_end, text.size()));
    if (rest.find('#') != std::string::npos)
        throw Wrong{table.name("url") + " may not have a fragment"};
    const auto question = std::min(rest.find('?'), rest.size());
    const auto path = rest.substr(0, question);
    const auto written = parsed(path.empty() ? "/" : path, table.name("url"));
    for (const auto& piece : written.pieces())
        if (piece.argument)
            plan.path.append_argument(piece.text);
        else
            plan.path.append_text(escape_the_rest(piece.text));
    if (question == rest.size())
        return;
    for (std::size_t at = question + 1; at <= rest.size();) {
        const auto end = std::min(rest.find('&', at), rest.size());
        const auto pair = rest.substr(at, end - at);
        const auto equals = std::min(pair.find('='), pair.size());
        const auto name = percent_decode(pair.substr(0, equals));
        const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value)
            throw Wrong{table.name("url") + " has a broken escape in its query"};
        if (!name->empty())
            plan.query.push_back({*name, parsed(*value, table.name("url"))});
        at = end + 1;
    }
}

// Told when it is loaded, not with each call. What an argument brings is looked at then.
void check_header(const std::string& name, const std::string& text, const std::string& place)
{
    if (!http::may_be_sent(name, text))
        throw Wrong{place + "." + to_valid_utf8(name) + " is no header that a tool may send"};
}

using Secrets = std::vector<std::pair<std::string, SecretString>>;

struct SecretParts {
    Secrets headers;
    Secrets query;
    std::string unavailable;   // names of variables that are not set
};

SecretParts read_secrets(Table& table, const Variables& variables)
{
    SecretParts out;
    const auto value_of = [&](const std::string& variable) {
        const auto* value = variables(variable);
        if (!value && out.unavailable.empty())
            out.unavailable = "the environment variable " + variable + " is not set";
        return value ? *value : SecretString();
    };
    for (const auto& [name, variable] : table.map("headers_env")) {
        check_header(name, "", table.name("headers_env"));
        out.headers.emplace_back(name, value_of(variable));
    }
    for (const auto& [name, variable] : table.map("query_env"))
        out.query.emplace_back(name, value_of(variable));
    if (const auto variable = table.text("bearer_env"); !variable.empty())
        out.headers.emplace_back("Authorization", SecretString("Bearer " + std::string(value_of(variable).reveal())));
    return out;
}

void check_places(const Json& body, const std::string& place)
{
    if (body.is_string())
        parsed(body.get<std::string>(), place);
    else if (body.is_structured())
        for (const auto& one : body)
            check_places(one, place);
}

void collect_places(const Json& body, std::vector<std::string>& names)
{
    if (body.is_string()) {
        for (auto& name : Template::parse(body.get<std::string>())->arguments())
            names.push_back(std::move(name));
    } else if (body.is_structured()) {
        for (const auto& one : body)
            collect_places(one, names);
    }
}

void read_body(Table& table, HttpToolPlan& plan)
{
    const auto kind = table.text("body_kind", "json");
    const auto* body = table.find("body");
    if (kind != "json" && kind != "form" && kind != "text")
        throw Wrong{table.name("body_kind") + " must be one of json, form, text"};
    if (body && (plan.method == http::Method::get || plan.method == http::Method::head))
        throw Wrong{table.name("body") + " needs a method that has a body"};
    if (!body)
        return;
    check_places(*body, table.name("body"));
    plan.body = *body;
    plan.body_kind = kind == "form" ? BodyKind::form : kind == "text" ? BodyKind::text : BodyKind::json;
    if (plan.body_kind == BodyKind::form && !body->is_object())
        throw Wrong{table.name("body") + " must be a table when body_kind is form"};
}

// Every place names a declared argument; those of the path are required ones.
void check_arguments(const HttpToolPlan& plan, const std::string& place)
{
    const auto& schema = plan.definition.parameters;
    const auto properties = schema.find("properties");
    const auto required = schema.find("required");
    const auto declared = [&](const std::string& name) {
        return properties != schema.end() && properties->is_object() && properties->contains(name);
    };
    std::vector<std::string> names;
    collect_places(plan.body, names);
    for (const auto& part : plan.query)
        for (auto& name : part.value.arguments())
            names.push_back(std::move(name));
    for (const auto& part : plan.headers)
        for (auto& name : part.value.arguments())
            names.push_back(std::move(name));
    for (const auto& name : plan.path.arguments()) {
        if (required == schema.end() || std::find(required->begin(), required->end(), Json(name)) == required->end())
            throw Wrong{place + ".url uses {" + name + "}, which parameters.required must list"};
        names.push_back(name);
    }
    for (const auto& name : names)
        if (!declared(name))
            throw Wrong{place + " uses {" + name + "}, which parameters.properties does not declare"};
}

void read_behaviour(Table& table, HttpToolPlan& plan)
{
    plan.permission = table.text("permission");
    plan.pure = table.flag("pure", false);
    plan.per_caller = table.flag("per_caller", false);
    plan.acts = table.flag("approval", false);
    plan.cache_life = table.duration("cache_life", plan.cache_life);
    plan.timeout = table.duration("timeout", plan.timeout);
    plan.largest_answer = table.size("largest_answer", plan.largest_answer);
    plan.result = table.text("result");
    if (plan.pure && plan.acts)
        throw Wrong{table.name("pure") + " and approval exclude each other"};
    if (plan.largest_answer == 0 || plan.largest_answer > largest_answer_allowed)
        throw Wrong{table.name("largest_answer") + " must be from 1B to 4MiB"};
    try {
        static_cast<void>(Json::json_pointer(plan.result));
    } catch (const Json::exception&) {
        throw Wrong{table.name("result") + " must be a JSON pointer as \"/data/items\""};
    }
}

HttpToolPlan read_tool(const Json& value, const std::string& place, const std::string& source,
                       const Variables& variables)
{
    Table table(value, place);
    HttpToolPlan plan;
    plan.source = source;
    plan.version = hex(sha256(dump(value)));
    plan.definition.name = table.needed("name");
    if (!is_function_name(plan.definition.name))
        throw Wrong{table.name("name") + " must be 1 to 64 of a-z A-Z 0-9 _ -"};
    plan.definition.description = table.needed("description");
    const auto* parameters = table.find("parameters");
    plan.definition.parameters = parameters ? *parameters : Json{{"type", "object"}, {"properties", Json::object()}};
    if (!plan.definition.parameters.is_object())
        throw Wrong{table.name("parameters") + " must be a JSON schema"};
    plan.method = method_of(table);
    read_url(table, plan);
    for (const auto& [name, text] : table.map("query"))
        plan.query.push_back({name, parsed(text, table.name("query"))});
    for (const auto& [name, text] : table.map("headers")) {
        check_header(name, text, table.name("headers"));
        plan.headers.push_back({name, parsed(text, table.name("headers"))});
    }
    auto secrets = read_secrets(table, variables);
    plan.secret_headers = std::move(secrets.headers);
    plan.secret_query = std::move(secrets.query);
    plan.unavailable = std::move(secrets.unavailable);
    read_body(table, plan);
    read_behaviour(table, plan);
    table.refuse_the_rest();
    check_arguments(plan, place);
    return plan;
}

OpenApiImport read_import(const Json& value, const std::string& place, const Variables& variables)
{
    Table table(value, place);
    OpenApiImport out;
    out.document = table.needed("document");
    if (out.document.find_first_of("/\\") != std::string::npos || out.document.starts_with('.'))
        throw Wrong{table.name("document") + " must be the name of a file in the same folder"};
    out.base_url = table.text("base_url");
    out.prefix = table.text("prefix");
    out.include = table.texts("include", out.include);
    out.exclude = table.texts("exclude", {});
    out.permission = table.text("permission");
    out.timeout = table.duration("timeout", out.timeout);
    out.approval = table.flag("approval", false);
    auto secrets = read_secrets(table, variables);
    out.secret_headers = std::move(secrets.headers);
    out.secret_query = std::move(secrets.query);
    out.unavailable = std::move(secrets.unavailable);
    table.refuse_the_rest();
    return out;
}

// `read` is called for each entry of a list of tables.
template <class Read>
void read_list(Table& file, const std::string& key, const std::string& source, std::vector<LoadProblem>& problems,
               Read read)
{
    const auto* list = file.find(key);
    if (!list)
        return;
    if (!list->is_array())
        throw Wrong{key + " must be a list of tables, each headed [[" + key + "]]"};
    for (std::size_t i = 0; i < list->size(); ++i) {
        const auto& one = (*list)[i];
        try {
            read(one, key + "[" + std::to_string(i) + "]");
        } catch (const Wrong& wrong) {
            const auto name = one.is_object() && one.contains("name") && one["name"].is_string()
                                  ? one["name"].get<std::string>()
                                  : "";
            problems.push_back({source, name, wrong.message});
        }
    }
}

}  // namespace tool_file_parts

using namespace tool_file_parts;

Result<Json> parse_tool_json(std::string_view text)
{
    if (text.size() > largest_document)
        return Error(Errc::invalid_argument, "the document is larger than 4 MiB");
    if (auto checked = schema::check_json(text); !checked)
        return Error(Errc::invalid_argument, checked.error().message());
    return Json::parse(text);
}

bool matches(const std::vector<std::string>& patterns, std::string_view name)
{
    return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
        return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
    });
}

ToolFile read_tool_file(const Json& document, const std::string& source, const Variables& variables)
{
    ToolFile out;
    try {
        Table file(document, "");
        read_list(file, "tool", source, out.problems, [&](const Json& one, const std::string& place) {
            out.tools.push_back(read_tool(one, place, source, variables));
        });
        read_list(file, "openapi", source, out.problems, [&](const Json& one, const std::string& place) {
            out.imports.push_back(read_import(one, place, variables));
        });
        file.refuse_the_rest();
    } catch (const Wrong& wrong) {
        out.problems.push_back({source, {}, wrong.message});
    }
    return out;
}

}  // namespace dure::tools

// Reading OpenAPI documents; see openapi.hpp. document -> paths -> operations: parameters and body become one schema of
// arguments, and the places of the request where they go.
#include "tools/http/openapi.hpp"

#include <algorithm>
#include <set>

#include "dure/base/text.hpp"
#include "tools/http/openapi_schema.hpp"

namespace dure::tools {
namespace openapi_parts {

constexpr std::size_t most_operations = 1000;
constexpr std::size_t most_values = 200'000;
constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_description = 4096;

constexpr std::pair<const char*, http::Method> methods[] = {
    {"get", http::Method::get},        {"put", http::Method::put},     {"post", http::Method::post},
    {"delete", http::Method::delete_}, {"patch", http::Method::patch}, {"head", http::Method::head},
};

const Json nothing = Json::object();

const Json& member(const Json& object, const char* key)
{
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : nothing;
}

std::string text_member(const Json& object, const char* key)
{
    const auto& value = member(object, key);
    return value.is_string() ? value.get<std::string>() : std::string();
}

bool true_member(const Json& object, const char* key)
{
    return member(object, key) == Json(true);
}

// Letters, digits, _ and -; runs of anything else become one '_'. Long ones keep a digest of what was cut.
std::string legal_name(const std::string& text)
{
    std::string name;
    for (const char c : text) {
        const bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        if (legal)
            name += c;
        else if (!name.empty() && name.back() != '_')
            name += '_';
    }
    while (name.ends_with('_'))
        name.pop_back();
    if (name.size() > longest_name)
        name = name.substr(0, longest_name - 9) + "_" + hex(sha256(text)).substr(0, 8);
    return name;
}

// The server's address: origin, and what stands in front of every path.
struct Base {
    std::string origin;
    std::string path;
};

std::string server_text(const Json& server)
{
    auto url = text_member(server, "url");
    for (const auto& [name, variable] : member(server, "variables").items()) {
        const auto place = "{" + name + "}";
        const auto value = text_member(variable, "default");
        for (auto at = url.find(place); at != std::string::npos; at = url.find(place, at + value.size()))
            url.replace(at, place.size(), value);
    }
    return url;
}

Base base_of(const std::string& text)
{
    const auto url = http::parse_url(text);
    if (!url)
        throw OpenApiProblem{"the server's address '" + text +
                             "' is no absolute http(s) URL; a tool file can give base_url"};
    auto path = url->target.substr(0, url->target.find('?'));
    if (path.ends_with('/'))
        path.pop_back();
    return {url->origin(), path};
}

class Operation {
public:
    Operation(const Json& document, const OpenApiImport& import, std::size_t& budget)
        : document_(document), import_(import), schemas_(document, budget)
    {}

    HttpToolPlan read(const std::string& path, const Json& item, http::Method method, const Json& operation)
    {
        plan_.method = method;
        read_server(item, operation);
        read_parameters(item, operation);
        read_path(path);
        read_body(operation);
        read_security(operation);
        describe(operation);
        plan_.timeout = import_.timeout;
        plan_.permission = import_.permission;
        plan_.acts = import_.approval && method != http::Method::get && method != http::Method::head;
        return std::move(plan_);
    }

private:
    void read_server(const Json& item, const Json& operation)
    {
        auto text = import_.base_url;
        for (const auto* owner : {&operation, &item, &document_})
            if (text.empty() && member(*owner, "servers").is_array() && !member(*owner, "servers").empty())
                text = server_text(member(*owner, "servers")[0]);
        auto base = base_of(text);
        plan_.origin = std::move(base.origin);
        base_path_ = std::move(base.path);
    }

    // Those of the operation stand before those of its path, which they replace.
    void read_parameters(const Json& item, const Json& operation)
    {
        std::set<std::pair<std::string, std::string>> seen;
        for (const auto* owner : {&operation, &item}) {
            if (!member(*owner, "parameters").is_array())
                continue;
            for (const auto& one : member(*owner, "parameters")) {
                const auto& parameter = openapi_resolve(document_, one);
                const auto name = text_member(parameter, "name");
                const auto in = text_member(parameter, "in");
                if (name.empty() || in.empty())
                    throw OpenApiProblem{"a parameter has no name or no place"};
                if (seen.insert({name, in}).second)
                    read_parameter(parameter, name, in);
            }
        }
    }

    void read_parameter(const Json& parameter, const std::string& name, const std::string& in)
    {
        const bool required = true_member(parameter, "required") || in == "path";
        if (in == "cookie") {
            if (required)
                throw OpenApiProblem{"the parameter '" + name + "' is a cookie, which tools do not send"};
            return;
        }
        const auto lower = ascii_lower(name);
        if (in == "header" && (lower == "accept" || lower == "content-type" || lower == "authorization"))
            return;  // OpenAPI: such definitions are to be ignored
        if (in == "header" && !http::may_be_sent(name, {})) {
            if (required)
                throw OpenApiProblem{"the parameter '" + name + "' is no header that a tool may send"};
            return;
        }
        const auto& content = member(parameter, "content");
        const bool as_json = content.is_object() && !content.empty();
        const auto argument =
            declare(name, in, as_json ? member(*content.begin(), "schema") : member(parameter, "schema"),
                    text_member(parameter, "description"), required);
        const auto style = as_json ? std::optional<ParameterStyle>() : written_style(parameter, name, in);
        if (in == "path") {
            path_arguments_[name] = argument;
            if (style)
                plan_.path_styles[argument] = *style;
        } else if (in == "header")
            plan_.headers.push_back({name, Template::of_argument(argument), style});
        else if (in == "query")
            plan_.query.push_back(
                {name, Template::of_argument(argument), as_json ? QueryStyle::json : style_of(parameter)});
        else
            throw OpenApiProblem{"the parameter '" + name + "' is in '" + in + "', which OpenAPI does not know"};
    }

    // Headers know the simple style only.
    static ParameterStyle written_style(const Json& parameter, const std::string& name, const std::string& in)
    {
        const auto word = in == "path" ? text_member(parameter, "style") : std::string();
        const auto kind = word == "label"    ? ParameterStyle::Kind::label
                          : word == "matrix" ? ParameterStyle::Kind::matrix
                                             : ParameterStyle::Kind::simple;
        return {kind, true_member(parameter, "explode"), name};
    }

    static QueryStyle style_of(const Json& parameter)
    {
        const auto style = text_member(parameter, "style");
        if (style == "deepObject")
            return QueryStyle::deep_object;
        if (style == "spaceDelimited")
            return QueryStyle::spaces;
        if (style == "pipeDelimited")
            return QueryStyle::pipes;
        return member(parameter, "explode") == Json(false) ? QueryStyle::commas : QueryStyle::repeated;
    }

    // A name that is taken by a parameter in another place gets the place behind it.
    std::string declare(const std::string& wanted, const std::string& place, const Json& schema,
                        const std::string& description, bool required)
    {
        auto name = wanted;
        for (int i = 1; properties_.contains(name); ++i)
            name = wanted + "_" + place + (i == 1 ? "" : std::to_string(i));
        auto& property = properties_[name] = schemas_.convert(schema);
        if (!description.empty() && property.is_object() && !property.contains("description"))
            property["description"] = description;
        if (required)
            required_.push_back(name);
        return name;
    }

    void read_path(const std::string& path)
    {
        const auto parsed = Template::parse(path);
        if (!parsed || !path.starts_with('/') || path.find_first_of("?#") != std::string::npos)
            throw OpenApiProblem{"the path is not valid"};
        Template filled;
        if (!base_path_.empty())
            filled.append_text(base_path_);
        for (const auto& piece : parsed->pieces()) {
            if (!piece.argument) {
                filled.append_text(escape_the_rest(piece.text));
                continue;
            }
            const auto argument = path_arguments_.find(piece.text);
            if (argument == path_arguments_.end())
                throw OpenApiProblem{"the path uses {" + piece.text + "}, which no parameter declares"};
            filled.append_argument(argument->second);
        }
        plan_.path = std::move(filled);
    }

    void read_body(const Json& operation)
    {
        const auto& body = openapi_resolve(document_, member(operation, "requestBody"));
        const auto& content = member(body, "content");
        if (!content.is_object() || content.empty())
            return;
        const bool required = true_member(body, "required");
        for (const auto& [wanted, kind] :
             {std::pair{"json", BodyKind::json}, std::pair{"x-www-form-urlencoded", BodyKind::form},
              std::pair{"text/plain", BodyKind::text}}) {
            for (const auto& [type, media] : content.items()) {
                const auto plain = ascii_lower(trim(std::string_view(type).substr(0, type.find(';'))));
                if (plain.find(wanted) == std::string::npos && !(plain == "*/*" && kind == BodyKind::json))
                    continue;
                const auto argument =
                    declare("body", "content", member(media, "schema"), text_member(body, "description"), required);
                plan_.body_kind = kind;
                plan_.body = "{" + argument + "}";
                plan_.body_type = kind == BodyKind::json && plain != "*/*" ? plain : "";
                return;
            }
        }
        if (required)
            throw OpenApiProblem{"its body is neither JSON nor a form nor text"};
    }

    void read_security(const Json& operation)
    {
        plan_.secret_headers = import_.secret_headers;
        plan_.secret_query = import_.secret_query;
        plan_.unavailable = import_.unavailable;
        const bool own = operation.contains("security");
        const auto& security = own ? operation["security"] : member(document_, "security");
        const bool needed = security.is_array() && !security.empty() &&
                            std::none_of(security.begin(), security.end(), [](const Json& one) { return one.empty(); });
        if (needed && plan_.secret_headers.empty() && plan_.secret_query.empty())
            plan_.unavailable = "the operation needs a credential, which a tool file has to name";
    }

    void describe(const Json& operation)
    {
        auto& text = plan_.definition.description;
        text = text_member(operation, "summary");
        const auto more = text_member(operation, "description");
        if (!more.empty() && more != text)
            text += (text.empty() ? "" : "\n") + more;
        text = std::string(utf8_prefix(text, longest_description));
        auto& schema = plan_.definition.parameters;
        schema = {{"type", "object"}, {"properties", properties_}, {"additionalProperties", false}};
        if (!required_.empty())
            schema["required"] = required_;
        if (auto definitions = schemas_.definitions(); !definitions.empty())
            schema["$defs"] = std::move(definitions);
    }

    const Json& document_;
    const OpenApiImport& import_;
    OpenApiSchemas schemas_;
    HttpToolPlan plan_;
    std::string base_path_;
    Json properties_ = Json::object();
    Json required_ = Json::array();
    std::map<std::string, std::string> path_arguments_;  // name in the path -> argument
};

class Reader {
public:
    Reader(const Json& document, const OpenApiImport& import, const std::string& source)
        : document_(document), import_(import), source_(source)
    {}

    OpenApiTools read()
    {
        const auto version = text_member(document_, "openapi");
        if (!version.starts_with("3.0") && !version.starts_with("3.1"))
            problem({}, "this is no OpenAPI 3.0 or 3.1 document");
        else
            for (const auto& [path, item] : member(document_, "paths").items())
                read_path(path, item);
        return std::move(out_);
    }

private:
    void read_path(const std::string& path, const Json& written)
    {
        try {
            const auto& item = openapi_resolve(document_, written);
            for (const auto& [word, method] : methods)
                if (const auto& operation = member(item, word); operation.is_object() && item.contains(word))
                    read_operation(path, item, word, method, operation);
        } catch (const OpenApiProblem& wrong) {
            problem(path, wrong.message);
        }
    }

    void read_operation(const std::string& path, const Json& item, const char* word, http::Method method,
                        const Json& operation)
    {
        const auto id = text_member(operation, "operationId");
        auto name = legal_name(import_.prefix + id);
        if (legal_name(id).empty())
            name = legal_name(import_.prefix + word + "_" + path);
        const auto chosen = [&](const std::vector<std::string>& patterns) {
            return matches(patterns, name) || matches(patterns, id);
        };
        if (!chosen(import_.include) || chosen(import_.exclude))
            return;
        if (out_.tools.size() >= most_operations) {
            if (!std::exchange(full_, true))
                problem(name, "the document has more than 1000 operations; this one and those behind it are left out");
            return;
        }
        try {
            auto plan = Operation(document_, import_, budget_).read(path, item, method, operation);
            plan.definition.name = unique(name);
            if (plan.definition.description.empty())
                plan.definition.description = ascii_lower(word) + " " + path;
            plan.source = source_;
            plan.version = hex(sha256(dump(operation) + plan.origin));
            out_.tools.push_back(std::move(plan));
        } catch (const OpenApiProblem& wrong) {
            problem(name, wrong.message);
        }
    }

    std::string unique(const std::string& name)
    {
        auto made = name;
        for (int i = 2; !taken_.insert(made).second; ++i) {
            const auto end = "_" + std::to_string(i);
            made = name.substr(0, longest_name - end.size()) + end;
        }
        return made;
    }

    void problem(const std::string& name, std::string message)
    {
        out_.problems.push_back({source_, name, std::move(message)});
    }

    const Json& document_;
    const OpenApiImport& import_;
    const std::string& source_;
    OpenApiTools out_;
    std::set<std::string> taken_;
    std::size_t budget_ = most_values;
    bool full_ = false;
};

}  // namespace openapi_parts

OpenApiTools read_openapi(const Json& document, const OpenApiImport& import, const std::string& source)
{
    return openapi_parts::Reader(document, import, source).read();
}

}  // namespace dure::tools

// The OpenAPI 3.1 document, made from the route table; bodies refer to the schemas of openapi_schemas.cpp.
#include "api/errors.hpp"
#include "api/openapi_schemas.hpp"
#include "api/routes.hpp"
#include "dure/base/text.hpp"

namespace dure::api {

namespace {

// "/v1/models/{model...}" -> "/v1/models/{model}": OpenAPI has no word for "the rest of the path".
std::string documented_path(std::string_view pattern)
{
    std::string path(pattern);
    for (std::size_t at; (at = path.find("...}")) != std::string::npos;)
        path.erase(at, 3);
    return path;
}

OrderedJson path_parameters(const std::string& path)
{
    auto list = OrderedJson::array();
    for (std::size_t at = 0; (at = path.find('{', at)) != std::string::npos;) {
        const auto end = path.find('}', at);
        list.push_back({{"name", path.substr(at + 1, end - at - 1)},
                        {"in", "path"},
                        {"required", true},
                        {"schema", path_schema(path.substr(at + 1, end - at - 1))}});
        at = end;
    }
    return list;
}

OrderedJson reference(std::string_view schema)
{
    return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

OrderedJson error_answer(ErrorForm form)
{
    const bool openai = form == ErrorForm::openai;
    return {{"description", "The request was refused or failed"},
            {"content",
             {{openai ? "application/json" : "application/problem+json",
               {{"schema", reference(openai ? "OpenAiError" : "Problem")}}}}}};
}

OrderedJson parameters_of(const Route& route, const std::string& path)
{
    auto parameters = path_parameters(path);
    for (const auto name : route.doc.query)
        parameters.push_back({{"name", name}, {"in", "query"}, {"required", false}, {"schema", query_schema(name)}});
    for (const auto name : route.doc.headers)
        parameters.push_back({{"name", name}, {"in", "header"}, {"required", false}, {"schema", header_schema(name)}});
    return parameters;
}

// Two answers of one status are two media types of it.
void add_answer(OrderedJson& answers, const OtherAnswer& answer)
{
    auto& out = answers[std::to_string(answer.status)];
    if (out.contains("description"))
        out["description"] = out["description"].get<std::string>() + "; " + std::string(answer.description);
    else
        out["description"] = answer.description;
    for (const auto name : answer.headers)
        out["headers"][std::string(name)]["schema"] = header_schema(name);
    if (!answer.schema.empty())
        out["content"][std::string(answer.type)]["schema"] = reference(answer.schema);
}

OrderedJson answers_of(const Route& route)
{
    const auto& doc = route.doc;
    auto answers = OrderedJson::object();
    add_answer(answers, {doc.status, "Success", doc.answer, doc.answer_type, doc.answer_headers});
    if (doc.operation == "createChatCompletion")
        add_answer(answers, {doc.status, "with stream: true, chunks", "EventStream", "text/event-stream"});
    for (const auto& other : doc.others)
        add_answer(answers, other);
    answers["default"] = error_answer(error_form_of(route.pattern));
    return answers;
}

OrderedJson operation(const Route& route, const std::string& path)
{
    OrderedJson out{{"operationId", route.doc.operation},
                    {"tags", OrderedJson::array({std::string(route.doc.tag)})},
                    {"summary", route.doc.summary}};
    if (auto parameters = parameters_of(route, path); !parameters.empty())
        out["parameters"] = std::move(parameters);
    if (!route.doc.request.empty())
        out["requestBody"] = {{"required", !route.doc.body_optional},
                              {"content", {{route.doc.request_type, {{"schema", reference(route.doc.request)}}}}}};
    out["responses"] = answers_of(route);
    out["security"] = OrderedJson::array();
    if (!route.access.is_open)
        out["security"].push_back({{"bearer", OrderedJson::array()}});
    if (!route.access.needed.empty())
        out["x-dure-permission"] = route.access.needed;
    if (route.access.people_only)
        out["x-dure-credential"] = "access token";
    return out;
}

}  // namespace

OrderedJson openapi_document(const std::vector<Route>& table, const std::string& version)
{
    OrderedJson document{{"openapi", "3.1.0"},
                         {"info",
                          {{"title", "Dure"},
                           {"version", version},
                           {"summary", "OpenAI-compatible chat with an agent behind it, sessions and flows"},
                           {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}}};
    auto& paths = document["paths"] = OrderedJson::object();
    for (const auto& route : table) {
        const auto path = documented_path(route.pattern);
        paths[path][ascii_lower(http::name_of(route.method))] = operation(route, path);
    }
    auto& components = document["components"];
    components["securitySchemes"]["bearer"] = {
        {"type", "http"},
        {"scheme", "bearer"},
        {"description", "An API key, dk_…, or an access token of /auth/jwt/login"}};
    components["schemas"] = component_schemas();
    return document;
}

}  // namespace dure::api

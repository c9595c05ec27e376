// The tools over HTTP; see tools.hpp. What goes wrong inside of a tool, its arguments included, is an outcome with
// success:false and status 200, as a model would get it; an unknown tool is 404.
#include "api/tools/tools.hpp"

#include <algorithm>
#include <cmath>

#include "api/audit.hpp"
#include "api/page.hpp"
#include "dure/base/text.hpp"
#include "dure/schema/fields.hpp"
#include "dure/schema/json_schema.hpp"
#include "dure/schema/json_view.hpp"
#include "dure/tools/registry.hpp"
#include "dure/tools/selector.hpp"
#include "dure/tools/toolbox.hpp"

namespace dure::api {

namespace tool_routes {

constexpr std::size_t longest_idempotency_key = 255;
constexpr std::size_t longest_key_told = 100;

struct Choice {
    std::string query;
    std::int64_t max_tools = 5;
};

const auto& choice_fields()
{
    static const auto fields = schema::object<Choice>(schema::UnknownFields::refuse)
                                   .required("query", &Choice::query, schema::length(1, 32768))
                                   .optional("max_tools", &Choice::max_tools, schema::range(1, 100));
    return fields;
}

OrderedJson tool_json(const tools::Tool& tool)
{
    const auto& definition = tool.definition();
    const auto why = tool.why_unavailable();
    OrderedJson out{{"name", definition.name},
                    {"description", definition.description},
                    {"schema", OrderedJson(definition.parameters)},
                    {"source", tool.source()},
                    {"available", why.empty()}};
    out["unavailable_reason"] = why.empty() ? OrderedJson(nullptr) : OrderedJson(why);
    out["pure"] = tool.pure();
    out["needs_approval"] = tool.acts();
    out["permission"] = tool.permission().empty() ? std::string(tools::execute_permission) : tool.permission();
    return out;
}

Error no_such_tool()
{
    return Error(Errc::not_found, "There is no such tool.");
}

Error wrong_field(std::vector<std::string> place, const char* message, const char* type)
{
    return Error(Errc::invalid_argument, message).param(place.back()).problem({place, message, type});
}

// The text of "arguments", as it was sent; "{}" when there are none.
Result<std::string_view> read_arguments(std::string_view body)
{
    const schema::JsonView view(body);
    if (!view.is_object())
        return wrong_field({"body"}, "The body must be a JSON object.", "dict_type");
    std::vector<FieldProblem> problems;
    std::string_view arguments = "{}";
    view.for_each_member([&](std::string_view key, const schema::JsonView& value) {
        if (problems.size() >= schema::most_problems)
            return;
        if (key != "arguments")
            problems.push_back({{"body", to_valid_utf8(utf8_prefix(key, longest_key_told))},
                                "Extra inputs are not permitted",
                                "extra_forbidden"});
        else if (value.is_object())
            arguments = value.raw();
        else if (!value.is_null())
            problems.push_back({{"body", "arguments"}, "Input should be a valid dictionary", "dict_type"});
    });
    if (problems.empty())
        return arguments;
    const auto& first = problems.front();
    auto wrong = wrong_field(first.location, first.message.c_str(), first.type.c_str());
    return std::move(wrong).problems(std::move(problems));
}

Result<tools::Caller> tool_caller(const RequestContext& context)
{
    tools::Caller caller;
    caller.user_id = context.principal().user_id;
    caller.request_id = context.request_id();
    caller.may_execute = context.principal().may(tools::execute_permission);
    caller.approves = true;
    caller.permissions = context.principal().permissions;
    caller.idempotency_key = context.header("Idempotency-Key");
    const bool visible = std::all_of(caller.idempotency_key.begin(), caller.idempotency_key.end(),
                                     [](char c) { return c > ' ' && c < 0x7f; });
    if (!visible || caller.idempotency_key.size() > longest_idempotency_key)
        return wrong_field({"header", "Idempotency-Key"}, "Idempotency-Key must be up to 255 visible ASCII characters.",
                           "value_error");
    return caller;
}

OrderedJson outcome_json(const tools::Outcome& outcome)
{
    OrderedJson body{{"success", outcome.success}};
    if (outcome.success)
        body["result"] = OrderedJson(outcome.result);
    else
        body["error"] = outcome.error;
    body["duration_ms"] = outcome.duration_ms;
    body["cached"] = outcome.cached;
    return body;
}

}  // namespace tool_routes

using namespace tool_routes;

Handler list_tools(const ApiParts& parts)
{
    return [&registry = parts.tools](RequestContext& context) -> Task<Result<void>> {
        const auto page = page_fields_alone().read_query(context.query);
        if (!page)
            co_return page.error();
        const auto as_json = [](const auto& tool) { return tool_json(*tool); };
        co_return co_await context.respond_json(200, page_json("tools", registry.all(), *page, as_json));
    };
}

Handler get_tool(const ApiParts& parts)
{
    return [&registry = parts.tools](RequestContext& context) -> Task<Result<void>> {
        const auto tool = registry.find(context.path_parameter("name"));
        if (!tool)
            co_return no_such_tool();
        co_return co_await context.respond_json(200, tool_json(*tool));
    };
}

Handler execute_tool(const ApiParts& parts)
{
    return [&registry = parts.tools, &audit = parts.audit,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto name = context.path_parameter("name");
        if (!registry.find(name))
            co_return no_such_tool();
        const auto caller = tool_caller(context);
        if (!caller)
            co_return caller.error();
        const auto body = co_await context.json_body(static_cast<std::size_t>(limits.json_body));
        if (!body)
            co_return body.error();
        const auto arguments = read_arguments(*body);
        if (!arguments)
            co_return arguments.error();
        const auto outcome = co_await registry.execute(name, *arguments, *caller);
        // On record before it is answered.
        std::vector<events::ToolRun> runs;
        runs.push_back({name, std::string(*arguments), outcome.success, outcome.duration_ms});
        if (auto recorded = co_await audit.tool_runs(actor_of(context), std::move(runs)); !recorded)
            co_return recorded.error();
        co_return co_await context.respond_json(200, outcome_json(outcome));
    };
}

Handler select_tools(const ApiParts& parts)
{
    return [&selector = parts.selector, &settings = parts.settings](RequestContext& context) -> Task<Result<void>> {
        const auto caller = tool_caller(context);
        if (!caller)
            co_return caller.error();
        const auto body = co_await context.json_body(static_cast<std::size_t>(settings.server.limits.json_body));
        if (!body)
            co_return body.error();
        const auto choice = choice_fields().read_body(schema::JsonView(*body));
        if (!choice)
            co_return choice.error();
        const auto selection =
            co_await selector.select(choice->query, static_cast<std::size_t>(choice->max_tools), *caller,
                                     Deadline::after(settings.tools.timeout));
        auto ranked = OrderedJson::array();
        for (const auto& near : selection.tools)
            ranked.push_back({{"name", near.tool->definition().name}, {"score", std::round(near.score * 1e4) / 1e4}});
        OrderedJson answer;
        answer["tools"] = std::move(ranked);
        answer["model"] = selection.model;
        co_return co_await context.respond_json(200, answer);
    };
}

Handler reload_tools(const ApiParts& parts)
{
    return [&toolbox = parts.toolbox, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
        const auto report = co_await toolbox.reload();
        auto recorded = co_await audit.configuration_reloaded(
            actor_of(context), {{"what", "tools"}, {"tools", report.tools}, {"failed", report.failed.size()}});
        if (!recorded)
            co_return recorded.error();
        auto failed = OrderedJson::array();
        for (const auto& problem : report.failed) {
            OrderedJson one{{"source", problem.source}};
            one["name"] = problem.name.empty() ? OrderedJson(nullptr) : OrderedJson(problem.name);
            one["error"] = problem.message;
            failed.push_back(std::move(one));
        }
        OrderedJson body;
        body["tools"] = report.tools;
        body["failed"] = std::move(failed);
        co_return co_await context.respond_json(200, body);
    };
}

}  // namespace dure::api

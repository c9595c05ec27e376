// Executions as rows: lists, one with its steps, and what changes its course; see executions.hpp.
#include "api/executions/executions.hpp"

#include "api/flows/answers.hpp"
#include "api/wrong_together.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

Json whole_json(const executions::Whole& whole)
{
    auto json = executions::to_json(whole.execution);
    auto& list = json["steps"] = Json::array();
    for (const auto& step : whole.steps)
        list.push_back(executions::to_json(step));
    return json;
}

Task<Result<void>> check_seen(const ApiParts& parts, const RequestContext& context, const std::string& execution_id)
{
    if (!context.principal().models)
        co_return Result<void>();
    const auto execution = co_await parts.executions.find(execution_id, context.principal().user_id);
    if (!execution)
        co_return execution.error();
    if (!context.principal().may_use_model("flow:" + execution->flow_slug))
        co_return Error(Errc::not_found, "No such execution.");
    co_return Result<void>();
}

namespace execution_routes {

constexpr std::size_t uuid_characters = 36;

struct ListInput {
    std::optional<std::string> status, flow_id;
    std::int64_t page = 1;
    std::int64_t page_size = 20;
};

auto list_fields(bool of_one_flow)
{
    auto fields = schema::object<ListInput>(schema::UnknownFields::refuse)
                      .optional("status", &ListInput::status,
                                schema::one_of({"queued", "running", "waiting", "succeeded", "failed", "cancelled"}))
                      .optional("page", &ListInput::page, schema::range(1, 1e9))
                      .optional("page_size", &ListInput::page_size, schema::range(1, 100));
    if (!of_one_flow)
        fields.optional("flow_id", &ListInput::flow_id, schema::length(1, 128));
    return fields;
}

executions::Filter filter_of(const ListInput& input, const RequestContext& context)
{
    executions::Filter filter;
    filter.models = context.principal().models;
    filter.flow_id = input.flow_id.value_or("");
    if (input.status)
        filter.status = executions::status_named(*input.status);
    filter.page = input.page;
    filter.page_size = input.page_size;
    return filter;
}

// Empties the page before it is written.
Task<Result<void>> respond_page(RequestContext& context, executions::Page& page, const executions::Filter& filter)
{
    Json body{
        {"executions", Json::array()}, {"total", page.total}, {"page", filter.page}, {"page_size", filter.page_size}};
    for (const auto& execution : page.executions)
        body["executions"].push_back(executions::to_json(execution));
    auto text = dump(body);
    body = nullptr;
    page = executions::Page();
    co_return co_await context.respond_json_text(200, std::move(text));
}

struct ResumeInput {
    std::string node_id, action;
    Json answer;
};

const auto& resume_fields()
{
    static const auto fields = schema::object<ResumeInput>(schema::UnknownFields::refuse)
                                   .optional("node_id", &ResumeInput::node_id, schema::length(0, 256))
                                   .optional("action", &ResumeInput::action, schema::length(0, 256))
                                   .optional("answer", &ResumeInput::answer);
    return fields;
}

struct ForkInput {
    Json step, patch;
    std::string webhook;
};

const auto& fork_fields()
{
    static const auto fields = schema::object<ForkInput>(schema::UnknownFields::refuse)
                                   .required("step", &ForkInput::step)
                                   .optional("patch", &ForkInput::patch)
                                   .optional("webhook", &ForkInput::webhook, schema::length(0, 2048));
    return fields;
}

Error wrong_type(const std::string& field, const std::string& message)
{
    return Error(Errc::invalid_argument, message).param(field).problem({{"body", field}, message, "type_error"});
}

// What is absent is the table's to name.
Result<void> step_fits(const schema::JsonView& body)
{
    const auto step = body.find("step");
    if (!step || step->is_null() || step->is_string() || Json::parse(step->raw()).is_number_integer())
        return {};
    return wrong_type("step", "Input should be the number of a step or the id of a node");
}

Result<void> patch_fits(const schema::JsonView& body)
{
    const auto patch = body.find("patch");
    if (!patch || patch->is_null() || patch->is_object())
        return {};
    return wrong_type("patch", "Input should be a valid dictionary");
}

Task<Result<void>> respond_changed(RequestContext& context, const Result<executions::Execution>& changed)
{
    if (!changed)
        co_return changed.error();
    co_return co_await context.respond_json_text(202, dump(executions::to_json(*changed)));
}

}  // namespace execution_routes

Handler list_executions(const ApiParts& parts)
{
    return [&service = parts.executions,
            fields = execution_routes::list_fields(false)](RequestContext& context) -> Task<Result<void>> {
        const auto input = fields.read_query(context.query);
        if (!input)
            co_return input.error();
        const auto filter = execution_routes::filter_of(*input, context);
        auto page = co_await service.list(context.principal().user_id, filter);
        if (!page)
            co_return page.error();
        co_return co_await execution_routes::respond_page(context, *page, filter);
    };
}

Handler list_flow_executions(const ApiParts& parts)
{
    return [&service = parts.executions,
            fields = execution_routes::list_fields(true)](RequestContext& context) -> Task<Result<void>> {
        const auto input = fields.read_query(context.query);
        if (!input)
            co_return input.error();
        auto filter = execution_routes::filter_of(*input, context);
        filter.flow_id = context.path_parameter("id");
        if (filter.flow_id.size() != execution_routes::uuid_characters) {   // a slug
            const auto flow = co_await service.parts().flows.find(flow_owner(context), filter.flow_id, "");
            if (!flow)
                co_return flow.error();
            filter.flow_id = flow->id;
        }
        auto page = co_await service.list(context.principal().user_id, filter);
        if (!page)
            co_return page.error();
        // Nothing to show of a flow that is not there is a 404; executions outlive their flow.
        if (page->total == 0 && !filter.status)
            if (const auto flow = co_await service.parts().flows.find(flow_owner(context), filter.flow_id, "");
                !flow && flow.error().code() == Errc::not_found)
                co_return flow.error();
        co_return co_await execution_routes::respond_page(context, *page, filter);
    };
}

Handler get_execution(const ApiParts& parts)
{
    return [&parts, &service = parts.executions](RequestContext& context) -> Task<Result<void>> {
        if (auto seen = co_await check_seen(parts, context, context.path_parameter("id")); !seen)
            co_return seen.error();
        auto whole = co_await service.whole(context.path_parameter("id"), context.principal().user_id);
        if (!whole)
            co_return whole.error();
        auto text = dump(whole_json(*whole));
        *whole = executions::Whole();   // not kept while it is written
        co_return co_await context.respond_json_text(200, std::move(text));
    };
}

Handler cancel_execution(const ApiParts& parts)
{
    return [&service = parts.executions](RequestContext& context) -> Task<Result<void>> {
        co_return co_await execution_routes::respond_changed(
            context, co_await service.cancel(context.path_parameter("id"), flow_owner(context)));
    };
}

Handler retry_execution(const ApiParts& parts)
{
    return [&service = parts.executions](RequestContext& context) -> Task<Result<void>> {
        co_return co_await execution_routes::respond_changed(
            context, co_await service.retry(context.path_parameter("id"), flow_owner(context)));
    };
}

Handler resume_execution(const ApiParts& parts)
{
    return [&service = parts.executions,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_body(static_cast<std::size_t>(limits.json_body));
        if (!body)
            co_return body.error();
        auto input = execution_routes::resume_fields().read_body(*body);
        if (!input)
            co_return input.error();
        co_return co_await execution_routes::respond_changed(
            context,
            co_await service.resume(context.path_parameter("id"), flow_owner(context),
                                    {std::move(input->node_id), std::move(input->action), std::move(input->answer)}));
    };
}

Handler fork_execution(const ApiParts& parts)
{
    return [&service = parts.executions,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_body(static_cast<std::size_t>(limits.json_body));
        if (!body)
            co_return body.error();
        const schema::JsonView view(*body);
        auto input = execution_routes::fork_fields().read_body(view);
        if (!view.is_object())
            co_return input.error();
        if (auto refused = wrong_together(input, execution_routes::step_fits(view), execution_routes::patch_fits(view)))
            co_return *refused;
        co_return co_await execution_routes::respond_changed(
            context,
            co_await service.fork(context.path_parameter("id"), flow_owner(context),
                                  {std::move(input->step), std::move(input->patch), std::move(input->webhook)}));
    };
}

}  // namespace dure::api

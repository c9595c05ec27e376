// Flows over HTTP; see flows.hpp. Bodies go to the service as text: what is wrong with them is 422 with every problem.
#include "api/flows/flows.hpp"

#include "api/flows/answers.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace flow_routes {

struct ListInput {
    std::string flow_type, search, category, sort_by = "updated_at", sort_order;
    std::vector<std::string> tags;
    std::optional<bool> is_active;
    std::int64_t page = 1;
    std::int64_t page_size = 20;
};

auto flow_list_fields(bool with_type)
{
    auto fields = schema::object<ListInput>(schema::UnknownFields::refuse)
                      .optional("search", &ListInput::search, schema::length(0, 200))
                      .optional("category", &ListInput::category, schema::length(0, 100))
                      .optional("tags", &ListInput::tags)
                      .optional("is_active", &ListInput::is_active)
                      .optional("sort_by", &ListInput::sort_by, schema::one_of({"updated_at", "created_at", "name"}))
                      .optional("sort_order", &ListInput::sort_order, schema::one_of({"asc", "desc"}))
                      .optional("page", &ListInput::page, schema::range(1, 1000000))
                      .optional("page_size", &ListInput::page_size, schema::range(1, 100));
    if (with_type)
        fields.optional("flow_type", &ListInput::flow_type, schema::one_of({"agentflow", "chatflow"}));
    return fields;
}

// `tags=a&tags=b` and `tags=a,b` ask for the same: flows that have both.
std::vector<std::string> split_tags(const std::vector<std::string>& given)
{
    std::vector<std::string> tags;
    for (const auto& text : given)
        for (std::size_t from = 0; from <= text.size();) {
            const auto comma = std::min(text.find(',', from), text.size());
            if (comma > from)
                tags.push_back(text.substr(from, comma - from));
            from = comma + 1;
        }
    return tags;
}

Result<flows::ListRequest> list_request(const ListInput& input)
{
    flows::ListRequest request;
    request.filter.flow_type = input.flow_type;
    request.filter.search = input.search;
    request.filter.category = input.category;
    request.filter.tags = split_tags(input.tags);
    request.filter.is_active = input.is_active;
    if (request.filter.tags.size() > 32)
        return Error(Errc::invalid_argument, "At most 32 tags.")
            .param("tags")
            .problem({{"query", "tags"}, "At most 32 tags", "too_long"});
    const bool by_name = input.sort_by == "name";
    request.order = by_name                         ? flows::FlowOrder::name
                    : input.sort_by == "created_at" ? flows::FlowOrder::created_at
                                                    : flows::FlowOrder::updated_at;
    request.descending = input.sort_order.empty() ? !by_name : input.sort_order == "desc";
    request.page = {input.page, input.page_size};
    return request;
}

const char* path_of(flows::FlowType type)
{
    return type == flows::FlowType::agentflow ? "/api/agent-builder/agentflows/" : "/api/agent-builder/chatflows/";
}

}  // namespace flow_routes

using namespace flow_routes;

Handler list_flows(const ApiParts& parts, std::optional<flows::FlowType> type)
{
    return [&service = parts.flows, type,
            fields = flow_list_fields(!type)](RequestContext& context) -> Task<Result<void>> {
        const auto input = fields.read_query(context.query);
        if (!input)
            co_return input.error();
        auto request = list_request(*input);
        if (!request)
            co_return request.error();
        if (type)
            request->filter.flow_type = flows::name_of(*type);
        const auto page = co_await service.list(flow_owner(context), std::move(*request));
        if (!page)
            co_return page.error();
        auto list = OrderedJson::array();
        for (const auto& flow : page->flows)
            list.push_back(flow_entry(flow));
        OrderedJson body;
        body["flows"] = std::move(list);
        body["total"] = page->total;
        body["page"] = input->page;
        body["page_size"] = input->page_size;
        co_return co_await context.respond_json(200, body);
    };
}

Handler create_flow(const ApiParts& parts, flows::FlowType type)
{
    return [&service = parts.flows, type,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_text(static_cast<std::size_t>(limits.flow_body));
        if (!body)
            co_return body.error();
        const auto change = co_await service.create(flow_owner(context), type, std::string(*body));
        if (!change)
            co_return change.error();
        QueryParameters headers;
        if (change->flow)
            headers.emplace_back("Location", path_of(type) + change->flow->record.id);
        co_return co_await answer_change(context, 201, *change, std::move(headers));
    };
}

Handler get_flow(const ApiParts& parts, std::optional<flows::FlowType> type)
{
    return [&service = parts.flows, type](RequestContext& context) -> Task<Result<void>> {
        const auto flow = co_await service.find(flow_owner(context), context.path_parameter("id"), type);
        if (!flow)
            co_return flow.error();
        co_return co_await context.respond_json_text(200, flow_text(*flow, nullptr),
                                                     {{"ETag", flows::etag_of(flow->record)}});
    };
}

Handler update_flow(const ApiParts& parts, std::optional<flows::FlowType> type)
{
    return [&service = parts.flows, type,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_text(static_cast<std::size_t>(limits.flow_body));
        if (!body)
            co_return body.error();
        const auto change = co_await service.update(flow_owner(context), context.path_parameter("id"),
                                                    std::string(*body), change_options(context, type));
        if (!change)
            co_return change.error();
        co_return co_await answer_change(context, 200, *change);
    };
}

Handler delete_flow(const ApiParts& parts, std::optional<flows::FlowType> type)
{
    return [&service = parts.flows, type](RequestContext& context) -> Task<Result<void>> {
        const auto change =
            co_await service.remove(flow_owner(context), context.path_parameter("id"), change_options(context, type));
        if (!change)
            co_return change.error();
        const auto refused = co_await answer_refusal(context, *change);
        if (!refused)
            co_return refused.error();
        if (*refused)
            co_return Result<void>();
        http::Response response;
        response.status = 204;
        co_return co_await context.respond(std::move(response));
    };
}

Handler validate_flow(const ApiParts& parts)
{
    return [&service = parts.flows,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_text(static_cast<std::size_t>(limits.flow_body));
        if (!body)
            co_return body.error();
        const auto problems = co_await service.validate(flow_owner(context), std::string(*body));
        if (!problems)
            co_return problems.error();
        co_return co_await context.respond_json(
            200, OrderedJson{{"valid", !problems->has_errors()}, {"problems", flows::problems_json(*problems)}});
    };
}

Handler save_flow(const ApiParts& parts)
{
    return [&service = parts.flows,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto body = co_await context.json_text(static_cast<std::size_t>(limits.flow_body));
        if (!body)
            co_return body.error();
        const auto saved = co_await service.save_by_name(flow_owner(context), std::string(*body));
        if (!saved)
            co_return saved.error();
        const auto refused = co_await answer_refusal(context, saved->change);
        if (!refused)
            co_return refused.error();
        if (*refused)
            co_return Result<void>();
        const auto& record = saved->change.flow->record;
        OrderedJson answer{
            {"status", "success"}, {"flow_id", record.id}, {"version", record.version}, {"slug", record.slug}};
        answer["file"] = saved->file_written ? OrderedJson(record.slug + ".json") : OrderedJson(nullptr);
        answer["warnings"] = flows::warnings_json(saved->change.problems);
        co_return co_await context.respond_json_text(200, dump(answer), {{"ETag", flows::etag_of(record)}});
    };
}

}  // namespace dure::api

// Versions of flows over HTTP, and their publication; see flows.hpp.
#include "api/flows/answers.hpp"
#include "api/flows/flows.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace flow_version_routes {

struct VersionPageInput {
    std::int64_t page = 1;
    std::int64_t page_size = 20;
};

const auto& version_page_fields()
{
    static const auto fields = schema::object<VersionPageInput>(schema::UnknownFields::refuse)
                                   .optional("page", &VersionPageInput::page, schema::range(1, 1000000))
                                   .optional("page_size", &VersionPageInput::page_size, schema::range(1, 100));
    return fields;
}

struct PublishInput {
    std::optional<std::int64_t> version;
};

const auto& publish_fields()
{
    static const auto fields = schema::object<PublishInput>(schema::UnknownFields::refuse)
                                   .optional("version", &PublishInput::version, schema::range(1, 1e15));
    return fields;
}

// The body may be left out: the newest version.
Task<Result<PublishInput>> read_publication(RequestContext& context, std::size_t limit)
{
    if (!context.head().has_body || context.head().content_length.value_or(1) == 0)
        co_return PublishInput{};
    const auto body = co_await context.json_body(limit);
    if (!body)
        co_return body.error();
    co_return publish_fields().read_body(schema::JsonView(*body));
}

Task<Result<void>> answer_publication(RequestContext& context, const flows::Change& change)
{
    const auto refused = co_await answer_refusal(context, change);
    if (!refused)
        co_return refused.error();
    if (*refused)
        co_return Result<void>();
    const auto& record = change.flow->record;
    OrderedJson body{{"slug", record.slug}};
    body["version"] = record.published_version ? OrderedJson(*record.published_version) : OrderedJson(nullptr);
    body["model"] = "flow:" + record.slug;
    body["warnings"] = flows::warnings_json(change.problems);
    co_return co_await context.respond_json_text(200, dump(body), {{"ETag", flows::etag_of(record)}});
}

}  // namespace flow_version_routes

using namespace flow_version_routes;

Handler list_flow_versions(const ApiParts& parts)
{
    return [&service = parts.flows](RequestContext& context) -> Task<Result<void>> {
        const auto input = version_page_fields().read_query(context.query);
        if (!input)
            co_return input.error();
        const auto page = co_await service.versions(flow_owner(context), context.path_parameter("id"),
                                                    {input->page, input->page_size});
        if (!page)
            co_return page.error();
        auto list = OrderedJson::array();
        for (const auto& version : page->versions)
            list.push_back({{"version", version.version},
                            {"saved_by", version.saved_by},
                            {"created_at", rfc3339(version.created_at)},
                            {"published", page->published_version == version.version}});
        OrderedJson body;
        body["versions"] = std::move(list);
        body["total"] = page->total;
        body["page"] = input->page;
        body["page_size"] = input->page_size;
        co_return co_await context.respond_json(200, body);
    };
}

Handler get_flow_version(const ApiParts& parts)
{
    return [&service = parts.flows](RequestContext& context) -> Task<Result<void>> {
        const auto number = path_number(context, "n");
        if (!number)
            co_return number.error();
        const auto flow = co_await service.find_version(flow_owner(context), context.path_parameter("id"), *number);
        if (!flow)
            co_return flow.error();
        co_return co_await context.respond_json_text(200, flow_text(*flow, nullptr));
    };
}

Handler diff_flow_versions(const ApiParts& parts)
{
    return [&service = parts.flows](RequestContext& context) -> Task<Result<void>> {
        const auto before = path_number(context, "a");
        if (!before)
            co_return before.error();
        const auto after = path_number(context, "b");
        if (!after)
            co_return after.error();
        const auto diff = co_await service.diff(flow_owner(context), context.path_parameter("id"), *before, *after);
        if (!diff)
            co_return diff.error();
        co_return co_await context.respond_json(200, *diff);
    };
}

Handler restore_flow_version(const ApiParts& parts)
{
    return [&service = parts.flows](RequestContext& context) -> Task<Result<void>> {
        const auto number = path_number(context, "n");
        if (!number)
            co_return number.error();
        const auto change = co_await service.restore(flow_owner(context), context.path_parameter("id"), *number,
                                                     change_options(context));
        if (!change)
            co_return change.error();
        co_return co_await answer_change(context, 200, *change);
    };
}

Handler publish_flow(const ApiParts& parts)
{
    return [&service = parts.flows,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        const auto input = co_await read_publication(context, static_cast<std::size_t>(limits.json_body));
        if (!input)
            co_return input.error();
        const auto change = co_await service.publish(flow_owner(context), context.path_parameter("id"), input->version,
                                                     change_options(context));
        if (!change)
            co_return change.error();
        co_return co_await answer_publication(context, *change);
    };
}

Handler unpublish_flow(const ApiParts& parts)
{
    return [&service = parts.flows](RequestContext& context) -> Task<Result<void>> {
        const auto change =
            co_await service.unpublish(flow_owner(context), context.path_parameter("id"), change_options(context));
        if (!change)
            co_return change.error();
        co_return co_await answer_publication(context, *change);
    };
}

}  // namespace dure::api

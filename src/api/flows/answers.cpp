// See answers.hpp.
#include "api/flows/answers.hpp"

#include <charconv>

#include "api/caller.hpp"
#include "api/errors.hpp"

namespace dure::api {

flows::Caller flow_owner(const RequestContext& context)
{
    return {context.principal().user_id, context.principal().models, context.principal().may("flows:manage"),
            actor_of(context), context.principal().permissions, context.principal().limits};
}

flows::ChangeOptions change_options(const RequestContext& context, std::optional<flows::FlowType> type)
{
    const auto if_match = context.head().header("If-Match");
    return {if_match ? std::optional(std::string(*if_match)) : std::nullopt, type};
}

namespace {

OrderedJson number_or_null(std::optional<std::int64_t> number)
{
    return number ? OrderedJson(*number) : OrderedJson(nullptr);
}

// 422 in the problem form, where each entry of `errors` also has code, level and what it is about (flow-format §9).
http::Response problems_response(const RequestContext& context, const flows::Problems& problems)
{
    const auto& first = problems.list().front();
    const auto count = problems.list().size();
    const auto detail = count == 1 ? "The flow document has a problem: " + first.message + "."
                                   : "The flow document has " + std::to_string(count) + " problems.";
    auto error = Error(Errc::invalid_argument, detail).reason(count == 1 ? first.code : "flow_invalid");
    auto body = OrderedJson::parse(problem_json(error, context.request_id()));
    body["title"] = "Unprocessable Content";
    body["status"] = 422;
    body["errors"] = flows::problems_json(problems);
    http::Response response;
    response.status = 422;
    response.content_type = "application/problem+json";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = dump(body);
    return response;
}

}  // namespace

OrderedJson flow_entry(const flows::FlowRecord& flow)
{
    return {{"id", flow.id},
            {"slug", flow.slug},
            {"owner", flow.owner_id},
            {"flow_type", flow.flow_type},
            {"name", flow.name},
            {"description", flow.description},
            {"category", flow.category},
            {"tags", flow.tags},
            {"is_active", flow.is_active},
            {"version", flow.version},
            {"published_version", number_or_null(flow.published_version)},
            {"created_at", rfc3339(flow.created_at)},
            {"updated_at", rfc3339(flow.updated_at)},
            {"etag", flows::etag_of(flow)}};
}

std::string flow_text(const flows::Flow& flow, const flows::Problems* warnings)
{
    OrderedJson head{{"id", flow.record.id},
                     {"slug", flow.record.slug},
                     {"owner", flow.record.owner_id},
                     {"version", flow.version},
                     {"published_version", number_or_null(flow.record.published_version)},
                     {"created_at", rfc3339(flow.record.created_at)},
                     {"updated_at", rfc3339(flow.record.updated_at)},
                     {"saved_at", rfc3339(flow.saved_at)},   // this version
                     {"etag", flows::etag_of(flow.record)}};
    if (warnings)
        head["warnings"] = flows::warnings_json(*warnings);
    auto text = dump(head);
    text.back() = ',';   // documents are objects with members, none of them one of these
    text.append(flow.document, 1);
    return text;
}

Task<Result<bool>> answer_refusal(RequestContext& context, const flows::Change& change)
{
    std::optional<http::Response> response;
    if (change.current_etag) {
        const auto error = Error(Errc::precondition_failed,
                                 "The flow was changed since; its current ETag is " + *change.current_etag + ".")
                               .reason("etag_mismatch");
        response = render_error(ErrorForm::problem, error, context.request_id());
        response->headers.emplace_back("ETag", *change.current_etag);
    } else if (change.problems.has_errors()) {
        response = problems_response(context, change.problems);
    } else {
        co_return false;
    }
    if (auto sent = co_await context.respond(std::move(*response)); !sent)
        co_return sent.error();
    co_return true;
}

Task<Result<void>> answer_change(RequestContext& context, int status, const flows::Change& change,
                                 QueryParameters headers)
{
    const auto refused = co_await answer_refusal(context, change);
    if (!refused)
        co_return refused.error();
    if (*refused)
        co_return Result<void>();
    headers.emplace_back("ETag", flows::etag_of(change.flow->record));
    co_return co_await context.respond_json_text(status, flow_text(*change.flow, &change.problems), std::move(headers));
}

Result<std::int64_t> path_number(const RequestContext& context, const char* name)
{
    const auto text = context.path_parameter(name);
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed == std::errc() && end == text.data() + text.size() && number >= 1)
        return number;
    return Error(Errc::invalid_argument, std::string(name) + " is the number of a version.")
        .param(name)
        .problem({{"path", name}, "Input should be a number from 1", "int_parsing"});
}

}  // namespace dure::api

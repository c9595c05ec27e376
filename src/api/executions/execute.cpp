// POST /api/agent-builder/flows/{id}/execute: 202 at once; ?wait=true: 200 with the steps when it has ended (or waits for a
// person), 202 when that takes longer than ?timeout= seconds, 503 with its place when the server stops meanwhile;
// Accept: text/event-stream: its log. An execution goes on whatever its client does.
#include "api/executions/executions.hpp"
#include "api/flows/answers.hpp"
#include "api/limited.hpp"
#include "api/stopping.hpp"
#include "api/wrong_together.hpp"

#include <algorithm>

#include "dure/auth/rate_limiter.hpp"
#include "dure/base/text.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace execute_route {

constexpr std::size_t longest_key = 255;
constexpr std::size_t longest_webhook = 2048;

struct Body {
    std::string message, user_id, session_id, webhook;
    Json inputs, version;
};

const auto& body_fields()
{
    static const auto fields = schema::object<Body>(schema::UnknownFields::refuse)
                                   .optional("message", &Body::message, schema::length(0, 1'000'000))
                                   .optional("inputs", &Body::inputs)
                                   .optional("user_id", &Body::user_id, schema::length(0, 256))
                                   .optional("session_id", &Body::session_id, schema::length(0, 128))
                                   .optional("version", &Body::version)
                                   .optional("webhook", &Body::webhook, schema::length(0, longest_webhook));
    return fields;
}

struct Query {
    bool wait = false;
    std::optional<double> timeout;  // seconds
};

const auto& query_fields()
{
    static const auto fields = schema::object<Query>(schema::UnknownFields::refuse)
                                   .optional("wait", &Query::wait)
                                   .optional("timeout", &Query::timeout, schema::range(0, 3600));
    return fields;
}

Error wrong(std::vector<std::string> place, const std::string& message, const char* type)
{
    return Error(Errc::invalid_argument, message).param(place.back()).problem({place, message, type});
}

Result<void> inputs_fit(const schema::JsonView& body)
{
    const auto inputs = body.find("inputs");
    if (!inputs || inputs->is_null() || inputs->is_object())
        return {};
    return wrong({"body", "inputs"}, "Input should be a valid dictionary", "dict_type");
}

Result<std::string> version_of(const schema::JsonView& body)
{
    const auto given = body.find("version");
    const auto version = given ? Json::parse(given->raw()) : Json();
    if (version.is_null())
        return std::string();
    if (version.is_number_integer() && version.get<std::int64_t>() >= 1)
        return std::to_string(version.get<std::int64_t>());
    if (version.is_string())
        return version.get<std::string>();
    return wrong({"body", "version"}, "Input should be the number of a version, published or draft", "type_error");
}

Result<std::string> idempotency_key(const RequestContext& context)
{
    auto key = context.header("Idempotency-Key");
    const bool visible = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!visible || key.size() > longest_key)
        return wrong({"header", "Idempotency-Key"}, "Idempotency-Key must be up to 255 visible ASCII characters",
                     "value_error");
    return key;
}

Result<executions::StartRequest> request_of(const RequestContext& context, std::string_view text)
{
    const schema::JsonView view(text);
    auto body = body_fields().read_body(view);
    if (!view.is_object())
        return body.error();
    auto version = version_of(view);
    auto key = idempotency_key(context);
    if (auto refused = wrong_together(body, inputs_fit(view), version, key))
        return *refused;
    executions::StartRequest request;
    request.flow = context.path_parameter("id");
    request.version = std::move(*version);
    request.message = std::move(body->message);
    if (body->inputs.is_object())
        request.inputs = std::move(body->inputs);
    request.user_label = std::move(body->user_id);
    request.session_id = std::move(body->session_id);
    request.webhook = std::move(body->webhook);
    request.idempotency_key = std::move(*key);
    if (!request.idempotency_key.empty()) {
        Json asked{request.version, request.message, request.inputs, request.user_label, request.session_id};
        if (!request.webhook.empty())
            asked.push_back(request.webhook);
        request.request_hash = hex(sha256(dump(asked)));
    }
    return request;
}

bool wants_stream(const RequestContext& context)
{
    return context.header("Accept").find("text/event-stream") != std::string::npos;
}

// A request without a body runs the flow without a message.
Task<Result<std::string_view>> body_text(RequestContext& context, std::int64_t limit)
{
    if (!context.head().has_body)
        co_return std::string_view("{}");
    co_return co_await context.json_body(static_cast<std::size_t>(limit));
}

// Once it has ended; as it stands when that takes longer.
Task<Result<void>> answer_with_end(RequestContext& context, executions::ExecutionService& service,
                                   const executions::Execution& execution, Deadline until)
{
    const auto ended = co_await service.wait_whole(execution.id, execution.owner_id, until);
    if (ended)
        co_return co_await context.respond_json_text(200, dump(whole_json(*ended)));
    if (ended.error().code() != Errc::timeout)
        co_return ended.error();
    const auto now = co_await service.find(execution.id, execution.owner_id);
    if (!now)
        co_return now.error();
    co_return co_await context.respond_json_text(202, dump(executions::to_json(*now)));
}

// The client is told what to ask for: the execution goes on, a new one would do everything twice.
Error goes_on_behind_the_stop(const std::string& execution)
{
    return Error(Errc::unavailable, "The server is stopping. The execution " + execution +
                                        " goes on; it is at /api/executions/" + execution + ".")
        .reason(server_is_stopping().reason());
}

}  // namespace execute_route

Handler execute_flow(const ApiParts& parts)
{
    return [&parts](RequestContext& context) -> Task<Result<void>> {
        auto& service = parts.executions;
        const auto query = execute_route::query_fields().read_query(context.query);
        if (!query)
            co_return query.error();
        const auto text = co_await execute_route::body_text(context, parts.settings.server.limits.json_body);
        if (!text)
            co_return text.error();
        auto request = execute_route::request_of(context, *text);
        if (!request)
            co_return request.error();
        request->owner_runs = auth::limits_of_role(parts.settings.limits, context.principal().role).runs;
        const auto started = co_await service.start(flow_owner(context), std::move(*request));
        if (!started && started.error().code() == Errc::rate_limited)
            limited_counter(parts.metrics, "runs").increment();
        if (!started)
            co_return started.error();
        auto execution = started->execution;
        context.add_header("Location", "/api/executions/" + execution.id);
        if (started->again)
            context.add_header("Idempotent-Replayed", "true");
        if (execute_route::wants_stream(context))
            co_return co_await stream_log(parts, context, {execution.id, 0, {}}, executions::to_json(execution));
        if (!query->wait)
            co_return co_await context.respond_json_text(202, dump(executions::to_json(execution)));
        // A second before the request's own limit: this answer is still ours.
        auto until = Deadline(context.deadline.at() - std::chrono::seconds(1));
        if (query->timeout)
            until = until.sooner(std::chrono::milliseconds(static_cast<std::int64_t>(*query->timeout * 1000)));
        auto answered =
            co_await or_told_of_stop(context, execute_route::answer_with_end(context, service, execution, until));
        if (!answered && answered.error().reason() == server_is_stopping().reason())
            co_return execute_route::goes_on_behind_the_stop(execution.id);
        co_return answered;
    };
}

}  // namespace dure::api

// API keys over HTTP; see keys.hpp. Own ones; with users:manage everybody's can be listed and revoked, never made or shown.
#include "api/accounts/keys.hpp"

#include <cmath>

#include "api/audit.hpp"
#include "api/accounts/common.hpp"
#include "api/page.hpp"
#include "dure/auth/key_service.hpp"
#include "dure/chat/service.hpp"

namespace dure::api {

namespace {

struct KeyInput {
    std::string name;
    std::optional<std::vector<std::string>> permissions;
    std::optional<std::vector<std::string>> models;
    std::optional<std::string> expires_at;
    std::optional<std::int64_t> tokens_per_minute;
    std::optional<std::int64_t> tokens_per_day;
    std::optional<double> cost_per_day_usd;
};

const auto& key_fields()
{
    static const auto fields = schema::object<KeyInput>(schema::UnknownFields::refuse)
                                   .required("name", &KeyInput::name, schema::length(1, 200))
                                   .optional("permissions", &KeyInput::permissions, schema::length(0, 100))
                                   .optional("models", &KeyInput::models, schema::length(0, 100))
                                   .optional("expires_at", &KeyInput::expires_at, schema::length(1, 64))
                                   .optional("tokens_per_minute", &KeyInput::tokens_per_minute, schema::range(1, 1e12))
                                   .optional("tokens_per_day", &KeyInput::tokens_per_day, schema::range(1, 1e12))
                                   .optional("cost_per_day_usd", &KeyInput::cost_per_day_usd, schema::range(1e-6, 1e6));
    return fields;
}

model::SpendLimits limits_of(const KeyInput& input)
{
    return {input.tokens_per_minute.value_or(0), input.tokens_per_day.value_or(0),
            std::llround(input.cost_per_day_usd.value_or(0) * 1e9)};
}

struct RotateInput {
    std::optional<std::string> old_expires_at;
};

const auto& rotate_fields()
{
    static const auto fields = schema::object<RotateInput>(schema::UnknownFields::refuse)
                                   .optional("old_expires_at", &RotateInput::old_expires_at, schema::length(1, 64));
    return fields;
}

struct KeyListInput {
    std::string user_id;
    std::int64_t page = 1;
    std::int64_t page_size = 100;
};

const auto& key_list_fields()
{
    static const auto fields = schema::object<KeyListInput>(schema::UnknownFields::refuse)
                                   .optional("user_id", &KeyListInput::user_id, schema::length(1, 64))
                                   .optional("page", &KeyListInput::page, schema::range(1, 1000000))
                                   .optional("page_size", &KeyListInput::page_size, schema::range(1, 100));
    return fields;
}

constexpr auto not_a_time = "value is not an RFC 3339 time";

Result<std::optional<UnixMillis>> time_of(const std::optional<std::string>& text, const char* field)
{
    if (!text)
        return std::optional<UnixMillis>();
    const auto time = parse_rfc3339(*text);
    if (!time)
        return wrong_fields({{{"body", field}, not_a_time, "value_error"}});
    return time;
}

std::vector<FieldProblem> key_problems(const schema::JsonView& body)
{
    auto problems = permission_problems(body);
    const auto expires_at = body.find("expires_at");
    if (expires_at && expires_at->is_string() && !parse_rfc3339(expires_at->string()))
        problems.push_back({{"body", "expires_at"}, not_a_time, "value_error"});
    return problems;
}

// Rules that the service checks name the field; they are validation problems here.
Error as_problem(Error error)
{
    if (error.code() != Errc::invalid_argument || error.param().empty() || !error.extra().problems.empty())
        return error;
    auto problem = FieldProblem{{"body", error.param()}, error.message(), "value_error"};
    return std::move(error).problem(std::move(problem));
}

template <class T>
OrderedJson value_or_null(const std::optional<T>& value)
{
    return value ? OrderedJson(*value) : OrderedJson(nullptr);
}

OrderedJson time_or_null(const std::optional<UnixMillis>& time)
{
    return time ? OrderedJson(rfc3339(*time)) : OrderedJson(nullptr);
}

OrderedJson limit_or_null(std::int64_t limit)
{
    return limit > 0 ? OrderedJson(limit) : OrderedJson(nullptr);
}

OrderedJson key_json(const model::ApiKey& key)
{
    const auto cost = static_cast<double>(key.limits.cost_per_day) / 1e9;
    return {{"id", key.id},
            {"name", key.name},
            {"prefix", key.prefix},
            {"owner_id", key.owner_id},
            {"permissions", value_or_null(key.permissions)},
            {"models", value_or_null(key.models)},
            {"tokens_per_minute", limit_or_null(key.limits.tokens_per_minute)},
            {"tokens_per_day", limit_or_null(key.limits.tokens_per_day)},
            {"cost_per_day_usd", key.limits.cost_per_day > 0 ? OrderedJson(cost) : OrderedJson(nullptr)},
            {"created_at", rfc3339(key.created_at)},
            {"expires_at", time_or_null(key.expires_at)},
            {"last_used_at", time_or_null(key.last_used_at)},
            {"revoked_at", time_or_null(key.revoked_at)}};
}

// Models come and go with the configuration and flows with their publication, so a key may name one that is not there yet; a
// slip of the pen must be seen all the same.
OrderedJson unknown_models(const model::ApiKey& key, const chat::ChatService& chat)
{
    auto unknown = OrderedJson::array();
    if (key.models)
        for (const auto& model : *key.models)
            if (!model.starts_with("flow:") && !chat.knows_model(model))
                unknown.push_back(model);
    return unknown;
}

Task<Result<void>> respond_made(RequestContext& context, const Result<auth::MadeKey>& made, const chat::ChatService& chat)
{
    if (!made)
        co_return as_problem(made.error());
    auto body = key_json(made->record);
    if (auto unknown = unknown_models(made->record, chat); !unknown.empty())
        body["unknown_models"] = std::move(unknown);
    body["key"] = std::string(made->key.reveal());  // the one time it is shown
    co_return co_await context.respond_json(201, body);
}

}  // namespace

Handler list_keys(const ApiParts& parts)
{
    return [&keys = parts.keys, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
        const auto input = key_list_fields().read_query(context.query);
        if (!input)
            co_return input.error();
        const auto owner = input->user_id.empty() ? context.principal().user_id : input->user_id;
        if (owner != context.principal().user_id && !context.principal().may("users:manage"))
            co_return Error(Errc::permission_denied, "Insufficient permissions").reason("insufficient_permissions");
        const NumberedPage page{input->page, input->page_size};
        const auto listed = co_await keys.list(owner, page.page_size, page.passed());
        if (!listed)
            co_return listed.error();
        if (auto recorded = co_await record_read_of_others(audit, context, owner); !recorded)
            co_return recorded.error();
        co_return co_await context.respond_json(200,
                                                numbered_json("keys", listed->keys, listed->total, page, key_json));
    };
}

Handler create_key(const ApiParts& parts)
{
    return [&keys = parts.keys, &limits = parts.settings.server.limits,
            &chat = parts.chat](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, key_fields(), limits.json_body, key_problems);
        if (!input)
            co_return input.error();
        const auto expires_at = time_of(input->expires_at, "expires_at");
        if (!expires_at)
            co_return expires_at.error();
        const auto spend = limits_of(*input);
        auth::NewKey wanted{std::move(input->name), std::move(input->permissions), std::move(input->models),
                            *expires_at, spend};
        const auto made = co_await keys.create(context.principal().user_id, std::move(wanted), actor_of(context));
        co_return co_await respond_made(context, made, chat);
    };
}

Handler revoke_key(const ApiParts& parts)
{
    return [&keys = parts.keys](RequestContext& context) -> Task<Result<void>> {
        const auto& by = context.principal();
        const auto id = context.path_parameter("id");
        const auto revoked = by.may("users:manage") ? co_await keys.revoke_of_anybody(by, id, actor_of(context))
                                                    : co_await keys.revoke(by.user_id, id, actor_of(context));
        if (!revoked)
            co_return revoked.error();
        co_return co_await respond_nothing(context);
    };
}

Handler rotate_key(const ApiParts& parts)
{
    return [&keys = parts.keys, &limits = parts.settings.server.limits,
            &chat = parts.chat](RequestContext& context) -> Task<Result<void>> {
        RotateInput input;
        if (context.head().has_body && context.head().content_length.value_or(1) > 0) {  // its one field is optional
            auto read = co_await read_fields(context, rotate_fields(), limits.json_body);
            if (!read)
                co_return read.error();
            input = std::move(*read);
        }
        const auto old_until = time_of(input.old_expires_at, "old_expires_at");
        if (!old_until)
            co_return old_until.error();
        const auto made = co_await keys.rotate(context.principal().user_id, context.path_parameter("id"), *old_until,
                                               actor_of(context));
        co_return co_await respond_made(context, made, chat);
    };
}

}  // namespace dure::api

// Roles over HTTP; see roles.hpp.
#include "api/accounts/roles.hpp"

#include "api/accounts/common.hpp"
#include "api/page.hpp"
#include "dure/auth/administration.hpp"

namespace dure::api {

namespace {

struct RoleInput {
    std::string name;
    std::vector<std::string> permissions;
};

const auto& new_role_fields()
{
    static const auto fields = schema::object<RoleInput>(schema::UnknownFields::refuse)
                                   .required("name", &RoleInput::name, schema::length(1, 64))
                                   .required("permissions", &RoleInput::permissions, schema::length(0, 100));
    return fields;
}

struct RoleChange {
    std::string name;
    std::optional<std::vector<std::string>> permissions;
};

// The name may be sent along; a role keeps the one it has.
const auto& role_change_fields()
{
    static const auto fields = schema::object<RoleChange>(schema::UnknownFields::refuse)
                                   .optional("name", &RoleChange::name, schema::length(1, 64))
                                   .optional("permissions", &RoleChange::permissions, schema::length(0, 100));
    return fields;
}

std::vector<FieldProblem> new_role_problems(const schema::JsonView& body)
{
    auto problems = permission_problems(body);
    if (const auto name = body.find("name"); name && name->is_string())
        if (auto problem = auth::problem_of_role_name(name->string()))
            problems.push_back(std::move(*problem));
    return problems;
}

MoreRules role_change_problems(std::string role)
{
    return [role = std::move(role)](const schema::JsonView& body) {
        auto problems = permission_problems(body);
        if (const auto name = body.find("name"); name && name->is_string() && !name->string_is(role))
            problems.push_back({{"body", "name"}, "a role keeps its name", "value_error"});
        return problems;
    };
}

// As it is, for a change of nothing.
Task<Result<auth::Role>> find_role(auth::Administration& administration, std::string name)
{
    auto roles = co_await administration.roles();
    if (!roles)
        co_return roles.error();
    for (auto& role : *roles)
        if (role.name == name)
            co_return std::move(role);
    co_return Error(Errc::not_found, "No such role.");
}

OrderedJson role_json(const auth::Role& role)
{
    const auto time = [&](UnixMillis at) { return role.builtin ? OrderedJson(nullptr) : OrderedJson(rfc3339(at)); };
    return {{"id", role.name},
            {"name", role.name},
            {"permissions", role.permissions},
            {"builtin", role.builtin},
            {"created_at", time(role.created_at)},
            {"updated_at", time(role.updated_at)}};
}

}  // namespace

Handler list_roles(const ApiParts& parts)
{
    return [&administration = parts.administration](RequestContext& context) -> Task<Result<void>> {
        const auto page = page_fields_alone().read_query(context.query);
        if (!page)
            co_return page.error();
        const auto roles = co_await administration.roles();
        if (!roles)
            co_return roles.error();
        co_return co_await context.respond_json(200, page_json("roles", *roles, *page, role_json));
    };
}

Handler create_role(const ApiParts& parts)
{
    return [&administration = parts.administration,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, new_role_fields(), limits.json_body, new_role_problems);
        if (!input)
            co_return input.error();
        const auto role = co_await administration.create_role(context.principal(), std::move(input->name),
                                                              std::move(input->permissions), actor_of(context));
        if (!role)
            co_return role.error();
        co_return co_await context.respond_json(201, role_json(*role));
    };
}

Handler patch_role(const ApiParts& parts)
{
    return [&administration = parts.administration,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        auto name = context.path_parameter("id");
        auto input = co_await read_fields(context, role_change_fields(), limits.json_body, role_change_problems(name));
        if (!input)
            co_return input.error();
        const auto role = input->permissions
                              ? co_await administration.change_role(context.principal(), std::move(name),
                                                                    std::move(*input->permissions), actor_of(context))
                              : co_await find_role(administration, std::move(name));
        if (!role)
            co_return role.error();
        co_return co_await context.respond_json(200, role_json(*role));
    };
}

Handler delete_role(const ApiParts& parts)
{
    return [&administration = parts.administration](RequestContext& context) -> Task<Result<void>> {
        const auto removed =
            co_await administration.remove_role(context.principal(), context.path_parameter("id"), actor_of(context));
        if (!removed)
            co_return removed.error();
        co_return co_await respond_nothing(context);
    };
}

}  // namespace dure::api

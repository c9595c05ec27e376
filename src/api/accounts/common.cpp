// See common.hpp.
#include "api/accounts/common.hpp"

#include <algorithm>

#include "api/errors.hpp"
#include "dure/auth/roles.hpp"
#include "dure/base/text.hpp"

namespace dure::api {

OrderedJson account_json(const auth::Account& account)
{
    const auto& user = account.user;
    return {{"id", user.id},
            {"email", user.email},
            {"username", user.username ? OrderedJson(*user.username) : OrderedJson(nullptr)},
            {"role", user.role},
            {"permissions", account.permissions},
            {"is_active", user.is_active},
            {"is_verified", user.is_verified},
            {"created_at", rfc3339(user.created_at)}};
}

Task<Result<void>> respond_nothing(RequestContext& context)
{
    http::Response response;
    response.status = 204;
    return context.respond(std::move(response));
}

Task<Result<void>> respond_null(RequestContext& context, int status)
{
    return context.respond_json_text(status, "null");
}

Task<Result<void>> respond_account(RequestContext& context, int status, const auth::Account& account)
{
    return context.respond_json(status, account_json(account));
}

Task<Result<void>> respond_refused(RequestContext& context, Error error, std::string_view word)
{
    if (error.reason() != "invalid_password")
        co_return error;
    const Error named = Error(Errc::invalid_argument, std::string(word)).reason(std::string(word));
    auto body = OrderedJson::parse(problem_json(named, context.request_id()));
    body["reason"] = error.message();
    http::Response response;
    response.status = 400;
    response.content_type = "application/problem+json";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = dump(body);
    co_return co_await context.respond(std::move(response));
}

std::vector<FieldProblem> names_problems(const schema::JsonView& body)
{
    const auto text = [&body](std::string_view name) {
        const auto value = body.find(name);
        return value && value->is_string() ? std::optional(value->string()) : std::nullopt;
    };
    return auth::problems_of_names(text("email"), text("username"));
}

std::vector<FieldProblem> permission_problems(const schema::JsonView& body)
{
    std::vector<FieldProblem> problems;
    if (const auto permissions = body.find("permissions"))
        permissions->for_each_element([&problems](const schema::JsonView& one) {
            const auto name = one.string();
            if (!one.is_string() || auth::is_permission(name))
                return true;
            problems.push_back({{"body", "permissions"},
                                "There is no permission " + to_valid_utf8(utf8_prefix(name, 60)) + ".",
                                "value_error"});
            return false;
        });
    return problems;
}

std::vector<FieldProblem> joined_problems(std::vector<FieldProblem> found, std::vector<FieldProblem> more)
{
    const auto from_table = static_cast<std::ptrdiff_t>(found.size());
    for (auto& one : more)
        if (std::none_of(found.begin(), found.begin() + from_table,
                         [&one](const FieldProblem& known) { return known.location == one.location; }))
            found.push_back(std::move(one));
    return found;
}

Error wrong_fields(std::vector<FieldProblem> problems)
{
    return Error(Errc::invalid_argument, "Some fields are not valid.")
        .reason("validation_error")
        .problems(std::move(problems));
}

}  // namespace dure::api

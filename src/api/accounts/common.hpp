// What the routes of accounts share: bodies, views of accounts, empty answers.
#pragma once

#include <functional>

#include "api/caller.hpp"
#include "api/context.hpp"
#include "api/routes.hpp"
#include "dure/auth/accounts.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

OrderedJson account_json(const auth::Account& account);

Task<Result<void>> respond_nothing(RequestContext& context);                    // 204
Task<Result<void>> respond_null(RequestContext& context, int status);           // the body FastAPI Users sends: null
Task<Result<void>> respond_account(RequestContext& context, int status, const auth::Account& account);

// A password the rules refuse: 400 with FastAPI Users' word as detail and the sentence as reason; other errors pass.
Task<Result<void>> respond_refused(RequestContext& context, Error error, std::string_view word);

// What is wrong with a body by rules that no table of fields can tell.
using MoreRules = std::function<std::vector<FieldProblem>(const schema::JsonView& body)>;
// Of "email" and "username".
std::vector<FieldProblem> names_problems(const schema::JsonView& body);
// Of "permissions": the first that there is not.
std::vector<FieldProblem> permission_problems(const schema::JsonView& body);
// Those of `more` behind those of the table, so that one answer names every wrong field; none for a field already named.
std::vector<FieldProblem> joined_problems(std::vector<FieldProblem> found, std::vector<FieldProblem> more);
Error wrong_fields(std::vector<FieldProblem> problems);

// A JSON body read by its table of fields, and by `rules`.
template <class Input>
Task<Result<Input>> read_fields(RequestContext& context, const schema::ObjectFields<Input>& fields, std::int64_t limit,
                                MoreRules rules = nullptr)
{
    const auto body = co_await context.json_body(static_cast<std::size_t>(limit));
    if (!body)
        co_return body.error();
    const schema::JsonView view(*body);
    auto input = fields.read_body(view);
    if (!rules || (!input && input.error().extra().problems.empty()))
        co_return input;
    auto more = rules(view);
    if (more.empty())
        co_return input;
    if (input)
        co_return wrong_fields(std::move(more));
    co_return Error(input.error()).problems(joined_problems(input.error().extra().problems, std::move(more)));
}

}  // namespace dure::api

// What the routes of accounts share: bodies, views of accounts, empty answers.
#pragma once

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

// A JSON body read by its table of fields.
template <class Input>
Task<Result<Input>> read_fields(RequestContext& context, const schema::ObjectFields<Input>& fields, std::int64_t limit)
{
    const auto body = co_await context.json_body(static_cast<std::size_t>(limit));
    if (!body)
        co_return body.error();
    co_return fields.read_body(schema::JsonView(*body));
}

}  // namespace dure::api

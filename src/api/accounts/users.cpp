// The own account, and everybody's for administrators; see users.hpp. What somebody may change of himself is its own table
// of fields: role and flags are not in it.
#include "api/accounts/users.hpp"

#include "api/audit.hpp"
#include "api/accounts/common.hpp"
#include "api/cursor.hpp"
#include "dure/auth/administration.hpp"

namespace dure::api {

namespace {

struct ChangeInput {
    std::optional<std::string> email;
    std::optional<std::string> username;
    std::optional<std::string> password;
    std::optional<std::string> role;
    std::optional<bool> is_active;
    std::optional<bool> is_verified;
};

auto own_change_fields()
{
    return schema::object<ChangeInput>()
        .optional("email", &ChangeInput::email, schema::length(1, 320))
        .optional("username", &ChangeInput::username, schema::length(0, 200))
        .optional("password", &ChangeInput::password, schema::length(0, 1024));
}

const auto& me_fields()
{
    static const auto fields = own_change_fields();
    return fields;
}

const auto& user_fields()
{
    static const auto fields = own_change_fields()
                                   .optional("role", &ChangeInput::role, schema::length(1, 64))
                                   .optional("is_active", &ChangeInput::is_active)
                                   .optional("is_verified", &ChangeInput::is_verified);
    return fields;
}

auth::AccountChange change_of(ChangeInput input)
{
    auth::AccountChange change;
    change.email = std::move(input.email);
    change.username = std::move(input.username);
    if (input.password)
        change.password = SecretString(std::move(*input.password));
    change.role = std::move(input.role);
    change.is_active = input.is_active;
    change.is_verified = input.is_verified;
    return change;
}

struct UserListInput {
    std::int64_t limit = 50;
    std::string cursor;
};

const auto& user_list_fields()
{
    static const auto fields =
        schema::object<UserListInput>(schema::UnknownFields::refuse)
            .optional("limit", &UserListInput::limit, schema::range(1, 100), schema::alias("page_size"))
            .optional("cursor", &UserListInput::cursor, schema::length(0, 256));
    return fields;
}

constexpr std::string_view user_list = "users";

Result<auth::UserPage> user_page(const RequestContext& context, const Cursors& cursors)
{
    const auto input = user_list_fields().read_query(context.query);
    if (!input)
        return input.error();
    auth::UserPage page;
    page.limit = input->limit;
    if (input->cursor.empty())
        return page;
    auto position = cursors.read(input->cursor, context.principal().user_id, user_list);
    if (!position)
        return position.error();
    page.after = auth::UserPage::Position{position->created_at, std::move(position->id)};
    return page;
}

}  // namespace

Handler get_me(const ApiParts& parts)
{
    return [&accounts = parts.accounts](RequestContext& context) -> Task<Result<void>> {
        auto account = co_await accounts.find(context.principal().user_id);
        if (!account)
            co_return account.error();
        account->permissions = context.principal().permissions;  // of a key: what this key may
        co_return co_await respond_account(context, 200, *account);
    };
}

Handler patch_me(const ApiParts& parts)
{
    return [&accounts = parts.accounts,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, me_fields(), limits.json_body, names_problems);
        if (!input)
            co_return input.error();
        const auto account =
            co_await accounts.change_own(context.principal().user_id, change_of(std::move(*input)), actor_of(context));
        if (!account)
            co_return co_await respond_refused(context, account.error(), "UPDATE_USER_INVALID_PASSWORD");
        co_return co_await respond_account(context, 200, *account);
    };
}

Handler list_users(const ApiParts& parts)
{
    return [&administration = parts.administration, &audit = parts.audit,
            cursors = Cursors(parts.cursor_key)](RequestContext& context) -> Task<Result<void>> {
        const auto page = user_page(context, cursors);
        if (!page)
            co_return page.error();
        const auto accounts = co_await administration.list(*page);
        if (!accounts)
            co_return accounts.error();
        if (auto recorded = co_await record_read_of_others(audit, context, {}); !recorded)
            co_return recorded.error();
        auto list = OrderedJson::array();
        for (const auto& account : *accounts)
            list.push_back(account_json(account));
        OrderedJson body{{"users", std::move(list)}, {"next", nullptr}};
        if (static_cast<std::int64_t>(accounts->size()) == page->limit) {
            const auto& last = accounts->back().user;
            body["next"] = cursors.write({last.created_at, last.id}, context.principal().user_id, user_list);
        }
        co_return co_await context.respond_json(200, body);
    };
}

Handler get_user(const ApiParts& parts)
{
    return
        [&administration = parts.administration, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
            const auto account = co_await administration.find(context.path_parameter("id"));
            if (!account)
                co_return account.error();
            if (auto recorded = co_await record_read_of_others(audit, context, account->user.id); !recorded)
                co_return recorded.error();
            co_return co_await respond_account(context, 200, *account);
        };
}

Handler patch_user(const ApiParts& parts)
{
    return [&administration = parts.administration,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, user_fields(), limits.json_body, names_problems);
        if (!input)
            co_return input.error();
        const auto account = co_await administration.change(context.principal(), context.path_parameter("id"),
                                                            change_of(std::move(*input)), actor_of(context));
        if (!account)
            co_return co_await respond_refused(context, account.error(), "UPDATE_USER_INVALID_PASSWORD");
        co_return co_await respond_account(context, 200, *account);
    };
}

Handler delete_user(const ApiParts& parts)
{
    return [&administration = parts.administration](RequestContext& context) -> Task<Result<void>> {
        const auto removed =
            co_await administration.remove(context.principal(), context.path_parameter("id"), actor_of(context));
        if (!removed)
            co_return removed.error();
        co_return co_await respond_nothing(context);
    };
}

}  // namespace dure::api

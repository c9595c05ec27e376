// Registration, login and what goes by mail; see entrance.hpp. Bodies take named fields only: a role or a flag sent along
// is not read.
#include "api/accounts/entrance.hpp"

#include "api/accounts/common.hpp"
#include "api/form.hpp"

namespace dure::api {

namespace {

struct RegisterInput {
    std::string email;
    std::string password;
    std::optional<std::string> username;
};

const auto& register_fields()
{
    static const auto fields = schema::object<RegisterInput>()
                                   .required("email", &RegisterInput::email, schema::length(1, 320))
                                   .required("password", &RegisterInput::password, schema::length(0, 1024))
                                   .optional("username", &RegisterInput::username, schema::length(0, 200));
    return fields;
}

struct EmailInput {
    std::string email;
};

const auto& email_fields()
{
    static const auto fields =
        schema::object<EmailInput>().required("email", &EmailInput::email, schema::length(1, 320));
    return fields;
}

struct TokenInput {
    std::string token;
    std::string password;
};

const auto& reset_fields()
{
    static const auto fields = schema::object<TokenInput>()
                                   .required("token", &TokenInput::token)
                                   .required("password", &TokenInput::password, schema::length(0, 1024));
    return fields;
}

const auto& verify_fields()
{
    static const auto fields = schema::object<TokenInput>().required("token", &TokenInput::token);
    return fields;
}

struct LogoutInput {
    bool everywhere = false;
};

const auto& logout_fields()
{
    static const auto fields =
        schema::object<LogoutInput>(schema::UnknownFields::refuse).optional("everywhere", &LogoutInput::everywhere);
    return fields;
}

Error missing_fields(const Form& form)
{
    std::vector<FieldProblem> problems;
    for (const auto* name : {"username", "password"})
        if (!form.find(name))
            problems.push_back({{"body", name}, "Field required", "missing"});
    return wrong_fields(std::move(problems));
}

// Registration happens elsewhere.
Task<Result<void>> send_elsewhere(RequestContext& context, const std::string& url)
{
    http::Response response;
    response.status = 303;
    response.headers.emplace_back("Location", url);
    response.headers.emplace_back("Cache-Control", "no-store");
    return context.respond(std::move(response));
}

// The answer tells nobody whether there is such an account.
Handler ask_for_mail(const ApiParts& parts, Task<Result<void>> (auth::Accounts::*send)(std::string, model::Actor))
{
    return [&accounts = parts.accounts, &limits = parts.settings.server.limits,
            send](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, email_fields(), limits.json_body);
        if (!input)
            co_return input.error();
        if (auto sent = co_await (accounts.*send)(std::move(input->email), actor_of(context)); !sent)
            co_return sent.error();
        co_return co_await respond_null(context, 202);
    };
}

}  // namespace

Handler register_user(const ApiParts& parts)
{
    return [&accounts = parts.accounts, &settings = parts.settings](RequestContext& context) -> Task<Result<void>> {
        if (settings.auth.registration == "redirect")
            co_return co_await send_elsewhere(context, settings.auth.signup_url);
        if (settings.auth.registration != "open")
            co_return Error(Errc::permission_denied, "Registration is closed.").reason("registration_closed");
        auto input = co_await read_fields(context, register_fields(), settings.server.limits.json_body, names_problems);
        if (!input)
            co_return input.error();
        auth::Registration wanted{std::move(input->email), SecretString(std::move(input->password)),
                                  std::move(input->username)};
        const auto account = co_await accounts.enroll(std::move(wanted), actor_of(context));
        if (!account)
            co_return co_await respond_refused(context, account.error(), "REGISTER_INVALID_PASSWORD");
        co_return co_await respond_account(context, 201, *account);
    };
}

Handler log_in(const ApiParts& parts)
{
    return [&accounts = parts.accounts](RequestContext& context) -> Task<Result<void>> {
        const auto form = co_await read_form(context);
        if (!form)
            co_return form.error();
        const auto* name = form->find("username");
        const auto* password = form->find("password");
        if (!name || !password)
            co_return missing_fields(*form);
        const auto token = co_await accounts.login(*name, SecretString(*password), actor_of(context));
        if (!token)
            co_return token.error();
        co_return co_await context.respond_json(
            200, OrderedJson{{"access_token", std::string(token->reveal())}, {"token_type", "bearer"}});
    };
}

Handler log_out(const ApiParts& parts)
{
    return [&accounts = parts.accounts](RequestContext& context) -> Task<Result<void>> {
        const auto input = logout_fields().read_query(context.query);
        if (!input)
            co_return input.error();
        const auto ended = co_await accounts.logout(context.principal(), input->everywhere, actor_of(context));
        if (!ended)
            co_return ended.error();
        co_return co_await respond_nothing(context);
    };
}

Handler forgot_password(const ApiParts& parts)
{
    return ask_for_mail(parts, &auth::Accounts::forgot_password);
}

Handler reset_password(const ApiParts& parts)
{
    return [&accounts = parts.accounts,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, reset_fields(), limits.json_body);
        if (!input)
            co_return input.error();
        const auto changed = co_await accounts.reset_password(
            SecretString(std::move(input->token)), SecretString(std::move(input->password)), actor_of(context));
        if (!changed)
            co_return co_await respond_refused(context, changed.error(), "RESET_PASSWORD_INVALID_PASSWORD");
        co_return co_await respond_null(context, 200);
    };
}

Handler request_verify_token(const ApiParts& parts)
{
    return ask_for_mail(parts, &auth::Accounts::request_verification);
}

Handler verify_user(const ApiParts& parts)
{
    return [&accounts = parts.accounts,
            &limits = parts.settings.server.limits](RequestContext& context) -> Task<Result<void>> {
        auto input = co_await read_fields(context, verify_fields(), limits.json_body);
        if (!input)
            co_return input.error();
        const auto account = co_await accounts.verify(SecretString(std::move(input->token)), actor_of(context));
        if (!account)
            co_return account.error();
        co_return co_await respond_account(context, 200, *account);
    };
}

}  // namespace dure::api

// The middleware; see api.hpp for its order.
#include "dure/api/api.hpp"

#include "api/audit.hpp"
#include "api/chat/chat_metrics.hpp"
#include "api/context.hpp"
#include "api/cors.hpp"
#include "api/errors.hpp"
#include "api/limited.hpp"
#include "api/routes.hpp"
#include "api/stopping.hpp"
#include "dure/auth/authenticator.hpp"
#include "dure/events/service.hpp"
#include "dure/executions/service.hpp"
#include "dure/auth/rate_limiter.hpp"
#include "dure/auth/tickets.hpp"
#include "dure/base/text.hpp"
#include "dure/metrics/registry.hpp"
#include "dure/model/spending.hpp"
#include "dure/schema/fields.hpp"

namespace dure::api {

namespace {

constexpr std::string_view bearer_protocol = "bearer";
const std::vector<double> duration_buckets = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};

std::vector<std::string> method_names(const std::vector<http::Method>& methods)
{
    std::vector<std::string> names;
    for (const auto method : methods)
        names.emplace_back(http::name_of(method));
    names.emplace_back("OPTIONS");
    return names;
}

// Without a valid credential these say nothing of what there is and what not.
bool is_guarded(std::string_view path)
{
    return path.starts_with("/v1/") || path.starts_with("/api/");
}

// As it was sent, unless it hides what looks like a credential behind its encoding.
std::string path_for_log(std::string_view path)
{
    const auto decoded = path.find('%') == path.npos ? std::nullopt : percent_decode(path);
    if (!decoded)
        return std::string(path);
    auto shown = redact(to_valid_utf8(*decoded));
    return shown == *decoded ? std::string(path) : shown;
}

// The database's failures, not the caller's.
bool is_away(const Error& error)
{
    return error.code() == Errc::unavailable || error.code() == Errc::timeout;
}

Error two_credentials()
{
    return Error(Errc::invalid_argument, "A request carries one credential only.").reason("two_credentials");
}

// More than one credential is no credential: which of them counts must not be a matter of reading order.
Result<std::optional<std::string_view>> credential_of(const http::RequestHead& head)
{
    std::optional<std::string_view> credential;
    for (const auto& field : head.headers) {
        if (!equals_ignoring_case(field.name, "authorization"))
            continue;
        if (credential)
            return two_credentials();
        credential = field.value;
    }
    return credential;
}

// Of a WebSocket: what a browser shows as "Sec-WebSocket-Protocol: bearer, <token>".
Result<std::optional<std::string>> credential_of_protocols(const http::RequestHead& head)
{
    std::optional<std::string> credential;
    for (const auto& field : head.headers) {
        if (!equals_ignoring_case(field.name, "sec-websocket-protocol"))
            continue;
        const auto comma = field.value.find(',');
        if (trim(field.value.substr(0, comma)) != bearer_protocol || comma == std::string_view::npos)
            continue;
        const auto token = trim(field.value.substr(comma + 1));
        if (credential || token.empty() || token.find(',') != std::string_view::npos)
            return two_credentials();
        credential = "Bearer " + std::string(token);
    }
    return credential;
}

// The one-use tickets in a query string.
std::vector<std::string> tickets_of(const http::RequestHead& head)
{
    std::vector<std::string> tickets;
    const auto query = http::parse_query(head.query);
    for (const auto& [name, value] : query.value_or(QueryParameters()))
        if (name == "ticket")
            tickets.push_back(value);
    return tickets;
}

http::Response allowed_methods(const std::vector<http::Method>& methods)
{
    http::Response response;
    response.status = 204;
    std::string allow;
    for (const auto& name : method_names(methods))
        allow += (allow.empty() ? "" : ", ") + name;
    response.headers.emplace_back("Allow", std::move(allow));
    return response;
}

// Of a route that takes no query parameters; the others read theirs by tables that refuse what they do not name. /v1 ignores
// unknown ones as its clients expect, probes are asked by whatever an operator has.
Result<void> check_no_query(const Route& route, const QueryParameters& query)
{
    struct Nothing {};
    static const auto none = schema::object<Nothing>(schema::UnknownFields::refuse);
    if (query.empty() || !route.doc.query.empty() || route.doc.tag == "System" ||
        error_form_of(route.pattern) == ErrorForm::openai)
        return {};
    const auto read = none.read_query(query);
    return read ? Result<void>() : read.error();
}

Error foreign_page()
{
    return Error(Errc::permission_denied, "Without accounts only pages named in server.cors_origins may call this server.")
        .reason("foreign_origin");
}

Error unknown_path()
{
    return Error(Errc::not_found, "There is nothing at this address.").reason("unknown_url");
}

}  // namespace

struct Api::State {
    explicit State(ApiParts given) : parts(std::move(given)), cors(parts.settings.server.cors_origins, parts.settings.server.public_url)
    {
        table = routes(&parts);
        for (std::size_t i = 0; i < table.size(); ++i)
            tree.add(table[i].method, table[i].pattern, static_cast<int>(i));
        for (const int status_class : {1, 2, 3, 4, 5}) {
            const auto label = std::to_string(status_class) + "xx";
            requests.push_back(&parts.metrics.counter("dure_http_requests_total", "Answers by class of status",
                                                      {{"status", label}}));
        }
        limited = &limited_counter(parts.metrics, "requests");
        for (const auto* endpoint : {"/v1/chat/completions", "/api/chat/message", "/api/chat/message/stream"})
            chats.try_emplace(endpoint, parts.metrics, endpoint);
        durations = &parts.metrics.histogram("dure_http_request_duration_seconds", "From request head to end of answer",
                                             {}, duration_buckets);
    }

    Task<Result<void>> dispatch(RequestContext& context);
    Task<Result<void>> find_socket_credential(RequestContext& context);
    Task<Result<void>> admit(RequestContext& context, const Access& access);
    Task<Result<void>> count(RequestContext& context, RateClass rate);
    std::optional<Result<void>> count_at_once(RequestContext& context, RateClass rate);
    Result<void> tell(RequestContext& context, const auth::RateVerdict& verdict);
    Task<void> tell_tokens(RequestContext& context);

    ApiParts parts;
    Cors cors;
    std::vector<Route> table;
    http::RouteTree tree;
    std::vector<metrics::Counter*> requests;
    metrics::Counter* limited = nullptr;
    metrics::Histogram* durations = nullptr;
    std::map<std::string, ChatMetrics, std::less<>> chats;   // of those that their handlers do not get to count
    std::atomic<bool> stopping{false};
};

Api::Api(ApiParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Api::~Api() = default;

void Api::stop_accepting_work()
{
    state_->stopping = true;
    state_->parts.events.close();   // who follows events is told at once
    state_->parts.executions.close();
    state_->parts.logger.info("refusing new work");
}

// What the caller of a WebSocket shows: the header, a subprotocol or a ticket; one of them.
Task<Result<void>> Api::State::find_socket_credential(RequestContext& context)
{
    const auto credential = credential_of(context.head());
    if (!credential)
        co_return credential.error();
    context.credential = *credential;
    auto by_protocol = credential_of_protocols(context.head());
    if (!by_protocol)
        co_return by_protocol.error();
    auto tickets = tickets_of(context.head());
    if (tickets.size() + (*by_protocol ? 1 : 0) + (context.credential ? 1 : 0) > 1)
        co_return two_credentials();
    if (*by_protocol) {
        context.credential = std::move(*by_protocol);
        context.subprotocol = bearer_protocol;
    }
    if (!tickets.empty()) {
        auto redeemed = co_await parts.tickets.redeem(std::move(tickets.front()));
        if (!redeemed)
            co_return redeemed.error();
        if (!redeemed->empty())
            context.credential = std::move(*redeemed);
    }
    co_return Result<void>();
}

// Who calls, when the path needs to know. Decided before the body is read.
Task<Result<void>> Api::State::admit(RequestContext& context, const Access& access)
{
    if (stopping)
        co_return server_is_stopping();
    auto shown = credential_of(context.head());
    if (access.socket) {
        if (auto found = co_await find_socket_credential(context); !found)
            co_return found;
        shown = context.credential;
    }
    if (!shown)
        co_return shown.error();
    if (auto known = parts.authenticator.remembered(*shown)) {
        context.caller = std::move(known);
    } else {
        auto principal = co_await parts.authenticator.authenticate(*shown, context.head().client_address,
                                                                   context.head().request_id);
        auto known_before = principal || !access.without_database || !is_away(principal.error())
                                ? nullptr
                                : parts.authenticator.last_known(*shown);
        if (!principal && !known_before)
            co_return principal.error();
        context.caller =
            known_before ? std::move(known_before) : std::make_shared<const auth::Principal>(std::move(*principal));
    }
    auto counted = count_at_once(context, access.rate);
    if (!counted)
        counted = co_await count(context, access.rate);
    if (!*counted)
        co_return *counted;
    if (!parts.settings.auth.accounts && cors.is_foreign_page(context.head()))
        co_return foreign_page();
    const bool key_where_a_person_is_needed = access.people_only && context.principal().token_id.empty();
    if (key_where_a_person_is_needed || (!access.needed.empty() && !context.principal().may(access.needed)))
        co_return Error(Errc::permission_denied, "Insufficient permissions").reason("insufficient_permissions");
    co_return Result<void>();
}

// Takes one from the buckets of the caller, or of the address where nobody had to say who calls; the answer tells what is
// left. Before the body is read. Empty: count() has to ask the limiter and wait.
std::optional<Result<void>> Api::State::count_at_once(RequestContext& context, RateClass rate)
{
    if (rate == RateClass::unlimited)
        return Result<void>();
    const auto subject = rate_subject(context, parts.settings.limits, rate == RateClass::chat);
    const auto verdict = parts.limiter.take_at_once(subject);
    return verdict ? std::optional(tell(context, *verdict)) : std::nullopt;
}

Task<Result<void>> Api::State::count(RequestContext& context, RateClass rate)
{
    const auto verdict = co_await parts.limiter.take(rate_subject(context, parts.settings.limits, rate == RateClass::chat));
    co_return tell(context, verdict);
}

Result<void> Api::State::tell(RequestContext& context, const auth::RateVerdict& verdict)
{
    context.add_header("RateLimit-Limit", std::to_string(verdict.limit));
    context.add_header("RateLimit-Remaining", std::to_string(verdict.remaining));
    context.add_header("RateLimit-Reset", std::to_string(verdict.reset_seconds));
    if (verdict.allowed)
        return {};
    limited->increment();
    return verdict.refusal();
}

// With a refusal: what the caller may use of tokens, as OpenAI's clients read it.
Task<void> Api::State::tell_tokens(RequestContext& context)
{
    const auto& caller = context.principal();
    const model::Spender spender{caller.user_id, caller.key_id, caller.role, caller.limits};
    if (caller.user_id.empty() || !parts.budget.limits(spender))
        co_return;
    const auto level = co_await parts.budget.level(spender);
    if (!level)
        co_return;
    context.add_header("x-ratelimit-limit-tokens", std::to_string(level->limit));
    context.add_header("x-ratelimit-remaining-tokens", std::to_string(level->remaining));
    context.add_header("x-ratelimit-reset-tokens", std::to_string(level->reset_seconds) + "s");
}

Task<Result<void>> Api::State::dispatch(RequestContext& context)
{
    const auto& head = context.head();
    auto found = tree.find(head.method, head.path);
    if (!found)
        co_return found.error();
    if (found->route < 0 && head.method == http::Method::options && !found->allowed.empty())
        co_return co_await context.respond(allowed_methods(found->allowed));
    const auto* route = found->route < 0 ? nullptr : &table[static_cast<std::size_t>(found->route)];
    if (route != nullptr) {
        context.route = route->pattern;
        context.permission = route->access.needed;
    }
    if (stopping && head.path == "/readyz")
        co_return server_is_stopping();   // a balancer sends nothing more
    const bool guarded = route != nullptr ? !route->access.is_open : is_guarded(head.path);
    if (guarded)
        if (auto admitted = co_await admit(context, route != nullptr ? route->access : Access::any()); !admitted)
            co_return admitted;
    if (!guarded && route != nullptr) {
        auto counted = count_at_once(context, route->access.rate);
        if (!counted)
            counted = co_await count(context, route->access.rate);
        if (!*counted)
            co_return *counted;
    }
    if (route == nullptr && found->allowed.empty())
        co_return unknown_path();
    if (route == nullptr)
        co_return Error(Errc::method_not_allowed, "This address does not take " + std::string(http::name_of(head.method)) + ".")
            .reason("method_not_allowed")
            .allowed_methods(method_names(found->allowed));
    context.path = std::move(found->parameters);
    if (!head.query.empty()) {
        auto query = http::parse_query(head.query);
        if (!query)
            co_return Error(Errc::invalid_argument, "The query string is not valid percent-encoded UTF-8.").reason("invalid_query");
        context.query = std::move(*query);
    }
    if (auto fine = check_no_query(*route, context.query); !fine)
        co_return fine;
    context.deadline = Deadline(context.exchange().began() + parts.settings.server.limits.request);
    co_return co_await route->handler(context);
}

Task<void> Api::handle(http::Exchange& exchange)
{
    auto& state = *state_;
    const auto& head = exchange.head();
    if (state.cors.is_preflight(head)) {
        co_await exchange.respond(state.cors.preflight(head));
        co_return;
    }
    RequestContext context(exchange, state.cors.answer_headers(head));
    auto outcome = co_await state.dispatch(context);
    if (outcome)
        co_return;
    const auto& error = outcome.error();
    if (const auto chat = state.chats.find(context.route); chat != state.chats.end() && !context.counts_chat)
        chat->second.refused(http_status(error, error_form_of(head.path)));
    if (error.code() == Errc::permission_denied)
        co_await state.parts.audit.refused(actor_of(context), access_request(context), std::string(context.permission));
    if (!error.detail().empty() || error.code() == Errc::internal)
        state.parts.logger.warn("request failed", {{"request_id", head.request_id},
                                                   {"method", http::name_of(head.method)},
                                                   {"path", head.path},
                                                   {"code", name_of(error.code())},
                                                   {"message", error.message()},
                                                   {"detail", error.detail()}});
    if (exchange.answer_started())
        co_return;   // the handler has told its reader in the stream's own form
    if (error.code() == Errc::rate_limited)
        co_await state.tell_tokens(context);
    co_await context.respond(api::render_error(error_form_of(head.path), error, head.request_id));
}

http::Response Api::render_error(const Refused& request, const Error& error)
{
    const auto id = new_id();   // nothing of the client's own id is known when its head was refused
    auto response = api::render_error(error_form_of(request.path), error, id);
    response.headers.emplace_back("X-Request-ID", id);
    for (auto& header : state_->cors.answer_headers(request.origin))
        response.headers.push_back(std::move(header));
    return response;
}

void Api::finished(const http::RequestHead* head, int status, std::chrono::nanoseconds took)
{
    const auto status_class = static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1);
    state_->requests[status_class]->increment();
    state_->durations->observe(std::chrono::duration<double>(took).count());
    auto& logger = state_->parts.logger;
    const bool fault = status >= 500 && status != 501;   // an unknown method is the client's own doing
    // At info the refusals whose id somebody will ask for; not what strangers can send without end, which would fill the disk. A
    // line for each success costs a tenth of a proxied request's time: at debug.
    const bool asked_for = head && status >= 400 && status != 401 && status != 404 && status != 429;
    const auto level = fault ? LogLevel::warn : asked_for ? LogLevel::info : LogLevel::debug;
    if (!logger.enabled(level))
        return;
    const auto path = head ? path_for_log(head->path) : std::string();
    logger.write_soon(level, "request finished",
                      {{"request_id", head ? std::string_view(head->request_id) : std::string_view()},
                       {"method", head ? http::name_of(head->method) : std::string_view()},
                       {"path", path},
                       {"status", status},
                       {"duration_ms", std::chrono::duration<double, std::milli>(took).count()}});
}

std::string Api::openapi(const std::string& version)
{
    return openapi_document(routes(nullptr), version).dump(2);
}

}  // namespace dure::api

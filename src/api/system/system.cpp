// The system routes: liveness needs nothing, readiness asks the database, metrics renders the registry.
#include "api/system/system.hpp"

#include <mutex>

#include "api/caller.hpp"
#include "dure/events/access_audit.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::api {

Handler root(const ApiParts& parts)
{
    auto text = dump(OrderedJson{{"name", "dure"},
                                 {"version", parts.version},
                                 {"links",
                                  {{"openai", "/v1"}, {"chat", "/api/chat"}, {"openapi", "/openapi.json"}, {"health", "/healthz"}}}});
    return [text = std::move(text)](RequestContext& context) { return context.respond_json_text(200, text); };
}

Handler health(const ApiParts&)
{
    return [](RequestContext& context) { return context.respond_json_text(200, R"({"status":"ok"})"); };
}

Handler ready(const ApiParts& parts)
{
    return [check = parts.dependencies_ready](RequestContext& context) -> Task<Result<void>> {
        if (auto outcome = co_await check(); !outcome)
            co_return Error(Errc::unavailable, "The server is not ready.").reason("not_ready").detail(outcome.error().message());
        co_return co_await context.respond_json_text(200, R"({"status":"ready"})");
    };
}

Handler metrics_text(const ApiParts& parts)
{
    return [&registry = parts.metrics](RequestContext& context) {
        http::Response response;
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.headers.emplace_back("Cache-Control", "no-store");
        response.body = registry.text();
        return context.respond(std::move(response));
    };
}

Handler reload_models(const ApiParts& parts)
{
    return [reload = parts.reload_models, &audit = parts.audit](RequestContext& context) -> Task<Result<void>> {
        const auto count = co_await reload();
        if (!count)
            co_return count.error();
        if (auto recorded = co_await audit.configuration_reloaded(actor_of(context), {{"what", "models"}, {"models", *count}});
            !recorded)
            co_return recorded.error();
        co_return co_await context.respond_json_text(200, dump(OrderedJson{{"models", *count}}));
    };
}

Handler openapi_json(const ApiParts& parts)
{
    // Made when it is asked for: it would be a third of what a start does, and half a megabyte that most servers never show.
    struct Document {
        std::once_flag made;
        std::string text;
    };
    return [document = std::make_shared<Document>(), version = parts.version](RequestContext& context) {
        std::call_once(document->made, [&] { document->text = openapi_document(routes(nullptr), version).dump(); });
        return context.respond_json_text(200, document->text);
    };
}

}  // namespace dure::api

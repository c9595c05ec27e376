// GET /v1/models, GET /v1/models/{model}
// ChatService::models -> entries in OpenAI's form, from memory (openai-clients §1, §9). Nothing is asked upstream.
#include "api/chat/models.hpp"

#include "api/caller.hpp"

namespace dure::api {

namespace {

// Seconds since the epoch; the same for every entry, so that lists of two replicas do not differ by their start.
constexpr std::int64_t created_of_models = 1735689600;   // 2025-01-01

OrderedJson model_json(const chat::ModelEntry& entry)
{
    OrderedJson capabilities{{"usage", true}, {"vision", entry.vision}};
    if (entry.agent) {   // it brings its own tools and says what it does
        capabilities["builtin_tools"] = false;
        capabilities["citations"] = true;
        capabilities["status_updates"] = true;
    }
    if (!entry.tools)   // else Open WebUI would send its own with every chat, and be refused
        capabilities["builtin_tools"] = false;
    OrderedJson meta{{"capabilities", std::move(capabilities)}};
    if (!entry.description.empty())
        meta["description"] = entry.description;
    return {{"id", entry.id},     {"object", "model"},         {"created", created_of_models}, {"owned_by", entry.owned_by},
            {"name", entry.name}, {"info", {{"meta", std::move(meta)}}}};
}

}  // namespace

Handler list_models(const ApiParts& parts)
{
    return [&chat = parts.chat](RequestContext& context) {
        auto data = OrderedJson::array();
        for (const auto& entry : chat.models(caller_of(context)))
            data.push_back(model_json(entry));
        return context.respond_json(200, OrderedJson{{"object", "list"}, {"data", std::move(data)}});
    };
}

Handler get_model(const ApiParts& parts)
{
    return [&chat = parts.chat](RequestContext& context) -> Task<Result<void>> {
        const auto id = context.path_parameter("model");
        const auto entry = chat.find_model(id, caller_of(context));
        if (!entry)
            co_return Error(Errc::not_found, "The model `" + id + "` does not exist or you do not have access to it.")
                .reason("model_not_found")
                .param("model");
        co_return co_await context.respond_json(200, model_json(*entry));
    };
}

}  // namespace dure::api

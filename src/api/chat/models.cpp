// GET /v1/models, GET /v1/models/{model}
// ChatService::models -> entries in OpenAI's form, from memory (openai-clients §1, §9). Nothing is asked upstream.
#include "api/chat/models.hpp"

#include "api/caller.hpp"
#include "api/chat/flow_completions.hpp"
#include "api/flows/answers.hpp"
#include "dure/executions/flow_chat.hpp"

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
    if (entry.embeds)   // else Open WebUI would offer it for chats
        meta["hidden"] = true;
    return {{"id", entry.id},
            {"object", "model"},
            {"created", created_of_models},
            {"owned_by", entry.owned_by},
            {"name", entry.name},
            {"info", {{"meta", std::move(meta)}}}};
}

chat::ModelEntry entry_of(const flows::PublishedFlow& flow)
{
    chat::ModelEntry entry;
    entry.id = std::string(executions::flow_model_prefix) + flow.slug;
    entry.name = flow.name;
    entry.owned_by = "flow";
    entry.description = flow.description;
    entry.agent = true;   // it brings its own tools and says what it does
    entry.tools = false;
    return entry;
}

}  // namespace

Handler list_models(const ApiParts& parts)
{
    return [&chat = parts.chat, &flows = parts.flows](RequestContext& context) -> Task<Result<void>> {
        auto data = OrderedJson::array();
        for (const auto& entry : chat.models(caller_of(context)))
            data.push_back(model_json(entry));
        const auto published = co_await flows.published(flow_owner(context));
        if (!published)
            co_return published.error();
        for (const auto& flow : *published)
            data.push_back(model_json(entry_of(flow)));
        co_return co_await context.respond_json(200, OrderedJson{{"object", "list"}, {"data", std::move(data)}});
    };
}

Handler get_model(const ApiParts& parts)
{
    return [&chat = parts.chat, &flows = parts.flows](RequestContext& context) -> Task<Result<void>> {
        const auto id = context.path_parameter("model");
        auto entry = chat.find_model(id, caller_of(context));
        if (!entry && is_flow_model(id)) {
            const auto flow =
                co_await flows.find_published(flow_owner(context), id.substr(executions::flow_model_prefix.size()));
            if (!flow)
                co_return flow.error();
            if (*flow)
                entry = entry_of(**flow);
        }
        if (!entry)
            co_return Error(Errc::not_found, "The model `" + id + "` does not exist or you do not have access to it.")
                .reason("model_not_found")
                .param("model");
        co_return co_await context.respond_json(200, model_json(*entry));
    };
}

}  // namespace dure::api

// See target_check.hpp.
#include "llm/target_check.hpp"

#include <boost/asio/this_coro.hpp>

namespace dure::llm {

namespace {

constexpr std::chrono::seconds patience{60};

Task<MaybeFailure> ask_once(Provider& provider, const Target& target, std::size_t key,
                                      const ModelEntry& model, const CallContext& context)
{
    CompletionRequest request;
    request.model = model.info.id;
    request.max_tokens = 16;
    request.messages.emplace_back().content = "Answer with the word ok.";
    Ask ask(context);
    ask.typed = &request;
    ask.model_id = model.info.id;
    model::Completion completion;
    Reply reply(co_await boost::asio::this_coro::executor, completion, nullptr, patience);
    co_return co_await provider.attempt(target, key, ask, reply);
}

}  // namespace

Task<MaybeFailure> try_target(const Catalog& catalog, const ModelEntry& model, const Target& target)
{
    const auto& entry = catalog.provider(target.provider);
    const CallContext context("models-check", "models-check", Deadline::after(patience));
    for (std::size_t key = 0; key < entry.keys->size(); ++key) {
        MaybeFailure failure;
        for (int tries = 0; tries < 3; ++tries) {   // a parameter may have to be renamed first
            if (model.embeds) {
                EmbeddingRequest request;
                request.input = {"ok"};
                EmbeddingAnswer answer;
                failure = co_await entry.provider->embed(target, key, request, context, answer);
            } else {
                failure = co_await ask_once(*entry.provider, target, key, model, context);
            }
            if (!failure || failure->kind != FailureClass::unsupported_param ||
                !entry.provider->repair(target, *failure))
                break;
        }
        if (failure) {
            hide_own_secrets(*failure, entry.settings);
            if (entry.keys->size() > 1)
                failure->detail = "key " + std::to_string(key + 1) + ": " + failure->detail;
            co_return failure;
        }
    }
    co_return std::nullopt;
}

}  // namespace dure::llm

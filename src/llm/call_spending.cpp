// See call_spending.hpp.
#include "llm/call_spending.hpp"

#include <algorithm>

#include "llm/embedding_usage.hpp"
#include "llm/price.hpp"
#include "llm/prompt_size.hpp"

namespace dure::llm {

namespace call_spendings {

constexpr std::int64_t most_tokens = 1'000'000'000'000;   // of a client's own max_tokens, so that sums stay sums

std::optional<std::int64_t> number_in(const OrderedJson& extra, const char* key)
{
    const auto found = extra.is_object() ? extra.find(key) : extra.end();
    return extra.is_object() && found != extra.end() && found->is_number_integer()
               ? std::optional(found->get<std::int64_t>())
               : std::nullopt;
}

struct AnswerBound {
    std::optional<std::int64_t> max_tokens;
    std::int64_t choices = 1;
};

AnswerBound bound_of(const Ask& ask)
{
    AnswerBound bound;
    if (ask.relay != nullptr)
        bound = {ask.relay->max_tokens, ask.relay->choices};
    else
        bound = {ask.typed->max_tokens ? ask.typed->max_tokens : number_in(ask.typed->extra, "max_completion_tokens"),
                 number_in(ask.typed->extra, "n").value_or(1)};
    if (bound.max_tokens)
        bound.max_tokens = std::clamp<std::int64_t>(*bound.max_tokens, 1, most_tokens);
    bound.choices = std::clamp<std::int64_t>(bound.choices, 1, 128);
    return bound;
}

std::int64_t price_of(std::int64_t prompt, std::int64_t answer, const config::Prices& prices)
{
    model::Usage usage;
    usage.prompt_tokens = prompt;
    usage.completion_tokens = answer;
    auto dearest = prices;
    dearest.input = std::max(prices.input, prices.cache_write);
    return cost_nano(usage, dearest);
}

}  // namespace call_spendings

std::int64_t prompt_tokens_of(const Ask& ask)
{
    return (ask.relay != nullptr ? prompt_size(*ask.relay) : prompt_size(*ask.typed)).tokens();
}

model::Wish embedding_wish(const Target& target, const EmbeddingRequest& request)
{
    const auto tokens = embedding_tokens(request, 0, std::max(request.input.size(), request.token_input.size()));
    const model::Spend all{tokens, call_spendings::price_of(tokens, 0, target.prices)};
    return {all, all};
}

model::Wish wish_of(const ModelEntry& model, const Ask& ask, const std::vector<bool>& capable)
{
    using namespace call_spendings;
    const auto prompt = prompt_tokens_of(ask);
    const auto bound = bound_of(ask);
    model::Wish wish;
    for (std::size_t i = 0; i < model.targets.size(); ++i) {
        if (!capable[i])
            continue;
        const auto& target = model.targets[i];
        const auto most = bound.max_tokens.value_or(std::max<std::int64_t>(1, target.max_output)) * bound.choices;
        const auto least = bound.max_tokens ? most : 1;
        wish.least.tokens = std::max(wish.least.tokens, prompt + least);
        wish.most.tokens = std::max(wish.most.tokens, prompt + most);
        wish.least.cost_nano = std::max(wish.least.cost_nano, price_of(prompt, least, target.prices));
        wish.most.cost_nano = std::max(wish.most.cost_nano, price_of(prompt, most, target.prices));
    }
    return wish;
}

std::optional<std::int64_t> answer_limit(const ModelEntry& model, const Ask& ask, const std::vector<bool>& capable,
                                         const model::Wish& wish, const model::Spend& granted)
{
    using namespace call_spendings;
    const auto bound = bound_of(ask);
    const bool all = granted.tokens >= wish.most.tokens && granted.cost_nano >= wish.most.cost_nano;
    if (bound.max_tokens || all)
        return std::nullopt;
    const auto prompt = wish.least.tokens - 1;
    auto most = granted.tokens - prompt;
    for (std::size_t i = 0; i < model.targets.size(); ++i) {
        const auto& prices = model.targets[i].prices;
        if (!capable[i] || prices.output <= 0)
            continue;
        const auto left = static_cast<double>(granted.cost_nano - price_of(prompt, 0, prices));
        most = std::min(most, static_cast<std::int64_t>(left * 1e6 / static_cast<double>(prices.output)));
    }
    return std::max<std::int64_t>(1, most / bound.choices);
}

model::Wish least_wish(const ModelEntry& model, std::span<const model::Message> messages)
{
    const auto prompt = prompt_size(messages).tokens();
    model::Spend least{prompt + 1, 0};
    for (const auto& target : model.targets)
        least.cost_nano = std::max(least.cost_nano, call_spendings::price_of(prompt, 1, target.prices));
    return {least, least};
}

CallSpending::~CallSpending()
{
    if (!reservation_)
        return;
    const auto& usage = reply_.completion.usage;
    reservation_->settle({usage.total(), usage.cost_nano.value_or(0) + reply_.cost_of_failed});
}

}  // namespace dure::llm

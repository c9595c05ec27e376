// See embedding_usage.hpp.
#include "llm/embedding_usage.hpp"

#include <algorithm>

#include "llm/price.hpp"

namespace dure::llm {

std::int64_t embedding_tokens(const model::EmbeddingRequest& request, std::size_t first, std::size_t count)
{
    const auto& ids = request.token_input;
    if (ids.is_array() && !ids.empty() && !ids.front().is_array())
        return static_cast<std::int64_t>(ids.size());   // one list is one input
    const auto inputs = ids.is_array() ? ids.size() : request.input.size();
    std::size_t tokens = 0;
    for (auto i = first; i < std::min(inputs, first + count); ++i)
        tokens += ids.is_array() ? ids[i].size() : (request.input[i].size() + 3) / 4;
    return static_cast<std::int64_t>(tokens);
}

void EmbeddingUsage::add(model::Usage told, std::int64_t tokens)
{
    if (!told.reported) {
        told.prompt_tokens = tokens;
        told.estimated = true;
    }
    if (told.cost_nano)
        billed_ += told;
    else if (unbilled_)
        *unbilled_ += told;
    else
        unbilled_ = told;
}

model::Usage EmbeddingUsage::sum() const
{
    auto all = billed_;
    if (unbilled_) {
        all += *unbilled_;
        all.cost_nano = billed_.cost_nano.value_or(0) + cost_nano(*unbilled_, prices_);
    }
    return all;
}

}  // namespace dure::llm

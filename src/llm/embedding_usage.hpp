// What a call for embeddings uses. A provider may answer it in parts, each with or without numbers: what is not told of a part
// is estimated (llm-upstreams §8), so that no part hides another.
#pragma once

#include <optional>

#include "dure/config/settings.hpp"
#include "dure/model/chat.hpp"

namespace dure::llm {

// Of the inputs [first, first + count): texts by bytes / 4, token ids by their number.
std::int64_t embedding_tokens(const model::EmbeddingRequest& request, std::size_t first, std::size_t count);

class EmbeddingUsage {
public:
    explicit EmbeddingUsage(const config::Prices& prices) : prices_(prices) {}

    // `told`: by the provider; `tokens`: what stands in where it told none.
    void add(model::Usage told, std::int64_t tokens);
    // Of all parts so far. What no part told the cost of is priced together, as one request.
    model::Usage sum() const;

private:
    const config::Prices& prices_;
    model::Usage billed_;
    std::optional<model::Usage> unbilled_;
};

}  // namespace dure::llm

// The built-in provider `mock`: an offline model that answers by rule (see answer.hpp), token by token.
#pragma once

#include <chrono>

#include "llm/provider.hpp"

namespace dure::llm::mock {

class MockProvider final : public Provider {
public:
    explicit MockProvider(std::chrono::milliseconds delay) : delay_(delay) {}

    Task<MaybeFailure> attempt(const Target& target, std::size_t key, const Ask& ask, Reply& reply) override;
    Task<MaybeFailure> embed(const Target& target, std::size_t key, const EmbeddingRequest& request, const CallContext& context,
                                       EmbeddingAnswer& into) override;
    bool repair(const Target&, const Failure&) override { return false; }

private:
    std::chrono::milliseconds delay_;   // before each token
};

}  // namespace dure::llm::mock

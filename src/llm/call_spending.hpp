// What a call may cost before it is made, and the reservation it holds while it runs (llm-upstreams §8).
#pragma once

#include "dure/model/spending.hpp"
#include "llm/catalog.hpp"

namespace dure::llm {

// Prompt as prompt_size() says; the answer by max_tokens (times n), else up to the model's max_output.
// Cost by the dearest target that may answer.
model::Wish wish_of(const ModelEntry& model, const Ask& ask, const std::vector<bool>& capable);
// The least that a call of `model` with these messages takes.
model::Wish least_wish(const ModelEntry& model, std::span<const model::Message> messages);
// The longest answer that fits into what was granted of the wish; nothing where the request names its own, or all was granted.
std::optional<std::int64_t> answer_limit(const ModelEntry& model, const Ask& ask, const std::vector<bool>& capable,
                                         const model::Wish& wish, const model::Spend& granted);
std::int64_t prompt_tokens_of(const Ask& ask);
model::Wish embedding_wish(const Target& target, const EmbeddingRequest& request);

inline model::Spender spender_of(const CallContext& context)
{
    return {context.user_id, context.key_id, context.role, context.key_limits};
}

// Settles to what the reply used when it goes, whichever way the call ends. What failed attempts cost counts too.
class CallSpending {
public:
    explicit CallSpending(const Reply& reply) : reply_(reply) {}
    CallSpending(const CallSpending&) = delete;
    CallSpending& operator=(const CallSpending&) = delete;
    ~CallSpending();

    void holds(std::unique_ptr<model::Reservation> reservation) { reservation_ = std::move(reservation); }

private:
    const Reply& reply_;
    std::unique_ptr<model::Reservation> reservation_;
};

}  // namespace dure::llm

// AttemptNote: the row of one attempt, however it ends (a cancelled one too, hence a destructor). Usage is settled here, so that
// the row and the answer say the same.
#pragma once

#include "dure/llm/attempt_log.hpp"
#include "llm/provider.hpp"

namespace dure::llm {

class AttemptNote {
public:
    // What is referred to lives until the note has gone. `log` null: no rows.
    AttemptNote(AttemptLog* log, const Target& target, std::size_t key, std::string_view model, const Ask& ask,
                Reply& reply);
    AttemptNote(const AttemptNote&) = delete;
    AttemptNote& operator=(const AttemptNote&) = delete;
    ~AttemptNote();

    Task<void> ended(const MaybeFailure& failure);

private:
    model::AttemptRow settled_row(const MaybeFailure& failure);

    AttemptLog* log_;
    const Target& target_;
    const std::size_t key_;
    const std::string_view model_;
    const Ask& ask_;
    Reply& reply_;
    const Steady::time_point started_ = Steady::now();
    bool ended_ = false;
};

// The row of an attempt at embeddings.
model::AttemptRow embedding_attempt(const Target& target, std::size_t key, std::string_view model, std::int64_t number,
                                    const CallContext& context, Steady::time_point started, const model::Usage& usage,
                                    const MaybeFailure& failure);

}  // namespace dure::llm

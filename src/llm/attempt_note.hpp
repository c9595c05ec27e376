// AttemptNote: the row of one attempt, however it ends (a cancelled one too, hence a destructor). Usage is settled here, so that
// the row and the answer say the same.
#pragma once

#include "dure/llm/attempt_log.hpp"
#include "dure/model/spending.hpp"
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

// A call for embeddings while it runs: its answer so far, and what its attempts used, which is settled however the call ends.
struct EmbeddingCall {
    explicit EmbeddingCall(const CallContext& of) : context(of) {}
    EmbeddingCall(const EmbeddingCall&) = delete;
    EmbeddingCall& operator=(const EmbeddingCall&) = delete;
    ~EmbeddingCall();

    const CallContext& context;
    EmbeddingAnswer answer;
    std::int64_t attempts = 0;
    model::Spend spent;
    std::unique_ptr<model::Reservation> reserved;
};

// The same of one attempt at embeddings.
class EmbeddingNote {
public:
    EmbeddingNote(AttemptLog* log, const Target& target, std::size_t key, std::string_view model, EmbeddingCall& call);
    EmbeddingNote(const EmbeddingNote&) = delete;
    EmbeddingNote& operator=(const EmbeddingNote&) = delete;
    ~EmbeddingNote();

    Task<void> ended(const MaybeFailure& failure);

private:
    model::AttemptRow settled_row(const MaybeFailure& failure);

    AttemptLog* log_;
    const Target& target_;
    const std::size_t key_;
    const std::string_view model_;
    EmbeddingCall& call_;
    const Steady::time_point started_ = Steady::now();
    bool ended_ = false;
};

}  // namespace dure::llm

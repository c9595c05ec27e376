// AttemptNote and EmbeddingNote: the row of one attempt, however it ends (a cancelled one too, hence a destructor). Usage is settled here, so that
// the row and the answer say the same.
#pragma once

#include <optional>
#include <utility>

#include "dure/llm/attempt_log.hpp"
#include "dure/model/spending.hpp"
#include "llm/provider.hpp"

namespace dure::llm {

// Writes the row of `Attempt` once: when it is told of the end, else, cancelled, at its own. `log` null: no rows, but the usage is settled.
template <class Attempt>
class Noted {
public:
    template <class... Of>
    explicit Noted(AttemptLog* log, Of&&... of) : log_(log), attempt_(std::forward<Of>(of)...)
    {}
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;
    ~Noted()
    {
        if (row_)  // cancelled before it could wait
            log_->add_now(std::move(*row_));
        if (ended_)
            return;
        auto cancelled = attempt_.settled_row(Failure(FailureClass::cancelled, ""), Steady::now());
        if (log_ != nullptr)
            log_->add_now(std::move(cancelled));
    }

    // False: the row has to wait for its place in the log, in kept().
    [[nodiscard]] bool ended(const MaybeFailure& failure, Steady::time_point now)
    {
        ended_ = true;
        auto row = attempt_.settled_row(failure, now);
        if (log_ == nullptr || log_->try_add(row))
            return true;
        row_ = std::move(row);
        return false;
    }
    Task<void> kept()
    {
        auto row = std::move(*row_);
        row_.reset();
        co_await log_->add(std::move(row));
    }

private:
    AttemptLog* log_;
    Attempt attempt_;
    bool ended_ = false;
    std::optional<model::AttemptRow> row_;  // that waits for its place
};

// Which target was tried with which key, for which model of the client's; since when.
struct Tried {
    const Target& target;
    const std::size_t key;
    const std::string_view model;
    const Steady::time_point started;
};

// At a chat. What is referred to lives until the note has gone.
class ChatAttempt {
public:
    ChatAttempt(const Tried& tried, const Ask& ask, Reply& reply) : tried_(tried), ask_(ask), reply_(reply) {}
    model::AttemptRow settled_row(const MaybeFailure& failure, Steady::time_point now);

private:
    const Tried tried_;
    const Ask& ask_;
    Reply& reply_;
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

class EmbeddingAttempt {
public:
    EmbeddingAttempt(const Tried& tried, EmbeddingCall& call) : tried_(tried), call_(call)
    {
        call_.answer = {};
        ++call_.attempts;
    }
    model::AttemptRow settled_row(const MaybeFailure& failure, Steady::time_point now);

private:
    const Tried tried_;
    EmbeddingCall& call_;
};

using AttemptNote = Noted<ChatAttempt>;
using EmbeddingNote = Noted<EmbeddingAttempt>;

}  // namespace dure::llm

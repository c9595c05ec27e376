// The exact response cache (llm-upstreams §8, product L6): the same request of the same user gets the stored answer, and
// equal requests in flight share one upstream call. Opt-in per model. Bounded in bytes, entries and age.
//
//   find(key) -> a stored or shared answer; or this caller leads: it makes the answer and ends its Lead
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/task.hpp"
#include "dure/model/chat.hpp"
#include "llm/catalog.hpp"

namespace dure::llm {

// The key of a request, over what shapes its answer; empty: such an answer cannot be kept (several choices, logprobs, audio).
std::string cache_key(const ModelEntry& model, const Ask& ask);

// Thread-safe.
class ExactCache {
public:
    struct Made {
        model::Completion completion;
        std::vector<std::string> dropped_params;  // its provider would not have; said of every copy
    };
    using Answer = std::shared_ptr<const Made>;

    struct Limits {
        std::size_t bytes = 64u << 20;
        std::size_t entries = 10000;
        std::size_t bytes_per_answer = 1u << 20;
        Steady::duration age = std::chrono::hours(1);
    };

    ExactCache() : ExactCache(Limits()) {}
    explicit ExactCache(Limits limits) : limits_(limits) {}

    // The duty to answer for all who wait for the same key. Left without end() (it was cut): the next of them leads.
    class Lead final : public Reply::Others {
    public:
        Lead() = default;
        Lead(const Lead&) = delete;
        Lead& operator=(const Lead&) = delete;
        ~Lead() override;
        bool any() const override;
        void when_none(std::function<void()> tell) override;
        // Null: it is nobody else's answer, and those who wait make their own. `keep`: for later requests too.
        void end(Answer answer, bool keep);
        // What a provider has refused is refused to all who wait: each asking again would only add to its load.
        void fail(const Error& error);

    private:
        friend class ExactCache;
        ExactCache* cache_ = nullptr;
        std::string key_;
    };

    // Null: the caller makes the answer itself, and leads if `lead` was taken. `shared`: it was waited for. The error is that of
    // the call that was waited for.
    Task<Result<Answer>> find(std::string key, Deadline deadline, Lead& lead, bool& shared);

private:
    struct Waiter;
    struct Stored {
        std::string key;
        Answer answer;
        std::size_t bytes = 0;
        Steady::time_point until;
    };
    struct Outcome {
        enum class Kind { answered, failed, alone, lead_again } kind = Kind::lead_again;
        Answer answer = nullptr;
        std::optional<Error> error = std::nullopt;
    };
    struct Flight {
        std::vector<std::shared_ptr<Waiter>> waiters;
        std::function<void()> when_none;
    };

    Answer stored(const std::string& key);  // under the lock
    void keep(const std::string& key, const Answer& answer);  // under the lock
    void drop_last();
    void end_flight(const std::string& key, const Outcome& outcome, bool keep_it);
    void forget(const std::string& key, const std::shared_ptr<Waiter>& waiter);

    const Limits limits_;
    mutable std::mutex guard_;
    std::list<Stored> entries_;  // newest use first
    std::unordered_map<std::string, std::list<Stored>::iterator> by_key_;
    std::size_t bytes_ = 0;
    std::map<std::string, Flight, std::less<>> flights_;
};

// A chat.completion of the OpenAI form for a stored answer, with a new id.
std::string completion_body(const model::Completion& answer, std::string_view model);

}  // namespace dure::llm

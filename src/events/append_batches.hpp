// Appends without other state that come at the same time share a transaction: on PostgreSQL each would otherwise hold the lock
// of the global order until a commit of its own. While a batch is being committed, the next one gathers.
//   append() -> waiting -> a coroutine of its own, while anybody waits: batch -> one unit -> bus -> everybody's outcome
// The outcome of one (a wrong version, a taken id) is no outcome of the others; a batch that fails as a whole is tried one by one.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "dure/events/bus.hpp"
#include "dure/sql/database.hpp"
#include "dure/store/events.hpp"

namespace dure::events {

// Thread-safe. Database and bus outlive what is under way.
class AppendBatches : public std::enable_shared_from_this<AppendBatches> {
public:
    AppendBatches(sql::Database& database, Bus& bus) : database_(database), bus_(bus) {}

    Task<Result<model::Event>> append(store::NewEvent event, std::optional<std::int64_t> expected_version);

private:
    using Outcome = Result<model::Event>;
    struct Waiting {
        const store::NewEvent& event;
        const std::optional<std::int64_t> expected_version;
        std::function<void()> resume;
        std::optional<Outcome> outcome = {};
        std::exception_ptr thrown = nullptr;
    };
    using Batch = std::deque<Waiting*>;

    static constexpr std::size_t largest_batch = 64;

    Task<void> work();
    Batch next_batch();
    // The outcomes of all, in their order, or the error of the whole unit.
    Task<Result<std::vector<Outcome>>> store(const Batch& batch);
    Task<void> settle(Batch& batch);
    Batch take_all();

    sql::Database& database_;
    Bus& bus_;
    std::mutex guard_;
    Batch waiting_;
    bool working_ = false;
};

}  // namespace dure::events

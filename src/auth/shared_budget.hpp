// Budgets across replicas: for each account a hash in Redis with what was used in the minute and on the day, and another with
// its reservations, each "<time its lease ends>:<tokens>:<cost>" by its id. One script decides and reserves;
// another settles behind the answer. What Redis does not know of a day it is told from the usage rows. While Redis is away each
// replica gives half of what is left, and tells Redis afterwards what that was. A command that Redis did not answer may have been
// carried out all the same: everything that is said again says the same.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>

#include "auth/budget_book.hpp"
#include "dure/redis/client.hpp"

namespace dure::auth {

class SharedBudget : public std::enable_shared_from_this<SharedBudget> {
public:
    SharedBudget(redis::Client& redis, BudgetParts parts, std::chrono::milliseconds lease);

    BudgetBook& book() { return book_; }
    // Awaited on a core; the reservation is settled on the same core.
    Task<Result<std::unique_ptr<model::Reservation>>> reserve(std::vector<Payer> payers, model::Wish wish);
    Task<std::optional<model::TokenLevel>> level(Payer payer);

private:
    class Held;
    // Of one day, by the usage rows; day < 0: not asked yet.
    struct Told {
        std::int64_t day = -1;
        std::vector<model::Spend> spent;
    };
    struct Answer {
        enum class Kind { granted, refused, unknown } kind = Kind::refused;
        std::int64_t day = 0;
        std::vector<SpendLevels> levels;
    };
    // Empty: Redis did not answer.
    Task<std::optional<Answer>> ask(const std::string& id, const std::vector<Payer>& payers, const model::Wish& wish,
                                    const Told& told);
    // Until Redis knows the day; an error when the usage rows cannot be read.
    Task<Result<std::optional<Answer>>> ask_and_tell(const std::string& id, const std::vector<Payer>& payers,
                                                     const model::Wish& wish);
    Task<void> settle(std::vector<Payer> payers, std::string id, model::Spend used, bool in_time);
    Task<Result<std::unique_ptr<model::Reservation>>> reserve_without_redis(std::vector<Payer> payers,
                                                                            model::Wish wish);

    // What was used while Redis was away: all of it since the start, of which Redis remembers what it has counted.
    void owe(std::span<const Payer> payers, const model::Spend& used);
    model::Spend owed(const std::string& name);
    static redis::Arguments keys_of(const std::vector<Payer>& payers);

    redis::Client& redis_;
    const std::chrono::milliseconds lease_;
    const redis::Script reserve_script_;
    const redis::Script settle_script_;
    BudgetBook book_;
    std::mutex guard_;
    BoundedMap<model::Spend> owed_;
    const std::string process_ = new_id();
    std::atomic<bool> away_{false};  // accounts of this process are in use
};

}  // namespace dure::auth

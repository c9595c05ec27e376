// OutcomeLookup: ask the witness until it knows; see outcome.hpp.
#include "sql/postgres/outcome.hpp"

#include <thread>

namespace dure::sql {

namespace {

constexpr std::chrono::milliseconds between_questions{20};
constexpr std::chrono::milliseconds patience_with_old_session{200};

}  // namespace

void OutcomeLookup::refresh()
{
    // Whoever is looking something up keeps the witness alive as well.
    const std::unique_lock lock(guard_, std::try_to_lock);
    if (lock.owns_lock() && !alive())
        open();
}

bool OutcomeLookup::alive()
{
    if (witness_ && witness_->command("SELECT 1"))
        return true;
    witness_.reset();
    return false;
}

bool OutcomeLookup::open()
{
    auto opened = PostgresConnection::open(address_, statement_timeout_, dog_);
    if (!opened)
        return false;
    witness_ = std::move(*opened);
    opened_at_ = Steady::now();
    return true;
}

OutcomeLookup::Outcome OutcomeLookup::find(const Transaction& transaction, Deadline until)
{
    const auto since = Steady::now();
    const std::unique_lock lock(guard_, until.at());
    if (!lock.owns_lock())
        return Outcome::unknown;
    for (;;) {
        if (alive() || open()) {
            if (const auto outcome = ask(transaction))
                return *outcome;
            end_old_session(transaction, since);
        }
        if (until.passed())
            return Outcome::unknown;
        std::this_thread::sleep_for(between_questions);
    }
}

// Empty: not decided yet, or the witness failed.
std::optional<OutcomeLookup::Outcome> OutcomeLookup::ask(const Transaction& transaction)
{
    const auto status = witness_->command("SELECT pg_xact_status('" + transaction.id + "'::xid8)");
    if (status)
        return judge(transaction, *status);
    const auto failure = witness_->take_failure();
    if (failure && failure->kind == PostgresFailure::Kind::statement && failure->state == "22023")
        return Outcome::rolled_back;   // the id "is in the future": a crash took it back
    witness_.reset();
    return std::nullopt;
}

std::optional<OutcomeLookup::Outcome> OutcomeLookup::judge(const Transaction& transaction, std::string_view status)
{
    if (status == "aborted")
        return Outcome::rolled_back;
    if (status == "in progress")
        return std::nullopt;
    if (status != "committed")
        return Outcome::unknown;   // so old that the server forgot it
    return opened_at_ <= transaction.begun_at ? Outcome::committed : Outcome::unknown;
}

// A server that has not noticed the loss still holds the transaction open, with its locks. Its process is surely the
// old one only while the witness has outlived the transaction.
void OutcomeLookup::end_old_session(const Transaction& transaction, Steady::time_point asked_since)
{
    const bool patient = Steady::now() < asked_since + patience_with_old_session;
    if (patient || !witness_ || opened_at_ > transaction.begun_at)
        return;
    if (!witness_->command("SELECT pg_terminate_backend(" + std::to_string(transaction.server_process) + ")"))
        witness_.reset();
}

}  // namespace dure::sql

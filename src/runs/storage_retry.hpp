// D10: a call to a database that fails for a while is made again, with growing pauses, until a deadline. What it fails
// with in the end carries STORAGE_ERROR as its reason. Who has to end sooner than that names a moment, which may come nearer
// while the call is being made; one attempt is made in any case.
#pragma once

#include "dure/base/timeout.hpp"
#include "dure/sql/database.hpp"

namespace dure::runs {

inline constexpr std::string_view storage_error = "STORAGE_ERROR";

inline bool may_pass(const Error& error)
{
    return error.code() == Errc::unavailable || error.code() == Errc::timeout;
}

inline Error as_storage_error(Error error)
{
    const bool of_storage = may_pass(error) || error.code() == Errc::storage_full || error.code() == Errc::internal;
    return of_storage ? std::move(error).reason(std::string(storage_error)) : error;
}

// attempt() makes the call: a Task<Result<T>>. The call must be one that may be repeated.
template <class Attempt>
auto until_stored(Attempt attempt, Steady::duration give_up_after, const Deadline* latest = nullptr)
    -> std::invoke_result_t<Attempt&>
{
    const auto deadline = Deadline::after(give_up_after);
    for (Steady::duration pause = std::chrono::milliseconds(50);;
         pause = std::min<Steady::duration>(pause * 2, std::chrono::seconds(2))) {
        auto outcome = co_await attempt();
        if (outcome)
            co_return outcome;
        const auto left = latest ? std::min(deadline.left(), latest->left()) : deadline.left();
        if (!may_pass(outcome.error()) || left < pause)
            co_return as_storage_error(outcome.error());
        co_await sleep_for(pause);
    }
}

}  // namespace dure::runs

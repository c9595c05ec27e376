// See spending.hpp.
#include "flows/compiler/spending.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "dure/base/clock.hpp"

namespace dure::flows {

namespace {

std::string name_of_note(int number)
{
    return "spent/" + std::to_string(number);
}

}  // namespace

// The notes of a task are numbered: the first number that is free takes the new one.
Task<void> keep_spending(graph::NodeContext& context, OpenTask& task, bool asks)
{
    if (!(asks ? task.has_passing_news() : task.has_news()))
        co_return co_await recall_spending(context, task);
    const auto own = new_id();
    bool made = false;
    for (int number = 0;; ++number) {
        const auto note = co_await context.step(name_of_note(number), [&]() -> Task<Result<Json>> {
            made = true;
            co_return task.note(own);
        });
        if (made)  // also if it could not be saved: a next attempt of this process finds it all the same
            co_return task.note_kept(own);
        if (!note)
            co_return;  // nobody waits for the node: the run says so
        task.recall(*note);
    }
}

// By a coroutine of its own, which nobody has cancelled. What cannot be kept now is lost: there is nobody to tell.
Task<void> keep_spending_of_cut(graph::NodeContext& context, OpenTask& task)
{
    namespace asio = boost::asio;
    if (!task.has_passing_news())
        co_return;
    const auto executor = co_await asio::this_coro::executor;
    (void)co_await asio::co_spawn(executor, keep_spending(context, task, true), asio::as_tuple(asio::use_awaitable));
}

Task<void> recall_spending(graph::NodeContext& context, OpenTask& task)
{
    for (int number = 0;; ++number) {
        const auto note = co_await context.step(name_of_note(number), []() -> Task<Result<Json>> {
            co_return Error(Errc::not_found, "There are no more.");
        });
        if (!note)
            co_return;
        task.recall(*note);
    }
}

}  // namespace dure::flows

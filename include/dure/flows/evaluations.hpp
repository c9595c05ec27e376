// Threads for expressions over large values, so that no core waits for them. First come, first served; who is cancelled leaves the
// queue, or is through with what is under way at its next filter or comparison.
//   Evaluations evaluations(1); flow_run.evaluations = &evaluations;
#pragma once

#include <atomic>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <memory>
#include <optional>

#include "dure/base/blocking_pool.hpp"
#include "dure/base/bulkhead.hpp"
#include "dure/flows/evaluation_work.hpp"

namespace dure::flows {

// Thread-safe.
class Evaluations {
public:
    explicit Evaluations(std::size_t threads) : turns_(threads, most_waiting), pool_("expressions", threads, threads) {}

    // work() returns a Result and takes its steps from `counted`; nothing else touches what it looks at meanwhile. Errors: its
    // own, and unavailable. The deadline is that of who waits: a node is cancelled when its time is up.
    template <class Work>
    Task<std::invoke_result_t<Work>> run(EvaluationWork& counted, Work work)
    {
        namespace asio = boost::asio;
        auto why = Bulkhead::Refusal::queue_full;
        const auto turn = co_await turns_.enter(Deadline::never(), why);
        if (!turn)
            co_return Error(Errc::unavailable, "The server is busy with other expressions, try again shortly.")
                .retry_after(std::chrono::seconds(1));
        const auto stopped = std::make_shared<std::atomic<bool>>(false);
        if (auto slot = (co_await asio::this_coro::cancellation_state).slot(); slot.is_connected())
            slot.assign([stopped](asio::cancellation_type) { stopped->store(true); });
        auto result = co_await pool_.run([&] {
            counted.allow(EvaluationWork::most_steps, EvaluationWork::most_units, stopped.get());
            return work();
        });
        counted.allow(0, 0);
        if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        co_return result;
    }

private:
    static constexpr std::size_t most_waiting = 16'384;
    Bulkhead turns_;
    BlockingPool pool_;
};

}  // namespace dure::flows

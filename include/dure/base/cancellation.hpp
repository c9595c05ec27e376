// Cancellation of the running coroutine, looked at without waiting: co_await throws for a cancelled one before the awaited
// task starts, so whoever has children to wait for or records to write asks first.
#pragma once

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>

namespace dure {

// Of `co_await boost::asio::this_coro::cancellation_state`.
inline bool is_cancelled(const boost::asio::cancellation_state& state)
{
    return state.cancelled() != boost::asio::cancellation_type::none;
}

}  // namespace dure

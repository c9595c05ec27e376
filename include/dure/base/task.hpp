// Task<T>: the coroutine type of the whole product. A Task runs on the executor of the coroutine that awaits it; one
// that was started with terminal cancellation ends by boost::system::system_error(operation_aborted) at its next wait.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace dure {

template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace dure

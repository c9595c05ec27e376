// See stopping.hpp.
#include "api/stopping.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace dure::api {

Error server_is_stopping()
{
    return Error(Errc::unavailable, "The server is stopping.").reason("server_shutdown");
}

Task<Result<void>> or_told_of_stop(RequestContext& context, Task<Result<void>> work)
{
    try {
        co_return co_await std::move(work);
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted || context.exchange().client_gone())
            throw;
    }
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_return server_is_stopping();
}

}  // namespace dure::api

// Background; see background.hpp.
#include "chat/background.hpp"

#include <boost/asio/co_spawn.hpp>

namespace dure::chat {

bool Background::start(boost::asio::any_io_executor executor, Task<void> work)
{
    if (running_.fetch_add(1) >= most) {
        --running_;
        return false;
    }
    boost::asio::co_spawn(std::move(executor), std::move(work), [this](std::exception_ptr thrown) {
        --running_;
        if (!thrown)
            return;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& error) {
            logger_.error("background work failed", {{"detail", error.what()}});
        }
    });
    return true;
}

}  // namespace dure::chat

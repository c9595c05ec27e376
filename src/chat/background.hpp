// Work that outlives the request which caused it (summaries): each piece has this owner, a bound on how many run, and the
// shutdown waits for all of them. Thread-safe.
#pragma once

#include <atomic>
#include <string>

#include "dure/base/log.hpp"
#include "dure/base/task.hpp"

namespace dure::chat {

class Background {
public:
    explicit Background(Logger& logger) : logger_(logger) {}

    // Starts `work` on the calling core. False when too many run already: the caller leaves it for later.
    bool start(boost::asio::any_io_executor executor, Task<void> work);
    std::size_t running() const { return running_; }

private:
    static constexpr std::size_t most = 256;
    Logger& logger_;
    std::atomic<std::size_t> running_{0};
};

}  // namespace dure::chat

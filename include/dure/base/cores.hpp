// The threads of the process: one io_context per core, each run by one thread, so that a connection and everything it
// starts stay on one core without locks or strands. Code on a core must not block it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace dure {

class Cores {
public:
    static constexpr std::size_t outside = static_cast<std::size_t>(-1);

    explicit Cores(std::size_t count);   // 0: as many as the machine has
    ~Cores();
    Cores(const Cores&) = delete;
    Cores& operator=(const Cores&) = delete;

    std::size_t size() const { return contexts_.size(); }
    boost::asio::io_context& at(std::size_t core) { return *contexts_.at(core); }

    // Index of the core whose thread calls this; `outside` on every other thread. Parts that keep one object per core
    // (connection pools) choose theirs by it.
    static std::size_t here();

    void start();
    // Ends the loops at once; what is still waiting is destroyed with the contexts. Call after the shutdown phases.
    void stop();
    void join();

private:
    std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
    std::vector<std::function<void()>> keep_alive_;
    std::vector<std::thread> threads_;
};

}  // namespace dure

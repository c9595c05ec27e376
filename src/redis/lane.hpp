// The commands of one core: its connection, the FIFO of those that wait for a reply, reconnecting and the circuit.
//   parked (while connecting) -> waiting (sent) -> reply, or "no reply" when the link ends
// All but unavailable() and stop() on its core.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "dure/base/channel.hpp"
#include "redis/link.hpp"

namespace dure::redis {

class Lane : public std::enable_shared_from_this<Lane> {
public:
    Lane(boost::asio::io_context& core, Target target, Logger& logger, const ClientOptions& options);

    // `bytes` is one formatted command.
    Task<Result<Reply>> command(std::string bytes, Deadline until);
    // Its circuit is open, or it has lately refused what a server in order would have done. Any thread.
    bool unavailable() const;
    void stop();

private:
    struct Waiter {
        Waiter(boost::asio::any_io_executor executor, std::string command)
            : signal(std::move(executor)), bytes(std::move(command))
        {}
        Signal signal;
        std::string bytes;             // until it is sent
        std::optional<Reply> reply;
        bool done = false;
        bool given_up = false;         // by its coroutine; its reply will be dropped
        bool overdue = false;          // given up because its time was over
    };
    using Waiters = std::deque<std::shared_ptr<Waiter>>;

    Result<void> enqueue(const std::shared_ptr<Waiter>& waiter);
    void start();
    Task<void> keep_connected();
    Task<void> live_once();
    Task<void> serve();
    void deliver(Reply reply);
    void count_timeout();
    Error refuse_behind_overdue();
    void note_refusal(const std::string& text);
    static void end_all(Waiters& waiters);
    void count_failure(int failures);
    Steady::duration pause() const;

    boost::asio::io_context& core_;
    const Target target_;
    Logger& logger_;
    const ClientOptions options_;
    std::shared_ptr<Link> link_;       // being opened or open
    bool ready_ = false;               // link_ is open and logged in
    bool running_ = false;
    bool stopped_ = false;
    Waiters parked_;
    Waiters waiting_;
    std::size_t overdue_ = 0;          // of waiting_
    int failures_ = 0;                 // to connect, in a row
    int timeouts_ = 0;                 // of commands, in a row
    Steady::time_point timeout_at_{};  // of the last one counted
    Signal pausing_;
    std::atomic<bool> circuit_open_{false};
    std::atomic<Steady::time_point> refused_at_{Steady::time_point::min()};
    Steady::time_point refusal_told_at_ = Steady::time_point::min();
};

}  // namespace dure::redis

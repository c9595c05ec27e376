// What all connections of one server share: the options, the counters behind the limits, and one Core for each loop
// with the connections that live there.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "dure/http/server.hpp"
#include "http/server/peer_policy.hpp"
#include "http/server/receive.hpp"
#include "http/server/server_tls.hpp"

namespace dure::http {

class Connection;
struct Core;

// Counts connections, all and per address; thread-safe.
class ConnectionCounter {
public:
    bool enter(const boost::asio::ip::address& address, std::size_t most, std::size_t most_per_address);
    void leave(const boost::asio::ip::address& address);
    std::size_t all() const;
    // True when the last one has left before the time is over.
    bool wait_until_none(std::chrono::milliseconds patience);

private:
    mutable std::mutex guard_;
    std::condition_variable changed_;
    std::map<boost::asio::ip::address, std::size_t> by_address_;
    std::size_t all_ = 0;
};

// The bound on the memory of all request bodies together; thread-safe.
class BodyBudget {
public:
    explicit BodyBudget(std::size_t most) : most_(most) {}
    bool take(std::size_t bytes);
    void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

private:
    const std::size_t most_;
    std::atomic<std::size_t> used_{0};
};

struct Shared {
    Shared(Application& app, Logger& log, ServerOptions given)
        : application(app), logger(log), options(std::move(given)), bodies(options.limits.bodies_in_memory)
    {
    }

    Application& application;
    Logger& logger;
    ServerOptions options;
    PeerPolicy peers;
    ServerTls tls;
    ConnectionCounter connections;
    BodyBudget bodies;
    std::atomic<bool> stopping{false};
    std::vector<std::weak_ptr<Core>> cores;   // these two are set before the first of them accepts
    boost::asio::ip::tcp protocol = boost::asio::ip::tcp::v4();
};

// One loop's part of the server; everything but `exchanges` is used on that loop only.
struct Core {
    Core(std::shared_ptr<Shared> all, boost::asio::io_context& loop)
        : shared(std::move(all)), context(loop), acceptor(loop), pause(loop), looks(std::make_shared<SecondLooks>(loop))
    {
    }

    // What every answer has behind its status line, from that line's end on; made once a second, for its date.
    std::string_view common_fields();

    std::shared_ptr<Shared> shared;
    boost::asio::io_context& context;
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::steady_timer pause;   // of accepting, when descriptors have run out
    std::shared_ptr<SecondLooks> looks;
    std::unordered_set<Connection*> connections;
    alignas(64) std::atomic<std::size_t> exchanges{0};
    alignas(64) std::atomic<std::size_t> places{0};   // connections that live here or are on their way; any thread

private:
    std::time_t fields_second_ = 0;
    char fields_[128] = {};
    std::size_t fields_size_ = 0;
};

// A connection's place on a core, counted for as long as it lives.
class Place {
public:
    explicit Place(std::shared_ptr<Core> core) : core_(std::move(core)) { core_->places.fetch_add(1); }
    Place(Place&&) = default;
    Place& operator=(Place&&) = delete;
    ~Place()
    {
        if (core_)
            core_->places.fetch_sub(1);
    }
    const std::shared_ptr<Core>& core() const { return core_; }

private:
    std::shared_ptr<Core> core_;
};

}  // namespace dure::http

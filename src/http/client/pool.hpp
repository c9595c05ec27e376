// The connections of one core, by origin: the newest idle one is taken first; when an origin has no room, waiters queue
// and get what is given back in their order.
//
//   acquire() -> Lease with an idle connection, or with none: dial, then put() it in; the Lease's end gives it back
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dure/base/channel.hpp"
#include "dure/base/error.hpp"
#include "dure/http/client.hpp"
#include "http/client/connection.hpp"

namespace dure::http::outgoing {

class Pool;

// A place at an origin, with or without a connection in it. Without keep() its connection is closed at its end.
class Lease {
public:
    Lease() = default;
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { release(); }

    Connection* connection() const { return connection_.get(); }
    void put(std::unique_ptr<Connection> connection) { connection_ = std::move(connection); }
    void close() { connection_.reset(); }
    // The exchange ended cleanly: the next one may use the connection.
    void keep();
    const std::shared_ptr<TlsSession>& session() const;

private:
    friend class Pool;
    Lease(std::shared_ptr<Pool> pool, std::string origin, std::unique_ptr<Connection> connection,
          std::shared_ptr<TlsSession> session);
    void release();

    std::shared_ptr<Pool> pool_;   // empty: this lease holds nothing
    std::string origin_;
    std::unique_ptr<Connection> connection_;
    std::shared_ptr<TlsSession> session_;
};

struct PoolLimits {
    std::size_t connections = 1;
    std::size_t idle = 1;
    Steady::duration idle_time{};
    Steady::duration life{};
};

// Used on its core only, except for the counts.
class Pool : public std::enable_shared_from_this<Pool> {
public:
    Pool(CoreExecutor executor, PoolLimits limits);

    // fresh: no idle connection is given (the caller has just met a stale one). Errors: timeout.
    Task<Result<Lease>> acquire(const std::string& origin, bool fresh, Deadline until);
    void close_idle();
    // For good: nothing is kept any more.
    void shut();

    std::size_t open_count() const { return open_.load(std::memory_order_relaxed); }
    std::size_t leased_count() const { return open_count() - idle_count(); }   // on its core only
    std::size_t idle_count() const { return idle_.load(std::memory_order_relaxed); }

private:
    friend class Lease;
    struct Waiter {
        explicit Waiter(const boost::asio::any_io_executor& executor) : granted_or_not(executor) {}
        Signal granted_or_not;
        bool granted = false;
        std::unique_ptr<Connection> connection;
    };
    struct Origin {
        std::vector<std::unique_ptr<Connection>> idle;   // the newest at the back
        std::size_t open = 0;                            // places taken: leased, being dialled, and idle
        std::list<Waiter*> waiters;
        std::shared_ptr<TlsSession> session = std::make_shared<TlsSession>();
    };

    class Listed;

    Task<Result<Lease>> wait_for_place(const std::string& name, bool fresh, Deadline until);
    Lease lease(const std::string& name, std::unique_ptr<Connection> connection);
    std::unique_ptr<Connection> take_idle(Origin& origin);
    bool usable(Connection& connection) const;
    bool expired(const Connection& connection, Steady::time_point now) const;
    void give_back(const std::string& name, std::unique_ptr<Connection> connection);
    void free_place(Origin& origin);
    void forget(const std::string& name);
    void sweep();
    void sweep_later();

    CoreExecutor executor_;
    PoolLimits limits_;
    std::map<std::string, Origin> origins_;
    Timer sweeper_;
    bool sweeping_ = false;
    bool shut_ = false;
    std::atomic<std::size_t> open_ = 0;
    std::atomic<std::size_t> idle_ = 0;
};

}  // namespace dure::http::outgoing

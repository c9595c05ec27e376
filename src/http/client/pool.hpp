// The connections of one core, by origin: the newest idle one is taken first; when an origin has no room, waiters queue
// and get what is given back in their order.
//
//   take() -> Lease with an idle connection, or with none: dial, then put() it in; the Lease's end gives it back
//          -> nothing: wait_for_place()
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dure/base/channel.hpp"
#include "dure/base/error.hpp"
#include "dure/http/client.hpp"
#include "http/client/connection.hpp"

namespace dure::http::outgoing {

class Pool;

// What a pool knows of one origin. It stays where it is for as long as a place of it is taken.
struct PooledOrigin {
    struct Waiter {
        explicit Waiter(const boost::asio::any_io_executor& executor) : granted_or_not(executor) {}
        Signal granted_or_not;
        bool granted = false;
        std::unique_ptr<Connection> connection;
    };
    explicit PooledOrigin(const std::string& of) : name(of) {}

    const std::string name;
    std::vector<std::unique_ptr<Connection>> idle;   // the newest at the back
    std::size_t open = 0;                            // places taken: leased, being dialled, and idle
    std::list<Waiter*> waiters;
    std::shared_ptr<TlsSession> session = std::make_shared<TlsSession>();
};

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
    // Of a lease that has not been kept.
    const std::shared_ptr<TlsSession>& session() const { return origin_->session; }

private:
    friend class Pool;
    Lease(std::shared_ptr<Pool> pool, PooledOrigin& origin, std::unique_ptr<Connection> connection);
    void release();

    std::shared_ptr<Pool> pool_;   // empty: this lease holds nothing
    PooledOrigin* origin_ = nullptr;
    std::unique_ptr<Connection> connection_;
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

    // fresh: no idle connection is given (the caller has just met a stale one). Empty: all places of the origin are taken.
    std::optional<Lease> take(const std::string& origin, bool fresh, Steady::time_point now);
    // Errors: timeout.
    Task<Result<Lease>> wait_for_place(const std::string& origin, bool fresh, Deadline until);
    void close_idle();
    // For good: nothing is kept any more.
    void shut();

    std::size_t open_count() const { return open_.load(std::memory_order_relaxed); }
    std::size_t leased_count() const { return open_count() - idle_count(); }   // on its core only
    std::size_t idle_count() const { return idle_.load(std::memory_order_relaxed); }

private:
    friend class Lease;
    using Origin = PooledOrigin;
    using Waiter = PooledOrigin::Waiter;
    class Listed;

    Origin& origin_of(const std::string& name) { return origins_.try_emplace(name, name).first->second; }
    Lease lease(Origin& origin, std::unique_ptr<Connection> connection);
    std::unique_ptr<Connection> take_idle(Origin& origin, Steady::time_point now);
    bool usable(Connection& connection, Steady::time_point now) const;
    bool expired(const Connection& connection, Steady::time_point now) const;
    void give_back(Origin& origin, std::unique_ptr<Connection> connection);
    void free_place(Origin& origin);
    void forget(Origin& origin);
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

// Pool and Lease; see pool.hpp.
#include "http/client/pool.hpp"

namespace dure::http::outgoing {
namespace pool_parts {

constexpr auto sweep_pause = std::chrono::seconds(5);
// Origins without connections keep their TLS session; more than these are forgotten.
constexpr std::size_t most_resting_origins = 1024;

}  // namespace pool_parts

Lease::Lease(std::shared_ptr<Pool> pool, PooledOrigin& origin, std::unique_ptr<Connection> connection)
    : pool_(std::move(pool)), origin_(&origin), connection_(std::move(connection))
{
}

Lease& Lease::operator=(Lease&& other) noexcept
{
    if (this == &other)
        return *this;
    release();
    pool_ = std::move(other.pool_);
    origin_ = other.origin_;
    connection_ = std::move(other.connection_);
    return *this;
}

void Lease::keep()
{
    if (const auto pool = std::exchange(pool_, nullptr))
        pool->give_back(*origin_, std::move(connection_));
}

void Lease::release()
{
    connection_.reset();
    keep();
}

Pool::Pool(CoreExecutor executor, PoolLimits limits) : executor_(executor), limits_(limits), sweeper_(executor) {}

Lease Pool::lease(Origin& origin, std::unique_ptr<Connection> connection)
{
    return Lease(shared_from_this(), origin, std::move(connection));
}

std::optional<Lease> Pool::take(const std::string& name, bool fresh, Steady::time_point now)
{
    Origin& origin = origin_of(name);
    if (auto connection = fresh ? nullptr : take_idle(origin, now))
        return lease(origin, std::move(connection));
    if (fresh && origin.open >= limits_.connections && !origin.idle.empty()) {
        origin.idle.erase(origin.idle.begin());
        idle_.fetch_sub(1, std::memory_order_relaxed);
        free_place(origin);
    }
    if (origin.open >= limits_.connections)
        return std::nullopt;
    ++origin.open;
    open_.fetch_add(1, std::memory_order_relaxed);
    return lease(origin, nullptr);
}

// A waiter in its origin's list. At its end it leaves the list; what was granted to it but never taken (it was cancelled
// meanwhile) goes to the next.
class Pool::Listed {
public:
    Listed(Pool& pool, Origin& origin, const boost::asio::any_io_executor& executor)
        : pool_(pool), origin_(origin), waiter_(executor), at_(origin.waiters.insert(origin.waiters.end(), &waiter_))
    {
    }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    ~Listed()
    {
        if (!waiter_.granted)
            origin_.waiters.erase(at_);
        else if (!taken_)
            pool_.give_back(origin_, std::move(waiter_.connection));
    }

    Waiter& waiter() { return waiter_; }
    std::unique_ptr<Connection> take()
    {
        taken_ = true;
        return std::move(waiter_.connection);
    }

private:
    Pool& pool_;
    Origin& origin_;
    Waiter waiter_;
    std::list<Waiter*>::iterator at_;
    bool taken_ = false;
};

Task<Result<Lease>> Pool::wait_for_place(const std::string& name, bool fresh, Deadline until)
{
    Origin& origin = origin_of(name);
    Listed listed(*this, origin, boost::asio::any_io_executor(executor_));
    while (!listed.waiter().granted && !until.passed())
        co_await listed.waiter().granted_or_not.wait(until.at());
    if (!listed.waiter().granted)
        co_return Error(Errc::timeout, "The upstream's connections are all in use.")
            .reason("connect")
            .detail(name + ": no connection became free in time");
    auto connection = listed.take();
    if (connection && (fresh || !usable(*connection, Steady::now())))
        connection.reset();
    co_return lease(origin, std::move(connection));
}

std::unique_ptr<Connection> Pool::take_idle(Origin& origin, Steady::time_point now)
{
    while (!origin.idle.empty()) {
        auto connection = std::move(origin.idle.back());
        origin.idle.pop_back();
        idle_.fetch_sub(1, std::memory_order_relaxed);
        if (usable(*connection, now))
            return connection;
        free_place(origin);
    }
    return nullptr;
}

bool Pool::usable(Connection& connection, Steady::time_point now) const
{
    return !expired(connection, now) && connection.quiet();
}

bool Pool::expired(const Connection& connection, Steady::time_point now) const
{
    return now - connection.idle_since() >= limits_.idle_time || now - connection.born() >= limits_.life;
}

// With a connection: for the next waiter, or idle. Without one: the place alone.
void Pool::give_back(Origin& origin, std::unique_ptr<Connection> connection)
{
    if (connection) {
        const auto now = Steady::now();
        connection->rest(now);
        if (shut_ || expired(*connection, now))
            connection.reset();
    }
    if (!origin.waiters.empty()) {
        Waiter& next = *origin.waiters.front();
        origin.waiters.pop_front();
        next.connection = std::move(connection);
        next.granted = true;
        next.granted_or_not.notify();
        return;
    }
    if (!connection || origin.idle.size() >= limits_.idle) {
        free_place(origin);
        return forget(origin);
    }
    origin.idle.push_back(std::move(connection));
    idle_.fetch_add(1, std::memory_order_relaxed);
    sweep_later();
}

void Pool::free_place(Origin& origin)
{
    --origin.open;
    open_.fetch_sub(1, std::memory_order_relaxed);
}

void Pool::forget(Origin& origin)
{
    if (origins_.size() > pool_parts::most_resting_origins && origin.open == 0 && origin.waiters.empty())
        origins_.erase(origins_.find(origin.name));
}

void Pool::close_idle()
{
    for (auto& [name, origin] : origins_) {
        for (std::size_t i = origin.idle.size(); i > 0; --i)
            free_place(origin);
        idle_.fetch_sub(origin.idle.size(), std::memory_order_relaxed);
        origin.idle.clear();
    }
}

void Pool::shut()
{
    shut_ = true;
    sweeper_.cancel();
    close_idle();
}

// Closes what has rested or lived too long, and what its peer has closed, so that no socket lingers half-open.
void Pool::sweep()
{
    const auto now = Steady::now();
    for (auto& [name, origin] : origins_) {
        const auto closed = std::erase_if(origin.idle, [&](const auto& one) { return expired(*one, now) || !one->quiet(); });
        idle_.fetch_sub(closed, std::memory_order_relaxed);
        for (std::size_t i = 0; i < closed; ++i)
            free_place(origin);
    }
}

void Pool::sweep_later()
{
    if (std::exchange(sweeping_, true))
        return;
    sweeper_.expires_after(std::min<Steady::duration>(pool_parts::sweep_pause, limits_.idle_time));
    sweeper_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        const auto self = weak.lock();
        if (!self || error)
            return;
        self->sweeping_ = false;
        self->sweep();
        if (self->idle_count() > 0)
            self->sweep_later();
    });
}

}  // namespace dure::http::outgoing

// Pool and Lease; see pool.hpp.
#include "http/client/pool.hpp"

namespace dure::http::outgoing {
namespace pool_parts {

constexpr auto sweep_pause = std::chrono::seconds(5);
// Origins without connections keep their TLS session; more than these are forgotten.
constexpr std::size_t most_resting_origins = 1024;

}  // namespace pool_parts

Lease::Lease(std::shared_ptr<Pool> pool, std::string origin, std::unique_ptr<Connection> connection,
             std::shared_ptr<TlsSession> session)
    : pool_(std::move(pool)), origin_(std::move(origin)), connection_(std::move(connection)), session_(std::move(session))
{
}

Lease& Lease::operator=(Lease&& other) noexcept
{
    if (this == &other)
        return *this;
    release();
    pool_ = std::move(other.pool_);
    origin_ = std::move(other.origin_);
    connection_ = std::move(other.connection_);
    session_ = std::move(other.session_);
    return *this;
}

const std::shared_ptr<TlsSession>& Lease::session() const
{
    return session_;
}

void Lease::keep()
{
    if (const auto pool = std::exchange(pool_, nullptr))
        pool->give_back(origin_, std::move(connection_));
}

void Lease::release()
{
    connection_.reset();
    keep();
}

Pool::Pool(CoreExecutor executor, PoolLimits limits) : executor_(executor), limits_(limits), sweeper_(executor) {}

Lease Pool::lease(const std::string& name, std::unique_ptr<Connection> connection)
{
    return Lease(shared_from_this(), name, std::move(connection), origins_[name].session);
}

Task<Result<Lease>> Pool::acquire(const std::string& name, bool fresh, Deadline until)
{
    Origin& origin = origins_[name];
    if (auto connection = fresh ? nullptr : take_idle(origin))
        co_return lease(name, std::move(connection));
    if (fresh && origin.open >= limits_.connections && !origin.idle.empty()) {
        origin.idle.erase(origin.idle.begin());
        idle_.fetch_sub(1, std::memory_order_relaxed);
        free_place(origin);
    }
    if (origin.open < limits_.connections) {
        ++origin.open;
        open_.fetch_add(1, std::memory_order_relaxed);
        co_return lease(name, nullptr);
    }
    co_return co_await wait_for_place(name, fresh, until);
}

// A waiter in its origin's list. At its end it leaves the list; what was granted to it but never taken (it was cancelled
// meanwhile) goes to the next.
class Pool::Listed {
public:
    Listed(Pool& pool, const std::string& name, const boost::asio::any_io_executor& executor)
        : pool_(pool), name_(name), waiter_(executor)
    {
        auto& waiters = pool_.origins_[name_].waiters;
        at_ = waiters.insert(waiters.end(), &waiter_);
    }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    ~Listed()
    {
        if (!waiter_.granted)
            pool_.origins_[name_].waiters.erase(at_);
        else if (!taken_)
            pool_.give_back(name_, std::move(waiter_.connection));
    }

    Waiter& waiter() { return waiter_; }
    std::unique_ptr<Connection> take()
    {
        taken_ = true;
        return std::move(waiter_.connection);
    }

private:
    Pool& pool_;
    const std::string& name_;
    Waiter waiter_;
    std::list<Waiter*>::iterator at_;
    bool taken_ = false;
};

Task<Result<Lease>> Pool::wait_for_place(const std::string& name, bool fresh, Deadline until)
{
    Listed listed(*this, name, boost::asio::any_io_executor(executor_));
    while (!listed.waiter().granted && !until.passed())
        co_await listed.waiter().granted_or_not.wait(until.at());
    if (!listed.waiter().granted)
        co_return Error(Errc::timeout, "The upstream's connections are all in use.")
            .reason("connect")
            .detail(name + ": no connection became free in time");
    auto connection = listed.take();
    if (connection && (fresh || !usable(*connection)))
        connection.reset();
    co_return lease(name, std::move(connection));
}

std::unique_ptr<Connection> Pool::take_idle(Origin& origin)
{
    while (!origin.idle.empty()) {
        auto connection = std::move(origin.idle.back());
        origin.idle.pop_back();
        idle_.fetch_sub(1, std::memory_order_relaxed);
        if (usable(*connection))
            return connection;
        free_place(origin);
    }
    return nullptr;
}

bool Pool::usable(Connection& connection) const
{
    return !expired(connection, Steady::now()) && connection.quiet();
}

bool Pool::expired(const Connection& connection, Steady::time_point now) const
{
    return now - connection.idle_since() >= limits_.idle_time || now - connection.born() >= limits_.life;
}

// With a connection: for the next waiter, or idle. Without one: the place alone.
void Pool::give_back(const std::string& name, std::unique_ptr<Connection> connection)
{
    Origin& origin = origins_[name];
    if (connection) {
        connection->rest();
        if (shut_ || expired(*connection, Steady::now()))
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
        return forget(name);
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

void Pool::forget(const std::string& name)
{
    const auto place = origins_.find(name);
    if (origins_.size() > pool_parts::most_resting_origins && place->second.open == 0 && place->second.waiters.empty())
        origins_.erase(place);
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

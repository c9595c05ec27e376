// Follower: every event behind a position, once and in order, first from the store, then as they happen. The one way to
// follow events: SSE, WebSocket and subscriptions inside the server all use it.
//   subscribe to the bus -> read the store until nothing is left -> drain the bus by position
// Whatever the bus lost, or brought in another order, is seen as a gap between positions and read from the store. Events
// of other processes are found by a look at the store once a second.
#pragma once

#include <memory>
#include <vector>

#include "dure/events/bus.hpp"
#include "dure/store/events.hpp"

namespace dure::sql {
class Database;
}

namespace dure::events {

// Used by one coroutine, on the executor it was made with. Database must outlive it.
class Follower {
public:
    static constexpr std::int64_t longest_page = 100;
    static constexpr std::chrono::milliseconds look_interval{1000};

    Follower(sql::Database& database, Bus& bus, boost::asio::any_io_executor executor, std::int64_t after,
             store::EventFilter filter);

    // The next events, at most a page; none when the time passed without any. unavailable "server_shutdown" when the bus
    // was closed and nothing is left; what the database says when it cannot answer: call again.
    Task<Result<std::vector<SharedEvent>>> next(Steady::time_point until);

    // Everything up to here was given out, or did not pass the filter.
    std::int64_t position() const { return position_; }

private:
    Task<Result<std::vector<SharedEvent>>> read_store();
    std::vector<SharedEvent> drain(Arrivals arrivals);
    bool wanted(const model::Event& event) const;

    sql::Database& database_;
    std::unique_ptr<Subscription> subscription_;
    store::EventFilter filter_;
    std::int64_t position_;
    bool behind_ = true;   // the store may hold what the bus will not bring
    bool closed_ = false;
    Steady::time_point next_look_;
};

}  // namespace dure::events

// Follower; see follower.hpp.
#include "dure/events/follower.hpp"

#include <utility>

#include "dure/sql/database.hpp"

namespace dure::events {

namespace {

struct StorePage {
    std::int64_t last_position = 0;
    store::Listed<model::Event> events;
};

// The last position first: everything up to it is visible by then, so what the second statement does not find is not there.
Result<StorePage> read_page(sql::Connection& connection, std::int64_t after, const store::EventFilter& filter)
{
    store::Events events(connection);
    const auto last = events.last_position();
    if (!last)
        return last.error();
    StorePage page;
    page.last_position = *last;
    if (*last <= after)
        return page;
    auto found = events.after(after, filter, Follower::longest_page);
    if (!found)
        return found.error();
    page.events = std::move(*found);
    return page;
}

}  // namespace

Follower::Follower(sql::Database& database, Bus& bus, boost::asio::any_io_executor executor, std::int64_t after,
                   store::EventFilter filter)
    : database_(database), subscription_(bus.subscribe(std::move(executor))), filter_(std::move(filter)),
      position_(after), next_look_(Steady::now() + look_interval)
{}

Task<Result<std::vector<SharedEvent>>> Follower::next(Steady::time_point until)
{
    for (;;) {
        if (behind_) {
            auto page = co_await read_store();
            if (!page || !page->empty())
                co_return page;
            if (behind_)
                continue;
        }
        if (closed_)
            co_return Error(Errc::unavailable, "The server is stopping.").reason("server_shutdown");
        auto arrivals = co_await subscription_->wait(std::min(until, next_look_));
        auto events = drain(std::move(arrivals));
        if (!events.empty())
            co_return events;
        const auto now = Steady::now();
        if (now >= next_look_)
            behind_ = true;
        else if (now >= until && !behind_ && !closed_)
            co_return std::vector<SharedEvent>();
    }
}

Task<Result<std::vector<SharedEvent>>> Follower::read_store()
{
    auto page = co_await database_.read(
        [&](sql::Connection& connection) { return read_page(connection, position_, filter_); });
    if (!page)
        co_return page.error();
    next_look_ = Steady::now() + look_interval;
    std::vector<SharedEvent> events;
    for (auto& event : page->events)
        events.push_back(std::make_shared<const model::Event>(std::move(event)));
    const auto reached = events.empty() ? position_ : events.back()->position;
    behind_ = page->events.cut || std::cmp_equal(events.size(), longest_page);
    // Behind the last of a full page there may be more; a page that is not full holds everything up to the last position.
    position_ = behind_ ? reached : std::max({position_, reached, page->last_position});
    co_return events;
}

std::vector<SharedEvent> Follower::drain(Arrivals arrivals)
{
    closed_ = arrivals.closed;
    behind_ = behind_ || arrivals.missed;
    std::vector<SharedEvent> events;
    for (auto& event : arrivals.events) {
        if (event->position <= position_)
            continue;   // seen, or the first result of a repeat
        if (event->position != position_ + 1) {
            behind_ = true;
            break;
        }
        position_ = event->position;
        if (wanted(*event))
            events.push_back(std::move(event));
    }
    return events;
}

bool Follower::wanted(const model::Event& event) const
{
    return (!filter_.owner_id || *filter_.owner_id == event.owner_id) &&
           (!filter_.aggregate_id || *filter_.aggregate_id == event.aggregate_id);
}

}  // namespace dure::events

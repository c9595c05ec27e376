// The bus: tells followers of new events right after their commit. It may lose, repeat and reorder; followers go by position
// and read from the store whatever did not come (follower.hpp), so a bus only makes them fast.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/task.hpp"
#include "dure/model/event.hpp"

namespace dure::redis {
class Client;
}

namespace dure::events {

using SharedEvent = std::shared_ptr<const model::Event>;

// What came for a subscriber since it asked last, in the order of its arrival.
struct Arrivals {
    std::vector<SharedEvent> events;
    bool missed = false;   // more came than was kept: the store has it
    bool closed = false;   // nothing will come any more: the server stops
};

class Subscription {
public:
    virtual ~Subscription() = default;
    // Waits until something came, or until the time given: then nothing did. One coroutine, on the subscriber's executor.
    virtual Task<Arrivals> wait(Steady::time_point until) = 0;
};

// Thread-safe. Subscriptions may outlive their bus.
class Bus {
public:
    virtual ~Bus() = default;
    // Never waits. Events a slow subscriber has no room for are dropped and reported to it as missed.
    virtual void publish(std::vector<model::Event> events) = 0;
    // False: nobody would hear of an event published now. Who subscribes later finds it in the store.
    virtual bool heard() { return true; }
    virtual std::unique_ptr<Subscription> subscribe(boost::asio::any_io_executor executor) = 0;
    virtual void close() = 0;
};

// Within this process; each subscriber has room for `capacity` events.
std::unique_ptr<Bus> in_process_bus(std::size_t capacity = 256);
// Between all processes on one Redis, which is trusted as the store is. Subscribers of this process hear at once, others
// after a round trip. While Redis is away nothing comes from others; when it is back everybody is told that events were
// missed. The client must outlive it.
std::unique_ptr<Bus> redis_bus(redis::Client& redis, std::size_t capacity = 256);

}  // namespace dure::events

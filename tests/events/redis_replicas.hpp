// Replicas on one real Redis: each has cores, a client and a bus of its own.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include "dure/base/cores.hpp"
#include "dure/events/bus.hpp"
#include "dure/redis/client.hpp"
#include "support/redis_process.hpp"
#include "support/run_task.hpp"

namespace dure::events {

struct RedisReplica {
    // Commands have patience: a busy test machine is no outage.
    explicit RedisReplica(const test::RedisProcess& redis, std::size_t room = 256,
                          redis::ClientOptions options = {.command = std::chrono::seconds(10)})
        : client(cores, redis::parse_address(redis.url()).value(), logger, options), bus(redis_bus(client, room))
    {
        cores.start();
    }
    ~RedisReplica()
    {
        bus.reset();
        cores.stop();
        cores.join();
    }

    Logger logger{{}};
    Cores cores{1};
    redis::Client client;
    std::unique_ptr<Bus> bus;
};

// What one replica publishes reaches the other from here on.
inline bool connected(RedisReplica& from, RedisReplica& to)
{
    bool heard = false;
    test::run([&]() -> Task<void> {
        const auto subscriber = to.bus->subscribe(co_await boost::asio::this_coro::executor);
        for (const auto end = Steady::now() + std::chrono::seconds(10); !heard && Steady::now() < end;) {
            from.bus->publish({model::Event()});
            heard = !(co_await subscriber->wait(Steady::now() + std::chrono::milliseconds(20))).events.empty();
        }
        // Nothing of this is left for those who subscribe next: what was published last has come too.
        for (bool more = heard; more;)
            more = !(co_await subscriber->wait(Steady::now() + std::chrono::milliseconds(100))).events.empty();
    });
    return heard;
}

// A bus of one replica, or one whose events come from another replica, for what every bus has to do.
class BusOverRedis final : public Bus {
public:
    BusOverRedis(std::size_t room, bool elsewhere)
        : from_(redis_, room), other_(redis_, room), to_(elsewhere ? other_ : from_)
    {
        if (!connected(from_, other_) || !connected(other_, from_))
            throw std::runtime_error("the replicas do not hear each other");
    }

    void publish(std::vector<model::Event> events) override { from_.bus->publish(std::move(events)); }
    std::unique_ptr<Subscription> subscribe(boost::asio::any_io_executor executor) override
    {
        return to_.bus->subscribe(std::move(executor));
    }
    void close() override { to_.bus->close(); }

private:
    test::RedisProcess redis_;
    RedisReplica from_;
    RedisReplica other_;
    RedisReplica& to_;
};

}  // namespace dure::events

// Open streams counted across replicas: in Redis a sorted set per user, a member per stream with the time its lease ends. A
// coroutine beside each stream renews the lease and gives it back at the end; what a killed replica held runs out by itself.
// While Redis is away each replica gives half of the places.
#pragma once

#include <chrono>

#include "auth/rate_buckets.hpp"
#include "dure/redis/client.hpp"

namespace dure::auth {

class SharedStreams {
public:
    explicit SharedStreams(redis::Client& redis, std::chrono::milliseconds lease = std::chrono::seconds(60));

    // Awaited on a core; the place goes on the same core.
    Task<Result<std::unique_ptr<StreamPlace>>> open(std::string user_id, std::int64_t most);

private:
    struct Held;
    class Place;
    static Task<void> hold(std::shared_ptr<Held> held);

    redis::Client& redis_;
    const std::chrono::milliseconds lease_;
    const std::shared_ptr<const redis::Script> script_;
    StreamCounts here_;
};

}  // namespace dure::auth

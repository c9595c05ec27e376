// The arithmetic of the rate limits, and the buckets of this process. A bucket is one number: the time at which it
// will be full again. What is left of the minute until then is what has been used.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dure/auth/rate_limiter.hpp"

namespace dure::auth {

constexpr std::int64_t rate_window = 60'000'000;  // a minute in microseconds

// One request of a bucket with `limit` a minute; more than the whole window when nothing is allowed.
constexpr std::int64_t rate_step(std::int64_t limit)
{
    return limit > 0 ? std::max<std::int64_t>(1, rate_window / limit) : rate_window + 1;
}

// Of several buckets, the verdict of the one that binds. `used` is in microseconds, before this request.
class RateSum {
public:
    void add(std::int64_t limit, std::int64_t used);
    bool allowed() const { return wait_ <= 0; }
    RateVerdict verdict() const;

private:
    struct Level {
        std::int64_t limit;
        std::int64_t used;
    };
    std::array<Level, 4> levels_{};
    std::size_t count_ = 0;
    std::size_t binding_ = 0;  // when refused: the one with the longest wait
    std::int64_t wait_ = 0;  // microseconds until all would allow it
};

// An address as its bucket knows it: IPv4 whole, IPv6 by its /64, since a customer has at least that many.
std::string counted_address(std::string_view address);

class LocalBuckets {
public:
    LocalBuckets(const Clock& clock, std::size_t capacity);
    // `divisor` 2: the stricter half, while what is shared cannot be asked.
    RateVerdict take(const RateSubject& subject, std::int64_t divisor = 1);

private:
    enum class Kind : char { user = 'u', key = 'k', address = 'a' };
    struct Name {
        Name(Kind of, std::string_view name)
            : kind(of), id(name), hash(std::hash<std::string_view>()(name) ^ static_cast<std::size_t>(of))
        {}
        Kind kind;
        std::string_view id;
        std::size_t hash;
        bool operator==(const Name&) const = default;
    };
    struct HashName {
        std::size_t operator()(const Name& name) const noexcept { return name.hash; }
    };
    struct Entry {
        Kind kind;
        std::string id;
        std::int64_t requests_full_at = 0;
        std::int64_t chat_full_at = 0;
    };
    struct Shard {
        std::mutex guard;
        std::list<Entry> by_use;  // newest use first
        std::unordered_map<Name, std::list<Entry>::iterator, HashName> places;  // names point into the entries
    };
    static constexpr std::size_t shard_count = 16;

    Entry& entry_of(Shard& shard, Name name);
    RateVerdict take_from(std::array<Entry*, 2> entries, const RateSubject& subject, std::int64_t divisor);

    const Clock& clock_;
    const std::size_t entries_per_shard_;
    std::array<Shard, shard_count> shards_;
};

// How many streams each user has open here.
class StreamCounts {
public:
    Result<std::unique_ptr<StreamPlace>> open(std::string_view user_id, std::int64_t most);
    std::int64_t count(const std::string& user_id) const;
    static Error refusal(std::int64_t most);

private:
    class Place;
    struct Counts;
    std::shared_ptr<Counts> counts_ = make_counts();
    static std::shared_ptr<Counts> make_counts();
};

}  // namespace dure::auth

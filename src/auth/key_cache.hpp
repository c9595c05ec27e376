// Callers by the hash of their key or token, for a few seconds each. Sharded, so that cores rarely meet on a lock; bounded, so that
// many keys cannot fill the memory.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "dure/auth/principal.hpp"
#include "dure/base/clock.hpp"

namespace dure::auth {

struct KnownCaller {
    KnownCaller(Principal who, std::optional<UnixMillis> until, UnixMillis used, Steady::time_point when)
        : principal(std::move(who)), expires_at(until), last_used(used), read_at(when)
    {}
    const Principal principal;
    const std::optional<UnixMillis> expires_at;  // of the key or token
    std::atomic<UnixMillis> last_used;  // as last written, or as being written
    const Steady::time_point read_at;
};

class KeyCache {
public:
    KeyCache(std::size_t entries, Steady::duration remembered);

    // Changes whenever something was forgotten: what was read before must not be stored after.
    std::uint64_t generation() const { return generation_.load(); }

    std::shared_ptr<KnownCaller> find(const std::string& hash, Steady::time_point now);
    void store(const std::string& hash, std::shared_ptr<KnownCaller> caller, std::uint64_t generation);
    void forget_key(std::string_view hash);
    void forget_user(std::string_view user_id);
    void forget_role(std::string_view role);

private:
    struct Shard {
        std::mutex guard;
        std::unordered_map<std::string, std::shared_ptr<KnownCaller>> callers;
    };
    static constexpr std::size_t shard_count = 16;

    Shard& shard_of(std::string_view hash);
    void make_room(Shard& shard, Steady::time_point now);

    std::size_t entries_per_shard_;
    Steady::duration remembered_;
    std::atomic<std::uint64_t> generation_{0};
    std::array<Shard, shard_count> shards_;
};

}  // namespace dure::auth

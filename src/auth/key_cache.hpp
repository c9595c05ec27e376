// Callers by the SHA-256 of their key or token, for a few seconds each. Sharded, so that cores rarely meet on a lock; bounded, so that
// many keys cannot fill the memory.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "dure/auth/principal.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/text.hpp"

namespace dure::auth {

struct KnownCaller {
    KnownCaller(Principal who, std::optional<UnixMillis> until, UnixMillis used, Steady::time_point when)
        : principal(std::move(who)), expires_at(until), last_used(used), read_at(when), noted_until(when)
    {}
    const Principal principal;
    const std::optional<UnixMillis> expires_at;  // of the key or token
    std::atomic<UnixMillis> last_used;  // as last written, or as being written
    const Steady::time_point read_at;
    std::atomic<Steady::time_point> noted_until;  // before it no use has to be written
};

class KeyCache {
public:
    KeyCache(std::size_t entries, Steady::duration remembered);

    // Changes whenever something was forgotten: what was read before must not be stored after.
    std::uint64_t generation() const { return generation_.load(); }

    std::shared_ptr<KnownCaller> find(const Sha256& hash, Steady::time_point now);
    // However long ago it was read, as long as there was room for it.
    std::shared_ptr<KnownCaller> find_old(const Sha256& hash);
    // It is not good any more, or never was.
    void drop(const Sha256& hash);
    void store(const Sha256& hash, std::shared_ptr<KnownCaller> caller, std::uint64_t generation);
    void forget_key(std::string_view hash);  // as hexadecimal digits; anything else is no key's
    void forget_user(std::string_view user_id);
    void forget_role(std::string_view role);

private:
    struct FirstBytes {  // of what is a hash already
        std::size_t operator()(const Sha256& hash) const
        {
            std::size_t bytes;
            std::memcpy(&bytes, hash.data(), sizeof bytes);
            return bytes;
        }
    };
    struct Shard {
        std::mutex guard;
        std::unordered_map<Sha256, std::shared_ptr<KnownCaller>, FirstBytes> callers;
    };
    static constexpr std::size_t shard_count = 16;

    Shard& shard_of(const Sha256& hash) { return shards_[hash.back() % shard_count]; }
    void make_room(Shard& shard, Steady::time_point now);

    std::size_t entries_per_shard_;
    Steady::duration remembered_;
    std::atomic<std::uint64_t> generation_{0};
    std::array<Shard, shard_count> shards_;
};

}  // namespace dure::auth

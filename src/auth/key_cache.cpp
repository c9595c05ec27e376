// KeyCache; see key_cache.hpp.
#include "auth/key_cache.hpp"

#include <algorithm>

#include "dure/base/hex_digit.hpp"

namespace dure::auth {

namespace key_hashes {

std::optional<Sha256> digest_of(std::string_view hexadecimal)
{
    Sha256 digest;
    if (hexadecimal.size() != 2 * digest.size())
        return std::nullopt;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const int high = hex_value(hexadecimal[2 * i]);
        const int low = hex_value(hexadecimal[2 * i + 1]);
        if (high < 0 || low < 0)
            return std::nullopt;
        digest[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return digest;
}

}  // namespace key_hashes

using key_hashes::digest_of;

KeyCache::KeyCache(std::size_t entries, Steady::duration remembered)
    : entries_per_shard_(std::max<std::size_t>(1, entries / shard_count)), remembered_(remembered)
{}

std::shared_ptr<KnownCaller> KeyCache::find(const Sha256& hash, Steady::time_point now)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    const auto found = shard.callers.find(hash);
    if (found == shard.callers.end() || now - found->second->read_at >= remembered_)
        return nullptr;
    return found->second;
}

std::shared_ptr<KnownCaller> KeyCache::find_old(const Sha256& hash)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    const auto found = shard.callers.find(hash);
    return found == shard.callers.end() ? nullptr : found->second;
}

void KeyCache::drop(const Sha256& hash)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    shard.callers.erase(hash);
}

void KeyCache::store(const Sha256& hash, std::shared_ptr<KnownCaller> caller, std::uint64_t generation)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    if (generation_.load() != generation)   // checked under the lock that forgetting takes after it has counted up
        return;
    if (shard.callers.size() >= entries_per_shard_ && !shard.callers.contains(hash))
        make_room(shard, caller->read_at);
    shard.callers[hash] = std::move(caller);
}

void KeyCache::make_room(Shard& shard, Steady::time_point now)
{
    std::erase_if(shard.callers, [&](const auto& entry) { return now - entry.second->read_at >= remembered_; });
    if (shard.callers.size() >= entries_per_shard_)
        shard.callers.erase(shard.callers.begin());
}

void KeyCache::forget_key(std::string_view hash)
{
    ++generation_;
    const auto digest = digest_of(hash);
    if (!digest)
        return;
    auto& shard = shard_of(*digest);
    const std::lock_guard lock(shard.guard);
    shard.callers.erase(*digest);
}

void KeyCache::forget_user(std::string_view user_id)
{
    ++generation_;
    for (auto& shard : shards_) {
        const std::lock_guard lock(shard.guard);
        std::erase_if(shard.callers, [&](const auto& entry) { return entry.second->principal.user_id == user_id; });
    }
}

void KeyCache::forget_role(std::string_view role)
{
    ++generation_;
    for (auto& shard : shards_) {
        const std::lock_guard lock(shard.guard);
        std::erase_if(shard.callers, [&](const auto& entry) { return entry.second->principal.role == role; });
    }
}

}  // namespace dure::auth

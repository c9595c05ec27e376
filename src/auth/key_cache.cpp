// KeyCache; see key_cache.hpp.
#include "auth/key_cache.hpp"

#include <algorithm>
#include <functional>

namespace dure::auth {

KeyCache::KeyCache(std::size_t entries, Steady::duration remembered)
    : entries_per_shard_(std::max<std::size_t>(1, entries / shard_count)), remembered_(remembered)
{}

KeyCache::Shard& KeyCache::shard_of(std::string_view hash)
{
    return shards_[std::hash<std::string_view>()(hash) % shard_count];
}

std::shared_ptr<KnownCaller> KeyCache::find(const std::string& hash, Steady::time_point now)
{
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    const auto found = shard.callers.find(hash);
    if (found == shard.callers.end() || now - found->second->read_at >= remembered_)
        return nullptr;
    return found->second;
}

void KeyCache::store(const std::string& hash, std::shared_ptr<KnownCaller> caller, std::uint64_t generation)
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
    auto& shard = shard_of(hash);
    const std::lock_guard lock(shard.guard);
    shard.callers.erase(std::string(hash));
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

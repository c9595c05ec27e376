// ScoreCache; see score_cache.hpp.
#include "tools/select/score_cache.hpp"

namespace dure::tools {

Scores ScoreCache::get(const std::string& key)
{
    const std::lock_guard lock(guard_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end())
        return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->scores;
}

void ScoreCache::put(const std::string& key, Scores scores)
{
    const std::lock_guard lock(guard_);
    if (by_key_.contains(key))
        return;
    entries_.push_front({key, std::move(scores)});
    by_key_.emplace(key, entries_.begin());
    bytes_ += entries_.front().bytes();
    while (entries_.size() > most_entries_ || bytes_ > most_bytes_)
        drop_last();
}

void ScoreCache::drop_last()
{
    bytes_ -= entries_.back().bytes();
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
}

}  // namespace dure::tools

// See flow_cache.hpp.
#include "executions/flow_cache.hpp"

namespace dure::executions {

std::shared_ptr<const flows::CompiledFlow> FlowCache::find(const std::string& key)
{
    const std::lock_guard lock(guard_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end())
        return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->flow;
}

void FlowCache::put(const std::string& key, std::shared_ptr<const flows::CompiledFlow> flow)
{
    const std::lock_guard lock(guard_);
    if (by_key_.contains(key))
        return;
    entries_.push_front({key, std::move(flow)});
    by_key_[key] = entries_.begin();
    if (entries_.size() <= most_)
        return;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
}

}  // namespace dure::executions

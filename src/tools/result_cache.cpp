// ResultCache; see result_cache.hpp.
#include "tools/result_cache.hpp"

#include "dure/base/text.hpp"

namespace dure::tools {

std::shared_ptr<const Json> ResultCache::get(const std::string& key, Steady::time_point now)
{
    const std::lock_guard lock(guard_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end())
        return nullptr;
    if (found->second->until <= now) {
        drop(found->second);
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->result;
}

void ResultCache::put(const std::string& key, Json result, std::size_t size, Steady::time_point until)
{
    size += key.size();
    if (most_entries_ == 0 || size > most_bytes_)
        return;
    const std::lock_guard lock(guard_);
    if (const auto found = by_key_.find(key); found != by_key_.end())
        drop(found->second);
    entries_.push_front({key, std::make_shared<const Json>(std::move(result)), size, until});
    by_key_[key] = entries_.begin();
    bytes_ += size;
    while (entries_.size() > most_entries_ || bytes_ > most_bytes_)
        drop(std::prev(entries_.end()));
}

void ResultCache::drop(Place place)
{
    bytes_ -= place->size;
    by_key_.erase(place->key);
    entries_.erase(place);
}

// Json keeps its keys sorted, so its text is canonical. The lengths keep the parts apart.
std::string ResultCache::key_of(const Tool& tool, const Json& arguments, const Caller& caller)
{
    std::string text;
    for (const auto& part : {tool.definition().name, tool.source(), tool.version(),
                             tool.per_caller() ? caller.user_id : std::string(), dump(arguments)})
        text += std::to_string(part.size()) + ":" + part;
    return sha256(text);
}

}  // namespace dure::tools

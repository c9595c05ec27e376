// See document_cache.hpp.
#include "flows/service/document_cache.hpp"

namespace dure::flows {

namespace {

std::string document_key(const std::string& id, std::int64_t version)
{
    return id + "@" + std::to_string(version);
}

}  // namespace

std::shared_ptr<const Document> DocumentCache::find(const std::string& id, std::int64_t version)
{
    const std::lock_guard lock(guard_);
    const auto found = by_key_.find(document_key(id, version));
    if (found == by_key_.end())
        return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->document;
}

void DocumentCache::put(const std::string& id, std::int64_t version, std::shared_ptr<const Document> document,
                        std::size_t text_bytes)
{
    const std::lock_guard lock(guard_);
    auto key = document_key(id, version);
    if (by_key_.contains(key) || text_bytes > most_bytes_)
        return;
    entries_.push_front({key, std::move(document), text_bytes});
    by_key_[std::move(key)] = entries_.begin();
    bytes_ += text_bytes;
    while (entries_.size() > most_entries_ || bytes_ > most_bytes_) {
        bytes_ -= entries_.back().bytes;
        by_key_.erase(entries_.back().key);
        entries_.pop_back();
    }
}

}  // namespace dure::flows

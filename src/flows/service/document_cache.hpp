// DocumentCache: documents of stored versions, which never change. Bounded by entries and by the size of their texts; the ones
// used last are kept. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "dure/flows/document.hpp"

namespace dure::flows {

class DocumentCache {
public:
    DocumentCache(std::size_t most_entries, std::size_t most_bytes)
        : most_entries_(most_entries), most_bytes_(most_bytes)
    {}

    // Null: not there.
    std::shared_ptr<const Document> find(const std::string& id, std::int64_t version);
    void put(const std::string& id, std::int64_t version, std::shared_ptr<const Document> document,
             std::size_t text_bytes);

private:
    struct Entry {
        std::string key;
        std::shared_ptr<const Document> document;
        std::size_t bytes;
    };
    std::mutex guard_;
    const std::size_t most_entries_, most_bytes_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  // newest use first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace dure::flows

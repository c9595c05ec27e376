// What questions scored, least recently used first out; bounded in questions and bytes.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace dure::tools {

using Scores = std::shared_ptr<const std::vector<float>>;   // one for each tool of a state of the registry

// Thread-safe.
class ScoreCache {
public:
    ScoreCache(std::size_t entries, std::size_t bytes) : most_entries_(entries), most_bytes_(bytes) {}

    Scores get(const std::string& key);   // null: not known
    void put(const std::string& key, Scores scores);

private:
    struct Entry {
        std::string key;
        Scores scores;
        std::size_t bytes() const { return key.size() + scores->size() * sizeof(float); }
    };
    void drop_last();

    const std::size_t most_entries_;
    const std::size_t most_bytes_;
    std::mutex guard_;
    std::list<Entry> entries_;   // newest use first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
    std::size_t bytes_ = 0;
};

}  // namespace dure::tools

// Results of pure tools by a digest of the call: least recently used ones go first, each has an end of its own.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "dure/base/clock.hpp"
#include "dure/tools/tool.hpp"

namespace dure::tools {

// Thread-safe.
class ResultCache {
public:
    // 0 entries: nothing is remembered. `bytes` bounds keys and results together.
    ResultCache(std::size_t entries, std::size_t bytes) : most_entries_(entries), most_bytes_(bytes) {}

    std::shared_ptr<const Json> get(const std::string& key, Steady::time_point now);
    // `size` is that of the result as text.
    void put(const std::string& key, Json result, std::size_t size, Steady::time_point until);

    // 32 bytes from the tool's name and version, the user where that matters, and the arguments in canonical form.
    static std::string key_of(const Tool& tool, const Json& arguments, const Caller& caller);

private:
    struct Entry {
        std::string key;
        std::shared_ptr<const Json> result;
        std::size_t size;
        Steady::time_point until;
    };
    using Place = std::list<Entry>::iterator;
    void drop(Place place);

    const std::size_t most_entries_;
    const std::size_t most_bytes_;
    std::mutex guard_;
    std::list<Entry> entries_;   // newest use first
    std::unordered_map<std::string, Place> by_key_;
    std::size_t bytes_ = 0;
};

}  // namespace dure::tools

// NodeCache: results of nodes that a CachePolicy allows to be given again (X1), in the memory of the process: bounded by
// entries (least recently used goes first) and by their time to live. Whoever asks for a key that is being computed waits
// for it. Thread-safe; waiting ends with the waiting coroutine's cancellation.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dure/base/channel.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"

namespace dure::graph {

class NodeCache {
public:
    explicit NodeCache(std::size_t most_entries = 10'000) : most_entries_(most_entries) {}

    // A value, or the duty to compute it: the others wait until keep() was called or this object is gone.
    class Lookup {
    public:
        Lookup(Json found) : value(std::move(found)) {}
        Lookup(NodeCache& cache, std::string key) : cache_(&cache), key_(std::move(key)) {}
        Lookup(Lookup&& other) noexcept;
        Lookup& operator=(Lookup&&) = delete;
        ~Lookup();

        void keep(Json computed, std::chrono::milliseconds time_to_live);

        std::optional<Json> value;

    private:
        NodeCache* cache_ = nullptr;   // null: no duty, or done
        std::string key_;
    };

    Task<Lookup> find_or_begin(std::string key);
    void clear();

private:
    struct Entry {
        std::string key;
        Json value;
        Steady::time_point expires;
    };
    struct Waiter;
    using Entries = std::list<Entry>;   // newest use first

    std::optional<Json> find(const std::string& key);
    void end(const std::string& key, std::optional<Entry> entry);

    const std::size_t most_entries_;
    std::mutex guard_;
    Entries entries_;
    std::unordered_map<std::string, Entries::iterator> by_key_;
    std::unordered_map<std::string, std::vector<std::shared_ptr<Waiter>>> running_;   // keys being computed
};

}  // namespace dure::graph

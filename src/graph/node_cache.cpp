// NodeCache; see node_cache.hpp.
#include "dure/graph/node_cache.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace dure::graph {

// Woken on its own executor; what wakes it may run on another core.
struct NodeCache::Waiter {
    explicit Waiter(boost::asio::any_io_executor on) : executor(on), signal(on) {}
    boost::asio::any_io_executor executor;
    Signal signal;
    bool woken = false;   // read and written on the executor
};

NodeCache::Lookup::Lookup(Lookup&& other) noexcept
    : value(std::move(other.value)), cache_(std::exchange(other.cache_, nullptr)), key_(std::move(other.key_))
{}

NodeCache::Lookup::~Lookup()
{
    if (cache_)
        cache_->end(key_, std::nullopt);
}

void NodeCache::Lookup::keep(Json computed, std::chrono::milliseconds time_to_live)
{
    if (cache_)
        std::exchange(cache_, nullptr)->end(key_, Entry{key_, std::move(computed), Steady::now() + time_to_live});
}

std::optional<Json> NodeCache::find(const std::string& key)
{
    const auto at = by_key_.find(key);
    if (at == by_key_.end())
        return std::nullopt;
    if (at->second->expires <= Steady::now()) {
        entries_.erase(at->second);
        by_key_.erase(at);
        return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, at->second);
    return at->second->value;
}

Task<NodeCache::Lookup> NodeCache::find_or_begin(std::string key)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    while (true) {
        std::shared_ptr<Waiter> waiter;
        {
            const std::lock_guard lock(guard_);
            if (auto found = find(key))
                co_return Lookup(std::move(*found));
            const auto running = running_.find(key);
            if (running == running_.end()) {
                running_[key];
                co_return Lookup(*this, std::move(key));
            }
            waiter = std::make_shared<Waiter>(executor);
            running->second.push_back(waiter);
        }
        while (!waiter->woken)
            co_await waiter->signal.wait();
    }
}

void NodeCache::end(const std::string& key, std::optional<Entry> entry)
{
    std::vector<std::shared_ptr<Waiter>> waiting;
    {
        const std::lock_guard lock(guard_);
        if (auto running = running_.extract(key); !running.empty())
            waiting = std::move(running.mapped());
        if (entry) {
            entries_.push_front(std::move(*entry));
            by_key_[key] = entries_.begin();
            if (entries_.size() > most_entries_) {
                by_key_.erase(entries_.back().key);
                entries_.pop_back();
            }
        }
    }
    for (auto& waiter : waiting)
        boost::asio::post(waiter->executor, [waiter] {
            waiter->woken = true;
            waiter->signal.notify();
        });
}

void NodeCache::clear()
{
    const std::lock_guard lock(guard_);
    entries_.clear();
    by_key_.clear();
}

}  // namespace dure::graph

// A map of bounded size: when it is full, the entry that was not used for the longest time goes. Not thread-safe.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace dure::auth {

template <class Value>
class BoundedMap {
public:
    explicit BoundedMap(std::size_t capacity) : capacity_(capacity) {}

    // Makes it if it is not there.
    Value& use(std::string_view key)
    {
        if (auto* found = find(key))
            return *found;
        if (entries_.size() >= capacity_) {
            places_.erase(entries_.back().first);
            entries_.pop_back();
        }
        entries_.emplace_front(std::string(key), Value{});
        places_.emplace(entries_.front().first, entries_.begin());   // the view lives as long as the list's node
        return entries_.front().second;
    }

    Value* find(std::string_view key)
    {
        const auto place = places_.find(key);
        if (place == places_.end())
            return nullptr;
        entries_.splice(entries_.begin(), entries_, place->second);
        return &place->second->second;
    }

    void erase(std::string_view key)
    {
        const auto place = places_.find(key);
        if (place == places_.end())
            return;
        const auto entry = place->second;
        places_.erase(place);
        entries_.erase(entry);
    }

    std::size_t size() const { return entries_.size(); }

private:
    using Entries = std::list<std::pair<std::string, Value>>;
    std::size_t capacity_;
    Entries entries_;
    std::unordered_map<std::string_view, typename Entries::iterator> places_;
};

}  // namespace dure::auth

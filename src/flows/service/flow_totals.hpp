// FlowTotals: how many flows a filter found, kept as long as nothing of that owner's flows changed (store::Flows::changes, which
// is read anew each time). Counting looks at every flow of an owner, showing a page at twenty. Bounded. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "dure/base/json.hpp"
#include "dure/store/flows.hpp"

namespace dure::flows {

class FlowTotals {
public:
    static constexpr std::size_t most = 4096;

    static std::string key_of(const std::string& owner_id, const store::FlowFilter& filter)
    {
        return dump(Json{owner_id, filter.flow_type, filter.search, filter.category, filter.tags,
                         filter.is_active ? Json(*filter.is_active) : Json(nullptr)});
    }

    std::optional<std::int64_t> find(const std::string& key, std::int64_t changes) const
    {
        const std::lock_guard lock(guard_);
        const auto found = totals_.find(key);
        if (found == totals_.end() || found->second.changes != changes)
            return std::nullopt;
        return found->second.total;
    }

    void put(std::string key, std::int64_t changes, std::int64_t total)
    {
        const std::lock_guard lock(guard_);
        if (totals_.size() >= most)
            totals_.clear();  // counted again when asked for
        totals_[std::move(key)] = {changes, total};
    }

private:
    struct Counted {
        std::int64_t changes = 0;
        std::int64_t total = 0;
    };
    mutable std::mutex guard_;
    std::unordered_map<std::string, Counted> totals_;
};

}  // namespace dure::flows

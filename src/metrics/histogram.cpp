// Histogram: an observation is two additions in the place of the calling core; total() adds the places up.
#include <algorithm>

#include "dure/base/cores.hpp"
#include "dure/metrics/registry.hpp"

namespace dure::metrics {

// Atomic: threads that are no core share a place, as do cores beyond the number of places.
struct alignas(64) Histogram::Place {
    explicit Place(std::size_t buckets) : counts(buckets) {}
    std::atomic<double> sum{0};
    std::vector<std::atomic<std::uint64_t>> counts;
};

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {}

Histogram::~Histogram()
{
    for (const auto& place : places_)
        delete place.load(std::memory_order_relaxed);
}

Histogram::Place& Histogram::own_place()
{
    auto& slot = places_[Cores::here() % places];
    if (auto* place = slot.load(std::memory_order_acquire))
        return *place;
    auto made = std::make_unique<Place>(bounds_.size() + 1);
    Place* first = nullptr;
    if (slot.compare_exchange_strong(first, made.get(), std::memory_order_acq_rel))
        return *made.release();
    return *first;
}

void Histogram::observe(double value)
{
    auto& place = own_place();
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    place.counts[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    place.sum.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Total Histogram::total() const
{
    Total total{std::vector<std::uint64_t>(bounds_.size() + 1), 0};
    for (const auto& slot : places_) {
        const auto* place = slot.load(std::memory_order_acquire);
        if (!place)
            continue;
        for (std::size_t bucket = 0; bucket < total.counts.size(); ++bucket)
            total.counts[bucket] += place->counts[bucket].load(std::memory_order_relaxed);
        total.sum += place->sum.load(std::memory_order_relaxed);
    }
    return total;
}

}  // namespace dure::metrics

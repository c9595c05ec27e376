// Metrics of the process: counters, gauges and histograms by name and labels, and their text for a scraper. Label sets are
// resolved once by the caller, who keeps the reference; it stays valid as long as the registry. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
}  // namespace prometheus

namespace dure::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

// A family takes this many label sets; whoever asks for a further one gets the shared set whose values are all "other",
// so that names which clients invent cannot fill the memory.
inline constexpr std::size_t label_sets_per_family = 200;

class Counter {
public:
    explicit Counter(prometheus::Counter& target) : target_(target) {}
    void increment(double by = 1);  // a negative step is ignored
    double value() const;

private:
    prometheus::Counter& target_;
};

class Gauge {
public:
    explicit Gauge(prometheus::Gauge& target) : target_(target) {}
    void set(double value);
    void add(double by);  // may be negative
    double value() const;

private:
    prometheus::Gauge& target_;
};

// Observations by bucket. Each core counts in a place of its own, so that cores which answer at the same time do not take a lock or
// fetch each other's counts: a chat has seven histograms.
class Histogram {
public:
    explicit Histogram(std::vector<double> bounds);  // ascending upper bounds, without +Inf
    ~Histogram();
    Histogram(const Histogram&) = delete;
    Histogram& operator=(const Histogram&) = delete;

    void observe(double value);

    struct Total {
        std::vector<std::uint64_t> counts;  // of each bucket alone, the last without a bound
        double sum = 0;
    };
    Total total() const;  // of all threads; what is observed meanwhile may be in it or not
    const std::vector<double>& bounds() const { return bounds_; }

private:
    struct Place;
    Place& own_place();

    static constexpr std::size_t places = 16;
    std::vector<double> bounds_;
    std::array<std::atomic<Place*>, places> places_{};  // made by the first observation in them
};

class Registry {
public:
    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // The same name and labels give the same object. InvariantBroken: a name or label name that the format does not allow,
    // or a name that already has another type, other label names or other buckets.
    Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
    Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    // Buckets are ascending upper bounds, without +Inf.
    Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels,
                         const std::vector<double>& buckets);

    // Called at the start of every text(): sets gauges whose value is known elsewhere (queue lengths). Must be quick and must
    // not call text(); what it refers to must outlive the registry.
    void before_text(std::function<void()> refresh);

    // Prometheus text format 0.0.4, with memory, descriptors, CPU and start time of the process.
    std::string text();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dure::metrics

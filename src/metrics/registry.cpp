// Registry over prometheus-cpp-core: families and label sets by name, with their bound; see registry.hpp.
#include "dure/metrics/registry.hpp"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <mutex>

#include "dure/base/error.hpp"
#include "metrics/process_metrics.hpp"

namespace dure::metrics {

namespace families {

// One family: its label sets, and what a second declaration must agree with.
template <class Metric>
struct Family {
    std::vector<std::string> label_names;
    std::map<Labels, Metric*> known;
    std::deque<Metric> metrics;
};

template <class Metric, class Native>
struct NativeFamily : Family<Metric> {
    prometheus::Family<Native>* native = nullptr;
};

struct HistogramFamily : Family<Histogram> {
    std::string help;
    std::vector<double> buckets;
};

std::vector<std::string> names_of(const Labels& labels)
{
    std::vector<std::string> names;
    for (const auto& [name, value] : labels)
        names.push_back(name);
    return names;
}

Labels all_other(Labels labels)
{
    for (auto& [name, value] : labels)
        value = "other";
    return labels;
}

prometheus::ClientMetric collected(const Labels& labels, const Histogram& histogram)
{
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : labels)
        metric.label.push_back({name, value});
    const auto total = histogram.total();
    metric.histogram.sample_sum = total.sum;
    for (std::size_t bucket = 0; bucket < total.counts.size(); ++bucket) {
        metric.histogram.sample_count += total.counts[bucket];
        const bool bounded = bucket < histogram.bounds().size();
        metric.histogram.bucket.push_back(
            {metric.histogram.sample_count, bounded ? histogram.bounds()[bucket] : std::numeric_limits<double>::infinity()});
    }
    return metric;
}

prometheus::MetricFamily collected(const std::string& name, const HistogramFamily& family)
{
    prometheus::MetricFamily result{name, family.help, prometheus::MetricType::Histogram, {}};
    for (const auto& [labels, histogram] : family.known)
        result.metric.push_back(collected(labels, *histogram));
    return result;
}

template <class Map>
bool has(const Map& map, const std::string& name)
{
    return map.find(name) != map.end();
}

}  // namespace families

struct Registry::State {
    // The object of one label set; `make` puts it behind the others of its family.
    template <class Metric, class Make>
    Metric& member(families::Family<Metric>& family, const std::string& name, Labels labels, Make make)
    {
        std::sort(labels.begin(), labels.end());
        const auto names = families::names_of(labels);
        if (family.known.empty())
            family.label_names = names;
        else if (family.label_names != names)
            throw InvariantBroken("metric " + name + " has other label names");
        if (const auto found = family.known.find(labels); found != family.known.end())
            return *found->second;
        if (family.known.size() >= label_sets_per_family) {
            labels = families::all_other(std::move(labels));
            if (const auto found = family.known.find(labels); found != family.known.end())
                return *found->second;
        }
        Metric& metric = make(family.metrics, labels);
        family.known.emplace(std::move(labels), &metric);
        return metric;
    }

    // The object of one label set of a family that prometheus-cpp keeps.
    template <class Metric, class Native>
    Metric& native_member(families::NativeFamily<Metric, Native>& family, const std::string& name, const Labels& labels)
    {
        return member(family, name, labels, [&](std::deque<Metric>& metrics, const Labels& set) -> Metric& {
            return metrics.emplace_back(family.native->Add(prometheus::Labels(set.begin(), set.end())));
        });
    }

    void check_names(const std::string& name, const Labels& labels, bool taken)
    {
        if (taken)
            throw InvariantBroken("metric " + name + " has another type");
        if (!prometheus::CheckMetricName(name))
            throw InvariantBroken("bad metric name " + name);
        for (const auto& [label, value] : labels)
            if (!prometheus::CheckLabelName(label))
                throw InvariantBroken("bad label name " + label);
    }

    std::mutex guard;
    prometheus::Registry native;
    ProcessMetrics process;
    std::map<std::string, families::NativeFamily<Counter, prometheus::Counter>> counters;
    std::map<std::string, families::NativeFamily<Gauge, prometheus::Gauge>> gauges;
    std::map<std::string, families::HistogramFamily> histograms;
    std::vector<std::function<void()>> refreshers;
};

void Counter::increment(double by)
{
    target_.Increment(by);
}

double Counter::value() const
{
    return target_.Value();
}

void Gauge::set(double value)
{
    target_.Set(value);
}

void Gauge::add(double by)
{
    target_.Increment(by);
}

double Gauge::value() const
{
    return target_.Value();
}

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(const std::string& name, const std::string& help, const Labels& labels)
{
    const std::lock_guard lock(state_->guard);
    state_->check_names(name, labels, families::has(state_->gauges, name) || families::has(state_->histograms, name));
    auto& family = state_->counters[name];
    if (!family.native)
        family.native = &prometheus::BuildCounter().Name(name).Help(help).Register(state_->native);
    return state_->native_member(family, name, labels);
}

Gauge& Registry::gauge(const std::string& name, const std::string& help, const Labels& labels)
{
    const std::lock_guard lock(state_->guard);
    state_->check_names(name, labels, families::has(state_->counters, name) || families::has(state_->histograms, name));
    auto& family = state_->gauges[name];
    if (!family.native)
        family.native = &prometheus::BuildGauge().Name(name).Help(help).Register(state_->native);
    return state_->native_member(family, name, labels);
}

Histogram& Registry::histogram(const std::string& name, const std::string& help, const Labels& labels,
                               const std::vector<double>& buckets)
{
    const std::lock_guard lock(state_->guard);
    state_->check_names(name, labels, families::has(state_->counters, name) || families::has(state_->gauges, name));
    if (!std::is_sorted(buckets.begin(), buckets.end()))
        throw InvariantBroken("metric " + name + " has buckets out of order");
    auto& family = state_->histograms[name];
    if (family.known.empty()) {
        family.help = help;
        family.buckets = buckets;
    }
    if (family.buckets != buckets)
        throw InvariantBroken("metric " + name + " has other buckets");
    return state_->member(family, name, labels,
                          [&](std::deque<Histogram>& metrics, const Labels&) -> Histogram& { return metrics.emplace_back(buckets); });
}

void Registry::before_text(std::function<void()> refresh)
{
    const std::lock_guard lock(state_->guard);
    state_->refreshers.push_back(std::move(refresh));
}

std::string Registry::text()
{
    std::vector<std::function<void()>> refreshers;
    {
        const std::lock_guard lock(state_->guard);
        refreshers = state_->refreshers;
    }
    for (const auto& refresh : refreshers)   // outside of the lock: they may ask for further gauges
        refresh();
    auto collected = state_->native.Collect();
    for (auto& family : state_->process.collect())
        collected.push_back(std::move(family));
    {
        const std::lock_guard lock(state_->guard);
        for (const auto& [name, family] : state_->histograms)
            collected.push_back(families::collected(name, family));
    }
    std::sort(collected.begin(), collected.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return prometheus::TextSerializer().Serialize(collected);
}

}  // namespace dure::metrics

// Reads /proc/self and getrusage; see process_metrics.hpp. What cannot be read is left out of the answer.
#include "metrics/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>

namespace dure::metrics {

namespace process {

prometheus::MetricFamily family(const char* name, const char* help, prometheus::MetricType type, double value)
{
    prometheus::ClientMetric metric;
    if (type == prometheus::MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
    return {name, help, type, {metric}};
}

std::optional<double> resident_bytes()
{
    std::ifstream in("/proc/self/statm");
    double total = 0;
    double resident = 0;
    if (!(in >> total >> resident))
        return std::nullopt;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::optional<double> open_descriptors()
{
    std::error_code failed;
    double count = 0;
    std::filesystem::directory_iterator entries("/proc/self/fd", failed);
    for (; !failed && entries != std::filesystem::directory_iterator(); entries.increment(failed))
        ++count;
    if (failed)
        return std::nullopt;
    return count - 1;   // without the one that lists
}

std::optional<double> most_descriptors()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return std::nullopt;
    return static_cast<double>(limit.rlim_cur);
}

std::optional<double> cpu_seconds()
{
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) != 0)
        return std::nullopt;
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace process

ProcessMetrics::ProcessMetrics()
    : start_time_(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count())
{}

std::vector<prometheus::MetricFamily> ProcessMetrics::collect() const
{
    using prometheus::MetricType;
    std::vector<prometheus::MetricFamily> all;
    const auto add = [&](const char* name, const char* help, MetricType type, std::optional<double> value) {
        if (value)
            all.push_back(process::family(name, help, type, *value));
    };
    add("process_resident_memory_bytes", "Resident memory", MetricType::Gauge, process::resident_bytes());
    add("process_open_fds", "Open descriptors", MetricType::Gauge, process::open_descriptors());
    add("process_max_fds", "Most descriptors the process may open", MetricType::Gauge, process::most_descriptors());
    add("process_cpu_seconds_total", "User and system time", MetricType::Counter, process::cpu_seconds());
    add("process_start_time_seconds", "Start of the process, seconds since the epoch", MetricType::Gauge, start_time_);
    return all;
}

}  // namespace dure::metrics

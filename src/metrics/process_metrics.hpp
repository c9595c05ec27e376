// What the kernel knows about this process, read anew for every scrape, under the customary names (process_*).
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace dure::metrics {

class ProcessMetrics {
public:
    ProcessMetrics();
    std::vector<prometheus::MetricFamily> collect() const;

private:
    double start_time_;   // seconds since the epoch
};

}  // namespace dure::metrics

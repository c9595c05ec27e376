// The numbers of one run, as one JSON line or for reading.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "load_state.hpp"
#include "measure.hpp"

namespace bench {

struct Window {
    double secs = 0, cpu_s = 0, cpu_w = 1, noise = 0, steal = 0;
    long rss0 = 0, rss_peak = 0;
};

inline void report(const Window& w) {
    const auto& [secs, cpu_s, cpu_w, noise, steal, rss0, rss_peak] = w;
    int inflight = 0;
    for (auto& c : conns) inflight += c.inflight;
    double rps = n_ok / secs;
    double gmax = L_gap.empty() ? 0 : *std::max_element(L_gap.begin(), L_gap.end()) / 1000.0;
    double tmax = L_total.empty() ? 0 : *std::max_element(L_total.begin(), L_total.end()) / 1000.0;
    string es;
    for (auto& [k, v] : errs) es += (es.empty() ? "" : ",") + ("\"" + k + "\":" + std::to_string(v));
    if (O.json)
        printf("{\"name\":\"%s\",\"case\":\"%s\",\"conns\":%d,\"secs\":%.2f,\"ok\":%lu,\"rps\":%.1f,\"ttft_p50\":%.3f,"
               "\"ttft_p99\":%.3f,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,"
               "\"events_s\":%.0f,\"gap_p50\":%.3f,\"gap_p99\":%.3f,\"gap_max\":%.3f,\"mb_s\":%.1f,\"errors\":%lu,"
               "\"err\":{%s},\"reconnects\":%lu,\"inflight\":%d,"
               "\"rss0_mb\":%.1f,\"rss_mb\":%.1f,\"cpu\":%.2f,\"cpu_us_req\":%.1f,\"noise\":%.2f,\"steal\":%.2f}\n",
               O.name.c_str(), O.cs.c_str(), O.conns, secs, n_ok, rps, pct(L_ttft, .5), pct(L_ttft, .99),
               pct(L_total, .5), pct(L_total, .99), tmax, n_events / secs, pct(L_gap, .5), pct(L_gap, .99), gmax,
               n_bytes / secs / 1e6, n_err, es.c_str(), n_reconn, inflight, rss0 / 1024.0, rss_peak / 1024.0,
               cpu_s / cpu_w, n_ok ? cpu_s * 1e6 / n_ok : 0, noise, steal);
    else {
        printf("%s %s c=%d %.1fs: %.1f req/s ok=%lu errors=%lu {%s} reconnects=%lu\n", O.name.c_str(), O.cs.c_str(),
               O.conns, secs, rps, n_ok, n_err, es.c_str(), n_reconn);
        printf("  ttft p50 %.3f p99 %.3f ms; total p50 %.3f p99 %.3f max %.3f ms; %.0f events/s; gap p50 %.3f p99 %.3f "
               "max %.3f ms\n",
               pct(L_ttft, .5), pct(L_ttft, .99), pct(L_total, .5), pct(L_total, .99), tmax, n_events / secs,
               pct(L_gap, .5), pct(L_gap, .99), gmax);
        if (!O.pids.empty())
            printf("  server memory %.1f -> %.1f MB (Pss), cpu %.2f cores, %.1f us/request; others on the machine: "
                   "%.2f cores, steal %.2f\n",
                   rss0 / 1024.0, rss_peak / 1024.0, cpu_s / cpu_w, n_ok ? cpu_s * 1e6 / n_ok : 0, noise, steal);
    }
}

}  // namespace bench

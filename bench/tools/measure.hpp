// Memory and CPU of processes and of the machine, from /proc.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

using std::string;

inline long rss_kb(int pid) {
    std::ifstream f("/proc/" + std::to_string(pid) + "/smaps_rollup");  // Pss: shared pages are not counted twice
    string l;
    while (std::getline(f, l))
        if (l.rfind("Pss:", 0) == 0) return atol(l.c_str() + 4);
    return 0;
}
inline uint64_t cpu_us(int pid) {
  // schedstat of the main thread only; sum utime+stime of all threads from stat (10 ms ticks)
    std::ifstream f("/proc/" + std::to_string(pid) + "/stat");
    string s((std::istreambuf_iterator<char>(f)), {});
    size_t p = s.rfind(')');
    if (p == s.npos) return 0;
    std::istringstream is(s.substr(p + 2));
    string x;
    uint64_t u = 0, v = 0;
    for (int i = 3; i <= 15; ++i) {
        is >> x;
        if (i == 14) u = strtoull(x.c_str(), nullptr, 10);
        if (i == 15) v = strtoull(x.c_str(), nullptr, 10);
    }
    return (u + v) * 1000000 / sysconf(_SC_CLK_TCK);
}
// user+nice+system of the whole machine; softirq and steal are kept apart
inline void machine_cpu(uint64_t& busy, uint64_t& steal) {
    std::ifstream f("/proc/stat");
    string c;
    uint64_t u, n, s, id, io, irq, sirq, st;
    f >> c >> u >> n >> s >> id >> io >> irq >> sirq >> st;
    uint64_t k = 1000000 / sysconf(_SC_CLK_TCK);
    busy = (u + n + s) * k;
    steal = st * k;
}
inline double pct(std::vector<uint32_t>& v, double p) {
    if (v.empty()) return 0;
    size_t k = std::min(v.size() - 1, size_t(p * v.size()));
    std::nth_element(v.begin(), v.begin() + k, v.end());
    return v[k] / 1000.0;
}

}  // namespace bench

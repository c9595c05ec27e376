// How long /healthz takes while something is down (threat-model §9: at most 100 ms).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {

// The typical one of 15: a single one may meet the test machine's own business, a server that waits for what is down makes
// all of them slow.
inline std::chrono::milliseconds typical_health_time(const ServerProcess& server)
{
    std::vector<std::chrono::milliseconds> times;
    for (int i = 0; i < 15; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(fetch(server.port(), raw_request("GET", "/healthz")).status, 200);
        times.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin));
    }
    std::nth_element(times.begin(), times.begin() + 7, times.end());
    return times[7];
}

}  // namespace dure::test

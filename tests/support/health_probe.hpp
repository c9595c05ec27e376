// How long /healthz takes while something is down (threat-model §9: at most 100 ms).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "support/raw_http.hpp"
#include "support/server_process.hpp"

namespace dure::test {

// The slowest of 15 in a row, in the best of three rows: every single one is to be quick, and a test machine that was busy
// with something else for a moment gets another chance. A server that waits for what is down is slow in every row.
inline std::chrono::milliseconds slowest_health_time(const ServerProcess& server)
{
    auto best = std::chrono::milliseconds::max();
    for (int row = 0; row < 3 && best > std::chrono::milliseconds(100); ++row) {
        std::chrono::milliseconds slowest{0};
        for (int i = 0; i < 15; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_EQ(fetch(server.port(), raw_request("GET", "/healthz")).status, 200);
            slowest = std::max(slowest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                            std::chrono::steady_clock::now() - begin));
        }
        best = std::min(best, slowest);
    }
    return best;
}

}  // namespace dure::test

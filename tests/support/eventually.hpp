// Waiting for something that happens elsewhere: polls until it has.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace dure::test {

// False when the time is over before `holds` does.
inline bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds longest = std::chrono::seconds(20))
{
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

}  // namespace dure::test

// What tests give a client of Redis: a logger that only tells of errors, and limits that are no test of the machine's speed.
#pragma once

#include "dure/base/log.hpp"
#include "dure/redis/client.hpp"

namespace dure::test {

inline Logger::Options errors_only()
{
    Logger::Options options;
    options.level = LogLevel::error;
    return options;
}

// A loaded machine is no dead server; one that is back is found soon.
inline redis::ClientOptions patient()
{
    redis::ClientOptions options;
    options.command = std::chrono::seconds(5);
    options.connect = std::chrono::seconds(5);
    options.probe = std::chrono::milliseconds(100);
    return options;
}

}  // namespace dure::test

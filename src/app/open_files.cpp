// See open_files.hpp.
#include "app/open_files.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace dure::app {

namespace {

constexpr rlim_t beside_connections = 1024;   // the database, files, pipes of tools
constexpr rlim_t always_enough = 65536;

}  // namespace

void raise_open_files(std::size_t connections, Logger& logger)
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    const auto both_sides = std::max<rlim_t>(2 * static_cast<rlim_t>(connections) + beside_connections, always_enough);
    const auto before = limit.rlim_cur;
    limit.rlim_cur = std::max(before, std::min(both_sides, limit.rlim_max));
    if (limit.rlim_cur > before && ::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = before;
    if (limit.rlim_cur < connections + beside_connections)
        logger.warn(
            "fewer open files are allowed (ulimit -n) than server.limits.connections may need; connections will wait",
            {{"open_files", limit.rlim_cur}, {"connections", connections}});
}

}  // namespace dure::app

// See descriptors.hpp.
#include "http/server/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace dure::http {

namespace {

constexpr rlim_t largest_reserve = 64;

}  // namespace

// Read each time: the limit of a running process can be changed.
bool is_of_reserve(int descriptor)
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    const auto reserve = std::min(largest_reserve, limit.rlim_cur / 8);
    return static_cast<rlim_t>(descriptor) >= limit.rlim_cur - reserve;
}

bool only_reserve_left(int any)
{
    const int next = ::fcntl(any, F_DUPFD_CLOEXEC, 0);
    if (next < 0)
        return true;
    ::close(next);
    return is_of_reserve(next);
}

}  // namespace dure::http

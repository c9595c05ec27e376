// A library to be loaded before the server's own (LD_PRELOAD) that makes the operating system misbehave while the test says
// so: no space on the disk, a clock that jumped. The test and the library share a file of two numbers (faults.hpp).
//
// Everything by system calls: the functions of libc may be the ones that are replaced here, or those of a sanitizer that has
// not begun yet.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

struct Faults {
    volatile std::int64_t disk_full;
    volatile std::int64_t clock_jump_seconds;
};

const Faults& faults()
{
    static const Faults none{};
    static const Faults* shared = nullptr;
    if (shared)
        return *shared;
    const char* path = std::getenv("TEST_FAULTS");
    const long fd = path ? ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    const long memory = fd < 0 ? -1 : ::syscall(SYS_mmap, nullptr, sizeof(Faults), PROT_READ, MAP_SHARED, fd, 0);
    shared = memory == -1 ? &none : reinterpret_cast<const Faults*>(memory);
    return *shared;
}

bool no_space_for(int fd)
{
    struct stat about {};
    return faults().disk_full != 0 && ::syscall(SYS_fstat, fd, &about) == 0 && S_ISREG(about.st_mode);
}

ssize_t refuse()
{
    errno = ENOSPC;
    return -1;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size)
{
    return no_space_for(fd) ? refuse() : ::syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset)
{
    return no_space_for(fd) ? refuse() : ::syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset)
{
    return pwrite64(fd, bytes, size, offset);
}

int clock_gettime(clockid_t clock, timespec* time)
{
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += faults().clock_jump_seconds;
    return result;
}

}  // extern "C"

// A library to be loaded before the server's own (LD_PRELOAD) that makes the operating system misbehave while the test says
// so: no space on the disk, a clock that jumped. The test and the library share a file of two numbers (faults.hpp).
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

struct Faults {
    volatile std::int64_t disk_full;
    volatile std::int64_t clock_jump_seconds;
};

const Faults& faults()
{
    static const Faults none{};
    static const Faults* const shared = [] {
        const char* path = std::getenv("TEST_FAULTS");
        const int fd = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
        void* memory = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(Faults), PROT_READ, MAP_SHARED, fd, 0);
        return memory == MAP_FAILED ? &none : static_cast<const Faults*>(memory);
    }();
    return *shared;
}

bool no_space_for(int fd)
{
    struct stat about{};
    return faults().disk_full != 0 && ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

template <class Function>
Function real(const char* name)
{
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
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
    static const auto next = real<ssize_t (*)(int, const void*, size_t)>("write");
    return no_space_for(fd) ? refuse() : next(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset)
{
    static const auto next = real<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
    return no_space_for(fd) ? refuse() : next(fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset)
{
    return pwrite64(fd, bytes, size, offset);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    static const auto next = real<int (*)(int, off64_t, off64_t)>("posix_fallocate64");
    return no_space_for(fd) ? ENOSPC : next(fd, offset, size);
}

int clock_gettime(clockid_t clock, timespec* time)
{
    static const auto next = real<int (*)(clockid_t, timespec*)>("clock_gettime");
    const int result = next(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += faults().clock_jump_seconds;
    return result;
}

}  // extern "C"

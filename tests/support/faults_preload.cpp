// A library to be loaded before the server's own (LD_PRELOAD) that makes the operating system misbehave while the test says
// so: no space on the disk, a disk that hangs, a clock that jumped, no descriptors. The test and the library share a file of numbers (faults.hpp).
//
// Everything by system calls: the functions of libc may be the ones that are replaced here, or those of a sanitizer that has
// not begun yet.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

struct Faults {
    volatile std::int64_t disk_full;
    volatile std::int64_t clock_jump_seconds;
    volatile std::int64_t no_descriptors;
    volatile std::int64_t disk_hangs;
};

const Faults& faults()
{
    static const Faults none{};
    static const Faults* shared = nullptr;
    if (shared)
        return *shared;
    const char* path = std::getenv("TEST_FAULTS");
    const long fd = path ? ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    const off_t beginning = 0;  // a whole word: it is taken from the stack
    const long memory =
        fd < 0 ? -1 : ::syscall(SYS_mmap, nullptr, sizeof(Faults), PROT_READ, MAP_SHARED, fd, beginning);
    shared = memory == -1 ? &none : reinterpret_cast<const Faults*>(memory);
    return *shared;
}

bool no_space_for(int fd)
{
    struct stat about{};
    return faults().disk_full != 0 && ::syscall(SYS_fstat, fd, &about) == 0 && S_ISREG(about.st_mode);
}

ssize_t refuse()
{
    errno = ENOSPC;
    return -1;
}

int synchronise(long call, int fd)
{
    const timespec pause{0, 1'000'000};
    while (faults().disk_hangs != 0)
        ::syscall(SYS_nanosleep, &pause, nullptr);
    return static_cast<int>(::syscall(call, fd));
}

int descriptor_from(long call, long first, long second = 0, long third = 0, long fourth = 0)
{
    if (faults().no_descriptors != 0) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(call, first, second, third, fourth));
}

template <class T>
long address_of(T* pointer)
{
    return reinterpret_cast<long>(pointer);
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

int fsync(int fd)
{
    return synchronise(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return synchronise(SYS_fdatasync, fd);
}

int clock_gettime(clockid_t clock, timespec* time)
{
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += faults().clock_jump_seconds;
    return result;
}

int accept(int fd, sockaddr* address, socklen_t* size)
{
    return descriptor_from(SYS_accept, fd, address_of(address), address_of(size));
}

int accept4(int fd, sockaddr* address, socklen_t* size, int flags)
{
    return descriptor_from(SYS_accept4, fd, address_of(address), address_of(size), flags);
}

int socket(int domain, int type, int protocol) noexcept
{
    return descriptor_from(SYS_socket, domain, type, protocol);
}

}  // extern "C"

// FileLock: flock on a file beside the database, holding the owner's process id as text; see file_lock.hpp.
#include "dure/sql/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

#include "dure/base/text.hpp"

namespace dure::sql {

namespace {

std::string owner_in(int descriptor)
{
    std::array<char, 32> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    return size > 0 ? std::string(trim(std::string_view(text.data(), static_cast<std::size_t>(size)))) : "unknown";
}

// The number is for people; the lock holds without it.
bool write_owner(int descriptor)
{
    const auto text = std::to_string(::getpid()) + "\n";
    return ::ftruncate(descriptor, 0) == 0 &&
           ::pwrite(descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

// Beside the file itself, whichever links lead to it; beside the path while there is no file.
std::string lock_path_of(const std::string& path)
{
    std::error_code absent;
    const auto real = std::filesystem::canonical(path, absent);
    return (absent ? path : real.string()) + ".lock";
}

}  // namespace

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept
{
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

FileLock::~FileLock()
{
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

Result<FileLock> lock_exclusively(const std::string& path)
{
    const auto lock_path = lock_path_of(path);
    const int descriptor = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return Error(Errc::unavailable, "cannot open " + lock_path + ": " + std::strerror(errno));
    FileLock lock(descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return Error(Errc::conflict,
                         "the database " + path + " is in use by the server with process id " + owner_in(descriptor));
        return Error(Errc::unavailable, "cannot lock " + lock_path + ": " + std::strerror(errno));
    }
    if (!write_owner(descriptor))
        return Error(Errc::unavailable, "cannot write " + lock_path + ": " + std::strerror(errno));
    return lock;
}

}  // namespace dure::sql

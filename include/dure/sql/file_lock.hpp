// FileLock: one server per SQLite file. Held as long as the object lives; the operating system frees it with the
// process.
#pragma once

#include <string>

#include "dure/base/error.hpp"

namespace dure::sql {

class FileLock {
public:
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock();

private:
    friend Result<FileLock> lock_exclusively(const std::string& path);
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

// Locks `<path>.lock`, of a path that is a link the one beside the file itself. conflict: another process holds it; the
// message names its process id.
Result<FileLock> lock_exclusively(const std::string& path);

}  // namespace dure::sql

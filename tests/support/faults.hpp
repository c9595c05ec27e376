// Faults of the operating system for a server under test: how the test turns them on and off (faults_preload.cpp does them).
//   Faults faults;
//   ServerProcess server({.environment = faults.environment()});
//   faults.disk_full(true);
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

#include "support/server_process.hpp"

namespace dure::test {

class Faults {
public:
    Faults()
    {
        const auto path = this->path();
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || ::ftruncate(fd, sizeof(Shared)) != 0)
            throw std::runtime_error("cannot make the file of the faults");
        void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ::close(fd);
        if (memory == MAP_FAILED)
            throw std::runtime_error("cannot map the file of the faults");
        shared_ = static_cast<Shared*>(memory);
    }
    ~Faults() { ::munmap(shared_, sizeof(Shared)); }
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;

    Environment environment() const { return {{"LD_PRELOAD", DURE_FAULTS}, {"TEST_FAULTS", path()}}; }

    // Every write to a file fails with ENOSPC.
    void disk_full(bool full) { shared_->disk_full = full; }
    // No fsync ends.
    void disk_hangs(bool hangs) { shared_->disk_hangs = hangs; }
    // Every call that needs a new descriptor fails with EMFILE.
    void no_descriptors(bool none) { shared_->no_descriptors = none; }
    // What the wall clock shows, against the real one.
    void clock_jump(std::chrono::seconds by) { shared_->clock_jump_seconds = by.count(); }

private:
    struct Shared {
        volatile std::int64_t disk_full;
        volatile std::int64_t clock_jump_seconds;
        volatile std::int64_t no_descriptors;
        volatile std::int64_t disk_hangs;
    };

    std::string path() const { return (folder_.path() / "faults").string(); }

    TemporaryFolder folder_;
    Shared* shared_ = nullptr;
};

}  // namespace dure::test

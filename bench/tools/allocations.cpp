// Counts calls of the allocator: a library for LD_PRELOAD in front of the real one. The count stands in the first eight bytes
// of the file that BENCH_ALLOCATIONS names, for whoever wants to look while the program runs.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::uint64_t> before_file;
std::atomic<std::atomic<std::uint64_t>*> shared;

void count() {
    auto* const counter = shared.load(std::memory_order_relaxed);
    (counter != nullptr ? *counter : before_file).fetch_add(1, std::memory_order_relaxed);
}

__attribute__((constructor)) void open_file() {
    const char* const path = getenv("BENCH_ALLOCATIONS");
    const int file = path != nullptr ? open(path, O_RDWR | O_CREAT, 0600) : -1;
    if (file < 0 || ftruncate(file, 8) != 0) return;
    void* const page = mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) shared.store(static_cast<std::atomic<std::uint64_t>*>(page));
}

template <class Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// The program's operators new are the allocator's own and do not pass through malloc.
#define BENCH_FORWARD(result, name, symbol, parameters, arguments)                                                     \
    result name parameters {                                                                                           \
        static const auto real = next<result(*) parameters>(symbol);                                                   \
        count();                                                                                                       \
        return real arguments;                                                                                         \
    }

extern "C" {
BENCH_FORWARD(void*, malloc, "malloc", (std::size_t size), (size))
BENCH_FORWARD(void*, realloc, "realloc", (void* old, std::size_t size), (old, size))
BENCH_FORWARD(void*, aligned_alloc, "aligned_alloc", (std::size_t align, std::size_t size), (align, size))
BENCH_FORWARD(int, posix_memalign, "posix_memalign", (void** out, std::size_t align, std::size_t size),
              (out, align, size))
}
BENCH_FORWARD(void*, operator new, "_Znwm", (std::size_t size), (size))
BENCH_FORWARD(void*, operator new[], "_Znam", (std::size_t size), (size))
BENCH_FORWARD(void*, operator new, "_ZnwmSt11align_val_t", (std::size_t size, std::align_val_t align), (size, align))

// The SQLite driver's public face. One writer thread commits all waiting units together (one fsync for many, by a thread of its own
// while the next are at work), readers have a connection and a thread each; WAL, synchronous=FULL, foreign keys on. Writes and
// reads are answered when everything they may have seen is on the disk.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "dure/base/error.hpp"
#include "dure/sql/database.hpp"

namespace dure::sql {

struct SqliteOptions {
    std::string path;  // ":memory:" is a file in a temporary folder, removed at the end
    std::size_t readers = 2;
    std::chrono::milliseconds statement_timeout{5000};
    std::chrono::milliseconds queue_wait{2000};  // a unit that waited longer is refused: unavailable
    std::size_t queue_limit = 4096;  // units waiting, for readers and for the writer
    std::size_t batch_limit = 256;  // units in one commit
    // Called once, from a thread of the driver, when the storage could not confirm a commit. The process must stop: what the
    // disk holds is unknown until the next start. Every later write is refused.
    std::function<void(std::string_view detail)> on_fatal;
};

// Creates the file (mode 0600) and its folder (0700) when they are missing.
Result<std::unique_ptr<Database>> open_sqlite(SqliteOptions options);

}  // namespace dure::sql

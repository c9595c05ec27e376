// What is done to whole threads: copy, delete, remove a run's checkpoints, prune (K7). Each is one write unit.
#pragma once

#include <optional>

#include "dure/base/clock.hpp"
#include "dure/sql/connection.hpp"

namespace dure::runs {

// Whether anything of it is kept.
Result<bool> has_thread(sql::Connection& connection, const std::string& thread);

Result<void> delete_thread(sql::Connection& connection, const std::string& thread);
Result<void> copy_thread(sql::Connection& connection, const std::string& from, const std::string& to);
Result<void> delete_run(sql::Connection& connection, const std::string& thread, const std::string& run);
Result<std::int64_t> prune(sql::Connection& connection, const std::string& thread, std::int64_t keep,
                           std::optional<UnixMillis> older_than);

}  // namespace dure::runs

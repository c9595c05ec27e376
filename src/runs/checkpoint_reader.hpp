// Reads checkpoints with their channel data: rows of checkpoints → one recursive query for every delta chain they need →
// one for the pending writes. Inside one read unit, so that the three fit together.
#pragma once

#include "dure/graph/checkpointer.hpp"
#include "dure/sql/connection.hpp"

namespace dure::runs {

Result<std::optional<graph::StoredCheckpoint>> read_checkpoint(sql::Connection& connection, const std::string& thread,
                                                               const std::string& ns, const std::string& id,
                                                               bool with_pending);

Result<std::vector<graph::StoredCheckpoint>> read_history(sql::Connection& connection, const std::string& thread,
                                                          const graph::HistoryQuery& query);

}  // namespace dure::runs

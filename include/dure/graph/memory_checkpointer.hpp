// MemoryCheckpointer: checkpoints of this process only, for tests, embedding and graphs that need interrupts but no
// durability. Channel values are shared with the running graph, never copied. Rules as in checkpointer.hpp.
#pragma once

#include <array>
#include <memory>

#include "dure/graph/checkpointer.hpp"

namespace dure::graph {

class MemoryCheckpointer final : public Checkpointer {
public:
    MemoryCheckpointer();
    ~MemoryCheckpointer() override;

    Task<Result<void>> save(const std::string& thread, Batch batch) override;
    Task<Result<std::optional<StoredCheckpoint>>> load(const std::string& thread, const std::string& ns,
                                                       const std::string& id, bool with_pending) override;
    Task<Result<std::vector<StoredCheckpoint>>> history(const std::string& thread, const HistoryQuery& query) override;
    Task<Result<std::vector<std::string>>> namespaces(const std::string& thread) override;
    Task<Result<void>> delete_thread(const std::string& thread) override;
    Task<Result<void>> copy_thread(const std::string& from, const std::string& to) override;
    Task<Result<void>> delete_run(const std::string& thread, const std::string& run) override;
    Task<Result<std::int64_t>> prune(const std::string& thread, std::int64_t keep,
                                     std::optional<UnixMillis> older_than) override;

private:
    struct Shard;
    Shard& shard_of(const std::string& thread);

    static constexpr std::size_t shard_count = 16;   // so that runs on different cores seldom meet at a lock
    std::unique_ptr<std::array<Shard, shard_count>> shards_;
};

}  // namespace dure::graph

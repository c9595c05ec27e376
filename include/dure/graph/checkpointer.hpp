// Checkpointer: where a thread keeps its checkpoints (K1) and the pending writes of its open superstep (D1–D7). The
// engine makes and reads these records; a Checkpointer only keeps them: in memory, or in the SQL database (module runs).
// Values are stored once (K8): a checkpoint names, for each channel, the checkpoint that wrote its value, and carries data
// only for the channels it wrote itself: the whole value, or what was added to an older one (a delta).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

enum class Source { input, loop, update, fork };
std::string_view name_of(Source source);

// Data of one channel that a checkpoint wrote.
struct ChannelWrite {
    std::string channel;
    Value data;                    // the whole value; or, with a base, a JSON array of updates to fold over it in order
    std::string base;              // of a delta: the checkpoint (same thread and namespace) that wrote what it builds on
    std::int64_t deltas = 0;       // of a delta: how many of them lie on the last whole value, this one included (≤ N);
                                   // without a base: a delta over an absent value
};

struct Checkpoint {
    std::string id;                // UUIDv7; greater than every older id of its thread and namespace: the greatest is the head (K7)
    std::string ns;                // path of the sub-graph (G2); "" is the root
    std::string parent;            // checkpoint of the same namespace it follows; empty for the first
    std::string run;               // run that made it; empty for update_state
    std::int64_t step = -1;
    Source source = Source::input;
    UnixMillis created_at = 0;
    std::string graph_version;     // D11
    Json frontier;                 // what is next, in the engine's own form; opaque here
    Json metadata = Json::object();
    std::map<std::string, std::string> versions;   // present channel → checkpoint that wrote its value
    std::vector<ChannelWrite> writes;              // of the channels whose version is this checkpoint; empty when read back
};

// Something durable about one task of an open superstep; unique by (namespace, checkpoint, task, kind, key), a second one
// replaces the first.
struct PendingWrite {
    // begun: cancelled while it ran, so that its next execution is known as one more (T5).
    enum class Kind { result, error, interrupt, answer, step, handed, begun };
    std::string ns;
    std::string checkpoint;        // the one whose superstep is open
    std::string task;              // task id (D5)
    Kind kind = Kind::result;
    std::string key;               // interrupt, answer: number k (I3); step: its name (D7); else empty
    Json data;
};
std::string_view name_of(PendingWrite::Kind kind);
std::optional<PendingWrite::Kind> pending_kind(std::string_view name);

// Pending writes that are to be forgotten.
struct PendingDrop {
    std::string ns;                // with below: this namespace and those under it
    bool below = false;
    std::string checkpoint;        // empty: of every checkpoint of the namespace
    std::vector<std::string> tasks;                 // empty: of every task
    std::vector<PendingWrite::Kind> kinds;          // empty: of every kind
};

// What becomes durable together, in this order: drops, pending writes, checkpoints (D2).
struct Batch {
    std::vector<PendingDrop> drops;
    std::vector<PendingWrite> pending;
    std::vector<Checkpoint> checkpoints;            // oldest first
    bool empty() const { return drops.empty() && pending.empty() && checkpoints.empty(); }
};

// A channel as it was stored: fold the deltas, oldest first, over the whole value.
struct ChannelData {
    Value whole;                   // null: the chain begins with a delta over an absent value
    std::vector<Value> deltas;
};

struct StoredCheckpoint {
    Checkpoint checkpoint;                          // without writes
    std::map<std::string, ChannelData> channels;    // of every channel in versions
    std::vector<PendingWrite> pending;              // of this checkpoint, when asked for
};

// Nodes of the superstep that begins at a thread's checkpoint, each once, in the order of their tasks; not those whose tasks all
// are among `settled`. Reads the id, namespace and frontier of the checkpoint.
std::vector<std::string> unfinished_nodes(const std::string& thread, const Checkpoint& at,
                                          const std::set<std::string>& settled);

struct HistoryQuery {
    std::string ns;
    Json metadata = Json::object();                 // keys a checkpoint's metadata must have with these values; also
                                                    // "source", "step" and "run"
    std::string before;                             // only checkpoints older than this one
    std::int64_t limit = 100;
};

// Whether a checkpoint has what HistoryQuery::metadata asks for.
bool matches(const Checkpoint& checkpoint, const Json& metadata);

// Thread-safe. Errors: STORAGE_ERROR as reason for a failing store; LEASE_LOST where the caller no longer owns the run (D8).
// A failed save has changed nothing.
class Checkpointer {
public:
    virtual ~Checkpointer() = default;

    virtual Task<Result<void>> save(const std::string& thread, Batch batch) = 0;
    // The head of the namespace, or the named checkpoint; nothing when it is not there.
    virtual Task<Result<std::optional<StoredCheckpoint>>> load(const std::string& thread, const std::string& ns,
                                                               const std::string& id, bool with_pending) = 0;
    // Newest first (K4), with pending writes.
    virtual Task<Result<std::vector<StoredCheckpoint>>> history(const std::string& thread, const HistoryQuery& query) = 0;
    // Namespaces of the thread that have checkpoints, in byte order.
    virtual Task<Result<std::vector<std::string>>> namespaces(const std::string& thread) = 0;

    virtual Task<Result<void>> delete_thread(const std::string& thread) = 0;
    // The target must not exist: conflict.
    virtual Task<Result<void>> copy_thread(const std::string& from, const std::string& to) = 0;
    // Removes what the run made, in every namespace, with its pending writes (rollback, F7).
    virtual Task<Result<void>> delete_run(const std::string& thread, const std::string& run) = 0;
    // Keeps the newest `keep` checkpoints of every namespace and what they, an open interrupt or a pending write need (K7);
    // with older_than only older ones go. Returns how many were removed.
    virtual Task<Result<std::int64_t>> prune(const std::string& thread, std::int64_t keep,
                                             std::optional<UnixMillis> older_than) = 0;
};

}  // namespace dure::graph

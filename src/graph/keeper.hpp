// ThreadKeeper: the place of one level (root or sub-graph) on its thread. It reads a checkpoint into the progress, and makes
// the next ones: ids that grow, versions per channel, values stored once, appended ones as deltas (K1, K2, K8).
#pragma once

#include "graph/algorithm.hpp"
#include "graph/scope.hpp"

namespace dure::graph {

class ThreadKeeper {
public:
    // Chains of deltas are cut by a whole value after this many.
    static constexpr std::int64_t deltas_per_value = 256;

    ThreadKeeper(const Definition& definition, RunScope& run, std::string ns, bool keeps)
        : definition_(definition), run_(run), ns_(std::move(ns)), keeps_(keeps)
    {}

    bool keeps() const { return keeps_; }
    bool stored() const { return !position_.id.empty(); }  // there is a checkpoint
    const Checkpoint& position() const { return position_; }
    const std::string& ns() const { return ns_; }
    std::int64_t step() const { return position_.step; }
    // For task ids: the checkpoint, or the superstep of a run that keeps none.
    std::string place(std::int64_t supersteps) const;

    // The head, or the named one. False: there is none. GRAPH_VERSION_MISMATCH (D11). Not `goes_on`: for a new input, which drops what
    // is next (I8): the graph need not have those nodes any more.
    Task<Result<bool>> load(const std::string& id, Progress& into, std::vector<PendingWrite>& pending,
                            bool goes_on = true);
    // Takes what a checkpoint held.
    Result<void> take(StoredCheckpoint stored, Progress& into, bool goes_on = true);

    // Adds the next checkpoint. `changes` null: every channel is new (a first checkpoint). A frontier of its own: an input.
    void add(Source source, const Progress& progress, const Changes* changes, Json frontier, Batch& into);
    // exit: the checkpoint that stands for all that were not written.
    void add_last(const Progress& progress, Batch& into);
    // Marks that pending writes of the current checkpoint were stored, so that the next checkpoint drops them.
    void mark_pending() { has_pending_ = true; }
    // The thread's head, when another checkpoint was loaded: new ids are greater than it too.
    void set_newest(std::string id) { newest_ = std::move(id); }
    void set_metadata(Json metadata) { metadata_ = std::move(metadata); }

private:
    std::string next_id() const;
    void write_channel(std::size_t channel, const ChannelChange* change, const Progress& progress, Checkpoint& into);

    const Definition& definition_;
    RunScope& run_;
    std::string ns_;
    bool keeps_;
    bool has_pending_ = false;
    Checkpoint position_;  // the newest, without its writes
    std::string newest_;
    std::string durable_parent_;  // exit: of the checkpoint that will be written
    bool unwritten_ = false;  // exit
    std::map<std::string, std::int64_t> deltas_;  // by channel: length of its chain
    std::set<std::size_t> changed_;  // exit: since the durable checkpoint
    Json frontier_;  // exit
    Json metadata_ = Json::object();
};

}  // namespace dure::graph

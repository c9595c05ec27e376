// MemoryCheckpointer: per thread a map of namespaces; per namespace the checkpoints by id, the channel data by checkpoint
// and the pending writes by checkpoint. Channel data outlives its checkpoint while a delta chain or a version needs it.
#include "dure/graph/memory_checkpointer.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_map>

namespace dure::graph {

namespace {

struct Data {
    Value data;
    std::string base;
    bool delta = false;
};

using PendingKey = std::tuple<std::string, PendingWrite::Kind, std::string>;  // task, kind, key

struct Namespace {
    std::map<std::string, Checkpoint> checkpoints;
    std::map<std::string, std::map<std::string, Data>> data;  // checkpoint → channel
    std::map<std::string, std::map<PendingKey, Json>> pending;  // checkpoint →
};

using Thread = std::map<std::string, Namespace>;

bool lies_below(const std::string& ns, const std::string& above)
{
    return above.empty() ? !ns.empty() : ns.size() > above.size() && ns.starts_with(above) && ns[above.size()] == '|';
}

template <class T>
bool none_or_named(const std::vector<T>& wanted, const T& one)
{
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), one) != wanted.end();
}

void drop_from(std::map<PendingKey, Json>& pending, const PendingDrop& drop)
{
    std::erase_if(pending, [&](const auto& entry) {
        const auto& [task, kind, key] = entry.first;
        return none_or_named(drop.tasks, task) && none_or_named(drop.kinds, kind);
    });
}

void drop_pending(Thread& thread, const PendingDrop& drop)
{
    for (auto& [name, space] : thread) {
        if (name != drop.ns && !(drop.below && lies_below(name, drop.ns)))
            continue;
        for (auto& [checkpoint, pending] : space.pending)
            if (drop.checkpoint.empty() || checkpoint == drop.checkpoint)
                drop_from(pending, drop);
        std::erase_if(space.pending, [](const auto& entry) { return entry.second.empty(); });
    }
}

void add_checkpoint(Thread& thread, Checkpoint&& checkpoint)
{
    auto& space = thread[checkpoint.ns];
    if (space.checkpoints.contains(checkpoint.id))
        return;  // immutable: saved again, it changes nothing
    if (!checkpoint.writes.empty()) {
        auto& data = space.data[checkpoint.id];
        for (auto& write : checkpoint.writes)
            data[std::move(write.channel)] = {std::move(write.data), std::move(write.base),
                                              !write.base.empty() || write.deltas > 0};
        checkpoint.writes.clear();
    }
    auto id = checkpoint.id;
    space.checkpoints.emplace_hint(space.checkpoints.end(), std::move(id), std::move(checkpoint));
}

const Data* data_of(const Namespace& space, const std::string& checkpoint, const std::string& channel)
{
    const auto found = space.data.find(checkpoint);
    if (found == space.data.end())
        return nullptr;
    const auto entry = found->second.find(channel);
    return entry == found->second.end() ? nullptr : &entry->second;
}

// From the version back to the last whole value.
Result<ChannelData> chain_of(const Namespace& space, const std::string& channel, const std::string& version)
{
    ChannelData chain;
    for (auto next = std::string_view(version); !next.empty();) {
        const auto* at = data_of(space, std::string(next), channel);
        if (!at)
            return Error(Errc::internal, "The stored state is damaged.")
                .reason("STORAGE_ERROR")
                .detail("channel " + channel + " of checkpoint " + std::string(next) + " has no data");
        next = at->base;
        if (at->delta)
            chain.deltas.push_back(at->data);
        else
            chain.whole = at->data;
    }
    std::reverse(chain.deltas.begin(), chain.deltas.end());
    return chain;
}

Result<StoredCheckpoint> stored(const Namespace& space, const Checkpoint& checkpoint, bool with_pending)
{
    StoredCheckpoint found;
    found.checkpoint = checkpoint;
    for (const auto& [channel, version] : checkpoint.versions) {
        auto chain = chain_of(space, channel, version);
        if (!chain)
            return chain.error();
        found.channels.emplace(channel, std::move(*chain));
    }
    const auto pending = space.pending.find(checkpoint.id);
    if (!with_pending || pending == space.pending.end())
        return found;
    for (const auto& [key, data] : pending->second) {
        PendingWrite write;
        write.ns = checkpoint.ns;
        write.checkpoint = checkpoint.id;
        std::tie(write.task, write.kind, write.key) = key;
        write.data = data;
        found.pending.push_back(std::move(write));
    }
    return found;
}

// Forgets the data that no checkpoint left needs, itself or through a chain.
void forget_unused_data(Namespace& space)
{
    std::set<std::pair<std::string, std::string>> used;  // checkpoint, channel
    for (const auto& [id, checkpoint] : space.checkpoints) {
        for (const auto& [channel, version] : checkpoint.versions) {
            auto at = version;
            while (!at.empty() && used.emplace(at, channel).second) {
                const auto* data = data_of(space, at, channel);
                at = data ? data->base : std::string();
            }
        }
    }
    for (auto& [id, channels] : space.data)
        std::erase_if(channels, [&](const auto& entry) { return !used.contains({id, entry.first}); });
    std::erase_if(space.data, [](const auto& entry) { return entry.second.empty(); });
}

void remove_checkpoint(Namespace& space, const std::string& id)
{
    space.checkpoints.erase(id);
    space.pending.erase(id);
}

std::int64_t prune_namespace(Namespace& space, std::int64_t keep, std::optional<UnixMillis> older_than)
{
    std::vector<std::string> old;
    std::int64_t newer = 0;
    for (auto entry = space.checkpoints.rbegin(); entry != space.checkpoints.rend(); ++entry) {
        const bool aged = !older_than || entry->second.created_at < *older_than;
        if (newer++ >= keep && aged && !space.pending.contains(entry->first))
            old.push_back(entry->first);
    }
    for (const auto& id : old)
        remove_checkpoint(space, id);
    if (!old.empty())
        forget_unused_data(space);
    return static_cast<std::int64_t>(old.size());
}

}  // namespace

struct MemoryCheckpointer::Shard {
    std::mutex guard;
    std::unordered_map<std::string, Thread> threads;
};

MemoryCheckpointer::MemoryCheckpointer() : shards_(std::make_unique<std::array<Shard, shard_count>>()) {}
MemoryCheckpointer::~MemoryCheckpointer() = default;

MemoryCheckpointer::Shard& MemoryCheckpointer::shard_of(const std::string& thread)
{
    return (*shards_)[std::hash<std::string>{}(thread) % shard_count];
}

Task<Result<void>> MemoryCheckpointer::save(const std::string& thread, Batch batch)
{
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    auto& kept = shard.threads[thread];
    for (const auto& drop : batch.drops)
        drop_pending(kept, drop);
    for (auto& write : batch.pending)
        kept[write.ns].pending[write.checkpoint].insert_or_assign(
            PendingKey(std::move(write.task), write.kind, std::move(write.key)), std::move(write.data));
    for (auto& checkpoint : batch.checkpoints)
        add_checkpoint(kept, std::move(checkpoint));
    co_return Result<void>();
}

Task<Result<std::optional<StoredCheckpoint>>> MemoryCheckpointer::load(const std::string& thread, const std::string& ns,
                                                                       const std::string& id, bool with_pending)
{
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    const auto kept = shard.threads.find(thread);
    if (kept == shard.threads.end())
        co_return std::optional<StoredCheckpoint>();
    const auto space = kept->second.find(ns);
    if (space == kept->second.end() || space->second.checkpoints.empty())
        co_return std::optional<StoredCheckpoint>();
    const auto& all = space->second.checkpoints;
    const auto wanted = id.empty() ? std::prev(all.end()) : all.find(id);
    if (wanted == all.end())
        co_return std::optional<StoredCheckpoint>();
    auto found = stored(space->second, wanted->second, with_pending);
    if (!found)
        co_return found.error();
    co_return std::optional(std::move(*found));
}

Task<Result<std::vector<StoredCheckpoint>>> MemoryCheckpointer::history(const std::string& thread,
                                                                        const HistoryQuery& query)
{
    std::vector<StoredCheckpoint> list;
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    const auto kept = shard.threads.find(thread);
    if (kept == shard.threads.end())
        co_return list;
    const auto space = kept->second.find(query.ns);
    if (space == kept->second.end())
        co_return list;
    const auto& all = space->second.checkpoints;
    auto at = query.before.empty() ? all.end() : all.lower_bound(query.before);
    while (at != all.begin() && static_cast<std::int64_t>(list.size()) < query.limit) {
        --at;
        if (!matches(at->second, query.metadata))
            continue;
        auto found = stored(space->second, at->second, true);
        if (!found)
            co_return found.error();
        list.push_back(std::move(*found));
    }
    co_return list;
}

Task<Result<std::vector<std::string>>> MemoryCheckpointer::namespaces(const std::string& thread)
{
    std::vector<std::string> names;
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    if (const auto kept = shard.threads.find(thread); kept != shard.threads.end())
        for (const auto& [name, space] : kept->second)
            if (!space.checkpoints.empty())
                names.push_back(name);
    co_return names;
}

Task<Result<void>> MemoryCheckpointer::delete_thread(const std::string& thread)
{
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    shard.threads.erase(thread);
    co_return Result<void>();
}

Task<Result<void>> MemoryCheckpointer::copy_thread(const std::string& from, const std::string& to)
{
    Thread copy;
    {
        auto& source = shard_of(from);
        const std::lock_guard lock(source.guard);
        const auto found = source.threads.find(from);
        if (found == source.threads.end())
            co_return Error(Errc::not_found, "No such thread.");
        copy = found->second;
    }
    auto& target = shard_of(to);
    const std::lock_guard lock(target.guard);
    if (!target.threads.emplace(to, std::move(copy)).second)
        co_return Error(Errc::conflict, "The thread to copy to exists already.");
    co_return Result<void>();
}

Task<Result<void>> MemoryCheckpointer::delete_run(const std::string& thread, const std::string& run)
{
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    const auto kept = shard.threads.find(thread);
    if (kept == shard.threads.end())
        co_return Result<void>();
    for (auto& [name, space] : kept->second) {
        std::vector<std::string> made;
        for (const auto& [id, checkpoint] : space.checkpoints)
            if (checkpoint.run == run)
                made.push_back(id);
        for (const auto& id : made)
            remove_checkpoint(space, id);
        forget_unused_data(space);
    }
    std::erase_if(kept->second,
                  [](const auto& entry) { return entry.second.checkpoints.empty() && entry.second.pending.empty(); });
    if (kept->second.empty())
        shard.threads.erase(kept);
    co_return Result<void>();
}

Task<Result<std::int64_t>> MemoryCheckpointer::prune(const std::string& thread, std::int64_t keep,
                                                     std::optional<UnixMillis> older_than)
{
    if (keep < 0)
        co_return Error(Errc::invalid_argument, "keep must not be negative.").param("keep");
    std::int64_t removed = 0;
    auto& shard = shard_of(thread);
    const std::lock_guard lock(shard.guard);
    if (const auto kept = shard.threads.find(thread); kept != shard.threads.end())
        for (auto& [name, space] : kept->second)
            removed += prune_namespace(space, std::max<std::int64_t>(keep, 1), older_than);  // the head always stays
    co_return removed;
}

}  // namespace dure::graph

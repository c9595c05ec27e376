// Checkpoints from progress and back; see keeper.hpp.
#include "graph/keeper.hpp"

#include "graph/fold.hpp"
#include "graph/frontier.hpp"

namespace dure::graph {
namespace {

Error mismatch(const std::vector<std::string>& missing, const char* kind)
{
    std::string names;
    for (const auto& name : missing)
        names += (names.empty() ? "'" : ", '") + name + "'";
    return Error(Errc::conflict,
                 "The graph has changed and has no " + std::string(kind) + " " + names + ", which the thread needs.")
        .reason("GRAPH_VERSION_MISMATCH");
}

// What was stored may be of another reducer, of an earlier version of the graph: nothing can be folded into it then.
Result<void> check_stored(const std::string& channel, const Reducer& reducer, const ChannelData& data)
{
    const auto changed = [&](const std::string& problem) {
        return Error(Errc::conflict, "The graph has changed: what the thread has in the channel '" + channel + "' " +
                                         problem + " for its reducer '" + reducer.name + "'.")
            .reason("GRAPH_VERSION_MISMATCH");
    };
    if (!data.deltas.empty() && !reducer.as_delta)
        return changed("is kept piece by piece, which cannot be");
    if (data.whole && reducer.check_value)
        if (const auto problem = reducer.check_value(*data.whole))
            return changed(*problem);
    for (const auto& delta : data.deltas)
        for (const auto& update : *delta)
            if (const auto problem = reducer.check_update ? reducer.check_update(update) : std::nullopt)
                return changed(*problem);
    return {};
}

// The whole value and what was folded into it since.
Result<Value> value_of(const std::string& channel, const Reducer& reducer, const ChannelData& data)
{
    if (auto fits = check_stored(channel, reducer, data); !fits)
        return fits.error();
    if (data.deltas.empty())
        return data.whole;
    auto value = std::make_shared<Json>(data.whole ? *data.whole : reducer.initial.value_or(Json::array()));
    for (const auto& delta : data.deltas)
        for (const auto& update : *delta)
            if (auto folded = reducer.apply(*value, update); !folded)
                return folded.error();
    return Value(std::move(value));
}

}  // namespace

std::string ThreadKeeper::place(std::int64_t supersteps) const
{
    return stored() ? position_.id : "step " + std::to_string(supersteps);
}

Task<Result<bool>> ThreadKeeper::load(const std::string& id, Progress& into, std::vector<PendingWrite>& pending,
                                      bool goes_on)
{
    auto stored = co_await run_.options.checkpointer->load(run_.options.thread, ns_, id, true);
    if (!stored)
        co_return stored.error();
    if (!*stored)
        co_return false;
    pending = std::move((*stored)->pending);
    has_pending_ = !pending.empty();
    if (auto taken = take(std::move(**stored), into, goes_on); !taken)
        co_return taken.error();
    co_return true;
}

Result<void> ThreadKeeper::take(StoredCheckpoint stored, Progress& into, bool goes_on)
{
    auto& checkpoint = stored.checkpoint;
    const auto missing_nodes = restore_frontier(definition_, checkpoint.frontier, into);
    if (goes_on && !missing_nodes.empty())
        return mismatch(missing_nodes, "node");
    std::vector<std::string> missing_channels;
    for (const auto& [name, version] : checkpoint.versions)
        if (into.state.index_of(name) == State::unknown)
            missing_channels.push_back(name);
    if (!missing_channels.empty())
        return mismatch(missing_channels, "channel");
    for (std::size_t i = 0; i < definition_.reducers.size(); ++i) {
        const auto data = stored.channels.find((*definition_.channel_names)[i]);
        if (data == stored.channels.end()) {
            if (!definition_.reducers[i].initial)
                into.state.value(i) = nullptr;
            continue;
        }
        auto value = value_of(data->first, definition_.reducers[i], data->second);
        if (!value)
            return value.error();
        into.state.value(i) = std::move(*value);
        deltas_[data->first] = static_cast<std::int64_t>(data->second.deltas.size());
    }
    position_ = std::move(checkpoint);
    durable_parent_ = position_.id;
    return {};
}

// Greater than the newest of the thread, whatever the clock of the process that made it.
std::string ThreadKeeper::next_id() const
{
    auto id = new_id();
    const auto& newest = std::max(position_.id, newest_);
    if (id > newest)
        return id;
    id = newest;
    for (auto digit = id.rbegin(); digit != id.rend(); ++digit) {
        if (*digit == '-')
            continue;
        if (*digit == 'f') {
            *digit = '0';
            continue;
        }
        *digit = *digit == '9' ? 'a' : static_cast<char>(*digit + 1);
        break;
    }
    return id;
}

void ThreadKeeper::write_channel(std::size_t channel, const ChannelChange* change, const Progress& progress,
                                 Checkpoint& into)
{
    const auto& reducer = definition_.reducers[channel];
    if (!reducer.tracked)
        return;
    const auto& name = (*definition_.channel_names)[channel];
    const auto& value = progress.state.value(channel);
    if (!value) {
        into.versions.erase(name);
        return;
    }
    ChannelWrite write;
    write.channel = name;
    auto& chain = deltas_[name];
    const auto before = into.versions.find(name);
    const bool as_delta =
        change && !change->whole && reducer.as_delta && before != into.versions.end() && chain < deltas_per_value;
    if (as_delta) {
        auto updates = Json::array();
        for (const auto* update : change->updates)
            updates.push_back(*update);
        write.data = std::make_shared<Json>(std::move(updates));
        write.base = before->second;
        write.deltas = ++chain;
    } else {
        // A copy: the state's own value is changed in place by the next superstep while it is still being written.
        write.data = reducer.in_place ? std::make_shared<Json>(*value) : value;
        chain = 0;
    }
    into.versions[name] = into.id;
    into.writes.push_back(std::move(write));
}

void ThreadKeeper::add(Source source, const Progress& progress, const Changes* changes, Json frontier, Batch& into)
{
    Checkpoint next;
    next.id = next_id();
    next.ns = ns_;
    next.parent = position_.id;
    next.run = run_.result.run;
    next.step = stored() ? position_.step + 1 : -1;
    next.source = source;
    next.created_at = run_.now();
    next.graph_version = definition_.version;
    next.metadata = run_.options.metadata;
    if (metadata_.is_object() && !metadata_.empty())
        next.metadata.update(metadata_);
    next.versions = position_.versions;
    if (has_pending_ && !position_.id.empty())
        into.drops.push_back(PendingDrop{ns_, false, position_.id, {}, {}});
    has_pending_ = false;
    if (run_.options.durability == Durability::exit) {
        if (changes)
            for (const auto& change : *changes)
                changed_.insert(change.channel);
        else
            for (std::size_t i = 0; i < definition_.reducers.size(); ++i)
                changed_.insert(i);
        frontier_ = std::move(frontier);
        unwritten_ = true;
        position_ = std::move(next);
        return;
    }
    next.frontier = std::move(frontier);
    if (changes)
        for (const auto& change : *changes)
            write_channel(change.channel, &change, progress, next);
    else
        for (std::size_t i = 0; i < definition_.reducers.size(); ++i)
            write_channel(i, nullptr, progress, next);
    position_ = next;
    position_.writes.clear();
    into.checkpoints.push_back(std::move(next));
}

void ThreadKeeper::add_last(const Progress& progress, Batch& into)
{
    if (!unwritten_)
        return;
    auto last = position_;
    last.parent = durable_parent_;
    last.frontier = std::move(frontier_);
    for (const auto channel : changed_)
        write_channel(channel, nullptr, progress, last);
    changed_.clear();
    unwritten_ = false;
    position_ = last;
    position_.writes.clear();
    durable_parent_ = last.id;
    into.checkpoints.push_back(std::move(last));
}

}  // namespace dure::graph

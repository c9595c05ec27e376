// Folding; see fold.hpp. Three passes, so that an error discards the whole superstep: gather what each channel gets,
// check it and compute the channels whose reducer may fail on the side, then change the state, which cannot fail.
#include "graph/fold.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace dure::graph {
namespace {

constexpr std::size_t most_warnings = 100;

struct ChannelWrites {
    std::vector<std::string_view> nodes;
    std::vector<const Json*> updates;
    const Json* overwrite = nullptr;
    std::vector<std::string_view> overwriters;
};

using Gathered = std::map<std::size_t, ChannelWrites>;   // by channel index

const Json* overwritten_value(const Json& update)
{
    if (!update.is_object() || update.size() != 1)
        return nullptr;
    const auto marked = update.find("__overwrite__");
    return marked == update.end() ? nullptr : &*marked;
}

void warn_of_unknown_key(std::string_view node, const std::string& key, Warnings& warnings)
{
    auto text = "node '" + std::string(node) + "' wrote '" + key + "', which is no channel";
    if (warnings.size() < most_warnings && std::find(warnings.begin(), warnings.end(), text) == warnings.end())
        warnings.push_back(std::move(text));
}

Gathered gather(const State& state, const std::vector<Write>& writes, Warnings& warnings)
{
    Gathered gathered;
    for (const auto& write : writes) {
        if (!write.values->is_object())
            continue;
        for (const auto& [key, value] : write.values->items()) {
            const auto index = state.index_of(key);
            if (index == State::unknown) {
                warn_of_unknown_key(write.node, key, warnings);
                continue;
            }
            auto& channel = gathered[index];
            if (const auto* replacing = overwritten_value(value)) {
                channel.overwrite = replacing;
                channel.overwriters.push_back(write.node);
            } else {
                channel.nodes.push_back(write.node);
                channel.updates.push_back(&value);
            }
        }
    }
    return gathered;
}

// The nodes stand apart too: whoever shows the error points at them.
Error of_nodes(Error error, const std::vector<std::string_view>& nodes)
{
    for (const auto node : nodes)
        error = std::move(error).problem({{"nodes", std::string(node)}, error.message(), error.reason()});
    return error;
}

Error concurrent(const std::string& channel, const std::vector<std::string_view>& nodes)
{
    std::string names;
    for (const auto node : nodes)
        names += (names.empty() ? "" : ", ") + std::string(node);
    return of_nodes(Error(Errc::internal,
                          "Channel '" + channel + "' was written more than once in one superstep, by: " + names + ".")
                        .reason("INVALID_CONCURRENT_GRAPH_UPDATE"),
                    nodes);
}

Error unfit(const std::string& channel, std::string_view node, const std::string& problem)
{
    return of_nodes(
        Error(Errc::internal, "The update of '" + channel + "' by '" + std::string(node) + "' " + problem + ".")
            .reason("INVALID_UPDATE"),
        {node});
}

Result<void> check(const Reducer& reducer, const std::string& name, const ChannelWrites& channel)
{
    if (channel.overwriters.size() > 1)
        return concurrent(name, channel.overwriters);
    if (reducer.last_value && channel.nodes.size() + channel.overwriters.size() > 1) {
        auto nodes = channel.nodes;
        nodes.insert(nodes.end(), channel.overwriters.begin(), channel.overwriters.end());
        return concurrent(name, nodes);
    }
    if (channel.overwrite) {
        if (reducer.check_value)
            if (const auto problem = reducer.check_value(*channel.overwrite))
                return unfit(name, channel.overwriters.front(), *problem);
        return {};
    }
    if (reducer.check_update)
        for (std::size_t i = 0; i < channel.updates.size(); ++i)
            if (const auto problem = reducer.check_update(*channel.updates[i]))
                return unfit(name, channel.nodes[i], *problem);
    return {};
}

// The value after all updates, computed beside the state. Null for channels that are changed in place later.
Result<Value> compute(const Reducer& reducer, const std::string& name, const Value& old, const ChannelWrites& channel)
{
    if (channel.overwrite)
        return Value(std::make_shared<Json>(*channel.overwrite));
    if (reducer.last_value)
        return Value(std::make_shared<Json>(*channel.updates.front()));
    if (reducer.in_place)
        return Value();
    std::size_t first = 0;
    auto value = old ? std::make_shared<Json>(*old) : std::make_shared<Json>(*channel.updates[first++]);
    for (std::size_t i = first; i < channel.updates.size(); ++i)
        if (auto reduced = reducer.apply(*value, *channel.updates[i]); !reduced)
            return unfit(name, channel.nodes[i], "was refused: " + reduced.error().message());
    return Value(std::move(value));
}

void change_in_place(const Reducer& reducer, Value& value, const ChannelWrites& channel)
{
    // Values are made as Json, not const Json; const only keeps readers from writing. A shared one is copied first.
    auto own = value.use_count() == 1 ? std::const_pointer_cast<Json>(value)
                                      : std::make_shared<Json>(value ? *value : Json(*reducer.initial));
    for (const auto* update : channel.updates)
        if (auto reduced = reducer.apply(*own, *update); !reduced)
            throw InvariantBroken("reducer '" + reducer.name +
                                  "' failed after its checks: " + reduced.error().message());
    value = std::move(own);
}

void cut(Json& array, std::size_t size)
{
    array.erase(array.begin() + static_cast<std::ptrdiff_t>(size), array.end());
}

}  // namespace

MomentaryFold::~MomentaryFold()
{
    for (auto& [channel, value] : replaced_)
        state_.value(channel) = std::move(value);
    for (const auto& [channel, size] : lengthened_) {
        auto& value = state_.value(channel);
        if (value.use_count() != 1)  // somebody has kept what was there for a moment: it stays so for them
            value = std::make_shared<Json>(*value);
        cut(*std::const_pointer_cast<Json>(value), size);
    }
}

// False: one of the updates does more than add, or somebody else holds the value.
bool MomentaryFold::lengthen(const Reducer& reducer, std::size_t channel, const std::vector<const Json*>& updates)
{
    const auto& value = state_.value(channel);
    if (!reducer.only_adds || value.use_count() != 1 || !value->is_array())
        return false;
    auto& own = *std::const_pointer_cast<Json>(value);
    lengthened_.emplace_back(channel, own.size());
    for (const auto* update : updates)
        if (!reducer.only_adds(own, *update) || !reducer.apply(own, *update))
            return false;
    return true;
}

Result<void> MomentaryFold::apply(const Definition& definition, const std::vector<Write>& writes)
{
    Warnings ignored;  // the fold that lasts gives the same ones
    for (const auto& [index, channel] : gather(state_, writes, ignored)) {
        const auto& reducer = definition.reducers[index];
        if (auto fits = check(reducer, state_.name(index), channel); !fits)
            return fits.error();
        if (!channel.overwrite && lengthen(reducer, index, channel.updates))
            continue;
        auto value = compute(reducer, state_.name(index), state_.value(index), channel);
        if (!value)
            return value.error();
        auto& old = state_.value(index);
        if (!*value) {
            // The one that stands may be longer by a part of the updates: it is copied as it was.
            auto whole = std::make_shared<Json>(old ? *old : Json(*reducer.initial));
            if (!lengthened_.empty() && lengthened_.back().first == index)
                cut(*whole, lengthened_.back().second);
            *value = std::move(whole);
            change_in_place(reducer, *value, channel);
        }
        replaced_.emplace_back(index, std::exchange(old, std::move(*value)));
    }
    return {};
}

Result<Changes> fold(const Definition& definition, State& state, const std::vector<Write>& writes, Warnings& warnings)
{
    const auto gathered = gather(state, writes, warnings);
    std::vector<Value> computed;
    computed.reserve(gathered.size());
    for (const auto& [index, channel] : gathered) {
        const auto& reducer = definition.reducers[index];
        if (auto fits = check(reducer, state.name(index), channel); !fits)
            return fits.error();
        auto value = compute(reducer, state.name(index), state.value(index), channel);
        if (!value)
            return value.error();
        computed.push_back(std::move(*value));
    }
    Changes changes;
    changes.reserve(gathered.size());
    auto next = computed.begin();
    for (const auto& [index, channel] : gathered) {
        auto& value = *next++;
        const bool whole = static_cast<bool>(value);
        if (whole)
            state.value(index) = std::move(value);
        else
            change_in_place(definition.reducers[index], state.value(index), channel);
        changes.push_back(ChannelChange{index, whole, channel.updates});
    }
    return changes;
}

}  // namespace dure::graph

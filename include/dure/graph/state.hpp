// The state of a graph run: one immutable JSON value per channel, shared by pointer, so that a snapshot costs pointers
// and no node copies the conversation. Rules S1, S5, S9 of graph-semantics. What a node gives back is an Update.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dure/base/json.hpp"

namespace dure::graph {

inline constexpr std::string_view start = "__start__";
inline constexpr std::string_view end = "__end__";

using Value = std::shared_ptr<const Json>;   // null: the channel is absent (S1); JSON null is a value

// Names of a graph's channels in byte order; one list shared by every state of that graph.
using ChannelNames = std::shared_ptr<const std::vector<std::string>>;

class State {
public:
    static constexpr std::size_t unknown = static_cast<std::size_t>(-1);

    State() : State(std::make_shared<const std::vector<std::string>>()) {}
    explicit State(ChannelNames names) : names_(std::move(names)), values_(names_->size()) {}

    // Null when the channel is absent or unknown.
    const Json* find(std::string_view channel) const;
    // Throws InvariantBroken on an absent channel: for channels with a default.
    const Json& at(std::string_view channel) const;
    // All present channels.
    Json to_json() const;

    std::size_t index_of(std::string_view channel) const;
    std::size_t size() const { return values_.size(); }
    const std::string& name(std::size_t index) const { return names_->at(index); }
    const Value& value(std::size_t index) const { return values_[index]; }
    Value& value(std::size_t index) { return values_[index]; }

private:
    ChannelNames names_;
    std::vector<Value> values_;
};

// One task of `node` in the next superstep whose input is `argument` (C1).
struct Send {
    Send(std::string to, Json with, std::chrono::milliseconds limit = {})
        : node(std::move(to)), argument(std::move(with)), timeout(limit)
    {
    }
    std::string node;
    Json argument;
    std::chrono::milliseconds timeout;   // of an attempt, in place of the node's own; 0: the node's
};

// Where a path goes on: a node, END or a Send.
class Destination {
public:
    Destination(std::string node) : node_(std::move(node)) {}
    Destination(std::string_view node) : node_(node) {}
    Destination(const char* node) : node_(node) {}
    Destination(Send send)
        : node_(std::move(send.node)), argument_(std::make_shared<Json>(std::move(send.argument))), timeout_(send.timeout)
    {
    }

    const std::string& node() const { return node_; }
    const Value& argument() const { return argument_; }   // null: not a Send
    std::chrono::milliseconds timeout() const { return timeout_; }

private:
    std::string node_;
    Value argument_;
    std::chrono::milliseconds timeout_{0};
};

// What a routing function returns: nothing, one destination or several.
class Routes : public std::vector<Destination> {
public:
    using std::vector<Destination>::vector;
    Routes(Destination one) { push_back(std::move(one)); }
    Routes(std::string_view node) { emplace_back(node); }
    Routes(const char* node) { emplace_back(node); }
};

// What a node gives back: channel → value (an object, or null for nothing), and where else to go (Command, C3).
struct Update {
    Update() = default;
    Update(Json object) : values(std::move(object)) {}
    Update(Json object, Routes targets) : values(std::move(object)), go_to(std::move(targets)) {}

    Json values;
    Routes go_to;
    bool to_parent = false;      // of a sub-graph's node: ends the sub-graph and counts as its node's result (C4)
    std::vector<Update> then;    // further Commands of the same node, applied in order (C3)
};

// S5: the value replaces what a reducer has gathered.
Json overwrite(Json value);

}  // namespace dure::graph

// Replay: an aggregate's state as it was, folded from its events. The data of an event is a merge patch (RFC 7396) onto the
// state the events before it left: a member replaces, null removes. Of an Execution and a Workflow members are set as they
// are, so that nulls inside of outputs and documents stay; of an Execution each ExecutionStep… event is one entry of
// `steps`, which replaces the one of the same node and visit. What each event type carries is written down in docs/events.md.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "dure/model/event.hpp"

namespace dure::events {

struct Replayed {
    std::string aggregate_id;
    std::string aggregate_type;
    std::string owner_id;  // of the last event in it
    std::int64_t version = 0;  // of the last event in it; 0: none
    Json state = Json::object();
    UnixMillis at = 0;  // time of that event
};

// How far to go. By time: everything before the first event that is later; a clock that was set back shows nothing early.
struct ReplayEnd {
    std::optional<std::int64_t> version;
    std::optional<UnixMillis> time;
};

class Fold {
public:
    explicit Fold(ReplayEnd end) : end_(end) {}

    // Events in the order of their versions. False: this one lies behind the end, and so does everything after it.
    bool apply(const model::Event& event);
    Replayed take() { return std::move(state_); }
    const Replayed& state() const { return state_; }

private:
    void set_members(const Json& data);
    void put_step(const Json& step);

    const ReplayEnd end_;
    Replayed state_;
    std::map<std::pair<std::string, std::int64_t>, std::size_t> steps_;  // place of each node's visit
    std::int64_t cost_nano_ = 0;  // of the steps
};

}  // namespace dure::events

// What a run tells while it goes (T1, T2). Data is built only for the modes a sink asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"

namespace dure::graph {

// values: the state; updates: {node: update}, {"__interrupt__": [{id, value}]}; messages: [chunk, metadata]; custom: what a node
// says; tasks: {event: "start" | "end", id, name, …}; checkpoints: a StateSnapshot of each, the input's too; debug: {type, step, timestamp, payload} of
// the last two.
enum class Mode : unsigned { values = 1, updates = 2, messages = 4, custom = 8, tasks = 16, checkpoints = 32, debug = 64 };
std::string_view name_of(Mode mode);
std::optional<Mode> mode_named(std::string_view name);

class Modes {
public:
    constexpr Modes() = default;
    constexpr Modes(Mode one) : bits_(static_cast<unsigned>(one)) {}
    constexpr bool any() const { return bits_ != 0; }
    constexpr bool has(Mode one) const { return (bits_ & static_cast<unsigned>(one)) != 0; }
    constexpr Modes operator|(Modes other) const
    {
        Modes both;
        both.bits_ = bits_ | other.bits_;
        return both;
    }

private:
    unsigned bits_ = 0;
};
constexpr Modes operator|(Mode a, Mode b) { return Modes(a) | Modes(b); }

struct Event {
    Event(std::uint64_t number, std::string where, Mode of, Json what)
        : seq(number), ns(std::move(where)), mode(of), data(std::move(what))
    {
    }
    std::uint64_t seq;   // 1, 2, 3 … per run, without gaps
    std::string ns;      // path of the sub-graph; "" is the root
    Mode mode;
    Json data;
};

// Calls come one at a time, on the run's core. An error means that nobody listens any more: the run stops with CANCELLED.
class EventSink {
public:
    virtual ~EventSink() = default;
    virtual Modes modes() const = 0;
    virtual bool subgraphs() const { return false; }   // events of sub-graphs too
    // Events are kept back until the run's next save is durable, in one write with it: then they are told before the save
    // they belong to, so that a death between the two loses neither.
    virtual bool holds_until_durable() const { return false; }
    // Whether `tasks` start events carry their input: of a task that an edge started, the whole state.
    virtual bool shows_task_input() const { return true; }
    virtual Task<Result<void>> event(const Event& event) = 0;
};

}  // namespace dure::graph

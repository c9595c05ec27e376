// The one door through which a run tells things: numbers the events and hands them out one at a time, also when several
// nodes or sub-graphs speak at once.
#pragma once

#include "dure/base/channel.hpp"
#include "dure/graph/events.hpp"

namespace dure::graph {

class Emitter {
public:
    Emitter(boost::asio::any_io_executor executor, EventSink* sink)
        : sink_(sink), modes_(sink ? sink->modes() : Modes()), subgraphs_(sink && sink->subgraphs()),
          free_(std::move(executor))
    {}

    // False: nothing that is told would be heard, so that no coroutine needs to begin.
    bool speaks() const { return modes_.any(); }
    bool wants(Mode mode, const std::string& ns) const { return modes_.has(mode) && (ns.empty() || subgraphs_); }
    // For a mode that may be wanted by itself or as part of `debug`.
    bool wants_or_debugs(Mode mode, const std::string& ns) const { return wants(mode, ns) || wants(Mode::debug, ns); }
    bool holds_until_durable() const { return sink_ && sink_->holds_until_durable(); }
    bool shows_task_input() const { return !sink_ || sink_->shows_task_input(); }
    // Call only for wanted modes. An error (CANCELLED): nobody listens.
    Task<Result<void>> emit(Mode mode, const std::string& ns, Json data);
    // Mode `tasks` or `checkpoints`, and the same wrapped for `debug`, as far as they are wanted.
    Task<Result<void>> emit_with_debug(Mode mode, const std::string& ns, std::int64_t step, Json data);

private:
    EventSink* sink_;
    Modes modes_;
    bool subgraphs_;
    std::uint64_t last_ = 0;
    bool busy_ = false;
    Signal free_;
};

}  // namespace dure::graph

// The one door through which a run tells things: numbers the events and hands them out one at a time, also when several
// nodes speak at once.
#pragma once

#include "dure/base/channel.hpp"
#include "dure/graph/events.hpp"

namespace dure::graph {

class Emitter {
public:
    Emitter(boost::asio::any_io_executor executor, EventSink* sink)
        : sink_(sink), modes_(sink ? sink->modes() : Modes()), free_(std::move(executor))
    {
    }

    bool wants(Mode mode) const { return modes_.has(mode); }
    // Call only for wanted modes. An error (CANCELLED): nobody listens.
    Task<Result<void>> emit(Mode mode, Json data);

private:
    EventSink* sink_;
    Modes modes_;
    std::uint64_t last_ = 0;
    bool busy_ = false;
    Signal free_;
};

}  // namespace dure::graph

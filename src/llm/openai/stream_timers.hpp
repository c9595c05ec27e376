// The timers of one streamed attempt (llm-upstreams §7) as arithmetic: told what happened when, they say until when to
// wait. No sockets, no clock.
#pragma once

#include <algorithm>

#include "dure/base/clock.hpp"
#include "dure/config/settings.hpp"

namespace dure::llm::openai {

class StreamTimers {
public:
    // The request's deadline ends with the first output, unless nobody reads along (`whole`).
    StreamTimers(const config::ProviderTimeouts& limits, Steady::time_point sent, Deadline request, bool whole,
                 bool reasoning = false)
        : limits_(limits), first_output_(sent + (reasoning ? limits.first_output_reasoning : limits.first_output)),
          last_byte_(sent), last_progress_(sent), request_(request), whole_(whole)
    {
    }

    void bytes(Steady::time_point now) { last_byte_ = now; }
    void progress(Steady::time_point now) { last_progress_ = now; }
    void output() { output_ = true; }
    void end_signal(Steady::time_point now)
    {
        if (!ended_)
            end_ = now + grace;
        ended_ = true;
    }

    // Nothing is waited for beyond this.
    Steady::time_point next() const
    {
        if (ended_)
            return end_;
        auto soonest = last_byte_ + limits_.byte_silence;
        if (!output_)
            return std::min({soonest, first_output_, request_.at()});
        soonest = std::min(soonest, last_progress_ + limits_.progress_silence);
        return whole_ ? std::min(soonest, request_.at()) : soonest;
    }

private:
    static constexpr std::chrono::milliseconds grace{250};   // for the end of the body behind the end signal

    const config::ProviderTimeouts& limits_;
    Steady::time_point first_output_;
    Steady::time_point last_byte_;
    Steady::time_point last_progress_;
    Steady::time_point end_{};
    Deadline request_;
    bool whole_;
    bool output_ = false;
    bool ended_ = false;
};

}  // namespace dure::llm::openai

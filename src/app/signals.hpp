// Signals as a wait: SIGTERM and SIGINT stop the process gracefully, the second one ends it at once.
#pragma once

#include <atomic>
#include <functional>

namespace dure::app {

// A write to who has left, or into a file at its limit, fails instead of ending the process.
void tell_failed_writes_by_errors();

class Signals {
public:
    // Blocks the signals for this thread and all it starts; make it before any thread.
    Signals();

    // Returns on the first SIGTERM or SIGINT, or after request_stop(). From then on a second one of these ends the process.
    // Each SIGHUP before that calls `reload` on this thread, later ones are ignored.
    void wait_for_stop(const std::function<void()>& reload);
    // A part of the process cannot go on: stop as on a signal, but report failure. From any thread.
    void request_stop();
    bool failed() const { return failed_; }

private:
    std::atomic<bool> failed_{false};
};

}  // namespace dure::app

// What is done about a node that fails, hangs or may be answered from a cache (F4–F6, X1). Plain values, set per node.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "dure/base/channel.hpp"
#include "dure/base/clock.hpp"
#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/base/task.hpp"
#include "dure/graph/state.hpp"

namespace dure::graph {

class NodeContext;

// Network, 429, 5xx and timeouts; not validation, logic, cancellation (F4).
bool is_passing_fault(const Error& error);

// The first policy of a node whose errors match is used. A Retry-After of the error wins over the computed pause.
struct RetryPolicy {
    int attempts = 3;                                    // the first one included
    std::chrono::milliseconds first_pause{500};
    double factor = 2;
    std::chrono::milliseconds longest_pause{128'000};
    bool jitter = true;                                  // each pause is between its half and its whole
    std::function<bool(const Error&)> matches = is_passing_fault;
};

// Of one attempt (F5); 0: none.
struct NodeTimeouts {
    std::chrono::milliseconds run{0};
    std::chrono::milliseconds idle{0};                   // since the last message, custom event, step or heartbeat
};

// What time limits of attempts and pauses between them go by, in place of the monotonic clock: a simulation's own time. One
// core; outlives the run.
class Timekeeper {
public:
    virtual ~Timekeeper() = default;
    virtual Steady::time_point now() const = 0;
    // Until the signal is notified or the time has come; may return early. Cancelling the waiting coroutine throws.
    virtual Task<void> wait(Signal& signal, Steady::time_point until) = 0;
};

// Runs in place of a node that failed for good (F6): gets the node's input and the error, returns what the node would have.
using ErrorHandler = std::function<Task<Result<Update>>(NodeContext&, const Error&)>;

// X1. The key holds the node, the version and the input as canonical JSON, or what `key` makes of it.
struct CachePolicy {
    std::chrono::milliseconds time_to_live{60'000};
    std::string version;
    std::function<std::string(const Json& input)> key;
};

// What becomes of the siblings of a task that failed for good (F2).
enum class OnFailure { cancel, finish };

}  // namespace dure::graph

// AttemptLog: where the gateway leaves a row for each attempt at a provider (llm-upstreams §6). Thread-safe; called on cores.
#pragma once

#include "dure/base/task.hpp"
#include "dure/model/attempt.hpp"

namespace dure::llm {

class AttemptLog {
public:
    virtual ~AttemptLog() = default;
    // Without waiting: false when there is no place for the row now, which stays as it is then.
    virtual bool try_add(model::AttemptRow&) { return false; }
    // May wait while too many rows wait to be written, so that requests slow down before rows are lost.
    virtual Task<void> add(model::AttemptRow row) = 0;
    // Never waits; of attempts that were cancelled.
    virtual void add_now(model::AttemptRow row) = 0;
};

}  // namespace dure::llm

// The limits on guessing as services ask them: counted in this process, or shared between replicas through Redis. The rules
// are those of guesses.hpp. While Redis is away each replica counts by itself and allows half.
// Thread-safe; awaited on a core.
#pragma once

#include <memory>
#include <string>

#include "dure/auth/guesses.hpp"
#include "dure/base/task.hpp"

namespace dure::redis {
class Client;
}

namespace dure::auth {

class GuessLimiter {
public:
    virtual ~GuessLimiter() = default;

    // See Guesses for each.
    virtual Task<Guesses::Verdict> begin(std::string account, std::string address) = 0;
    virtual Task<void> succeeded(std::string account, std::string address) = 0;
    virtual Task<void> undo(std::string account, std::string address) = 0;
    virtual Task<std::optional<std::chrono::seconds>> count(std::string what, std::string whom, std::int64_t most,
                                                            std::chrono::seconds window) = 0;
};

// Clock and client outlive them.
std::unique_ptr<GuessLimiter> in_process_guesses(const Clock& clock, const config::Limits& limits);
std::unique_ptr<GuessLimiter> redis_guesses(redis::Client& redis, const Clock& clock, const config::Limits& limits);

}  // namespace dure::auth

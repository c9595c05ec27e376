// What the expressions over one scope may cost together, so that a small flow cannot hold a thread for as long as it likes
// (threat-model §6: 10 000 steps). A step is one expression, filter or comparison; over large values it counts for more.
#pragma once

#include <atomic>
#include <cstddef>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::flows {

// Not thread-safe, but for `stopped`.
class EvaluationWork {
public:
    static constexpr std::size_t most_steps = 10'000;
    // Of about a nanosecond each.
    static constexpr std::size_t most_units = most_steps * 32'768;

    // Anew. `stopped`, if there is one, lives as long as this is used and ends the work early, from any thread.
    void allow(std::size_t steps, std::size_t units, const std::atomic<bool>* stopped = nullptr)
    {
        *this = EvaluationWork();
        steps_ = steps;
        units_ = units;
        stopped_ = stopped;
    }

    // One more step. False: nothing is left, and nothing will be.
    bool step(std::size_t units);
    // More of the step under way.
    bool spend(std::size_t units);
    bool is_spent() const { return spent_; }
    std::size_t left() const { return units_; }

private:
    std::size_t steps_ = most_steps;
    std::size_t units_ = most_units;
    bool spent_ = false;
    const std::atomic<bool>* stopped_ = nullptr;
};

// Units of a pass over a value: of each value in it, and of eight bytes of text.
struct Pass {
    std::size_t of_a_value, of_eight_bytes;
};
inline constexpr Pass copying{32, 1};
inline constexpr Pass writing{48, 16};  // as JSON text

// As far as that is not more than `enough`.
std::size_t cost_of(Pass pass, const Json& value, std::size_t enough);
// invalid_argument, reason "expression_too_large".
Error too_much_work();

}  // namespace dure::flows

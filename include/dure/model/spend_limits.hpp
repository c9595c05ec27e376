// What calls of models may use of tokens and money: of a user by role (configuration), and of one API key.
#pragma once

#include <cstdint>

namespace dure::model {

// 0: not limited.
struct SpendLimits {
    std::int64_t tokens_per_minute = 0;
    std::int64_t tokens_per_day = 0;
    std::int64_t cost_per_day = 0;  // USD * 1e-9

    bool any() const { return tokens_per_minute > 0 || days(); }
    bool days() const { return tokens_per_day > 0 || cost_per_day > 0; }
    bool operator==(const SpendLimits&) const = default;
};

}  // namespace dure::model

// AttemptWriter: rows of attempts at model providers, behind the answer.
#pragma once

#include "dure/model/attempt.hpp"
#include "dure/store/write_behind.hpp"

namespace dure::store {

class AttemptWriter final : public WriteBehind<model::AttemptRow> {
public:
    using WriteBehind::WriteBehind;
};

}  // namespace dure::store

// UsageWriter: usage rows behind the answer.
#pragma once

#include "dure/model/records.hpp"
#include "dure/store/write_behind.hpp"

namespace dure::store {

class UsageWriter final : public WriteBehind<model::UsageRow> {
public:
    using WriteBehind::WriteBehind;
};

}  // namespace dure::store

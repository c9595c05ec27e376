// Documents of older formats, brought to the newest one step at a time. The stored version stays as it was saved.
#pragma once

#include <cstdint>

#include "dure/base/json.hpp"

namespace dure::flows {

// `tree` is an object of a format older than newest_format_version.
OrderedJson migrated(const OrderedJson& tree, std::int64_t from);

}  // namespace dure::flows

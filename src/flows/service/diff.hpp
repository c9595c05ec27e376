// What differs between two versions of a flow (flow-format §11).
#pragma once

#include "dure/base/json.hpp"

namespace dure::flows {

// Both are stored documents. {nodes, edges, settings, layout_only, patch}: nodes, edges and settings are {added: [id], removed: [id],
// changed: [{id, paths}]}, where settings have their key as id and paths are JSON pointers inside of the part. layout_only:
// nothing differs but places, sizes and the like. patch: RFC 6902, makes `after` of `before`.
OrderedJson difference_of(const OrderedJson& before, const OrderedJson& after);

}  // namespace dure::flows

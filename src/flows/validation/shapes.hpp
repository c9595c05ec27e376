// The lists and objects inside of a node's config: the entries of set, prompt and loop, forms of human_input, memory, knowledge,
// auth and body. A typo in them is told as one of a field is (flow-format §2). What is an expression is known when it runs.
#pragma once

#include "dure/flows/document.hpp"
#include "flows/document/fields.hpp"

namespace dure::flows {

// `config`: the place of node.config. field_missing, field_type, field_range, field_unknown, id_duplicate.
void check_shapes(const Node& node, const Location& config, Problems& problems);

}  // namespace dure::flows

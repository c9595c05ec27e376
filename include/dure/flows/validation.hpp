// What a drawing means, checked (flow-format §9): the second half of what read_document() begins, all problems at once.
// Built: kinds, ids, edges, handles, types, starts, containers, cycles, reachability, fields of each kind's config, policies,
// conditions, expressions with the names they use, settings, writers side by side, targets of jumps. What asks other parts of
// the server stands in references.hpp (model_unknown, tool_unknown, knowledge_unknown) and in the service (flow_unknown,
// subflow_cycle).
#pragma once

#include "dure/flows/document.hpp"

namespace dure::flows {

// Nodes and edges: kind_unknown, kind_not_available, unsupported_node (warn), id_duplicate, edge_dangling, edge_duplicate,
// edge_self, handle_unknown, handle_single, note_has_edge, start_missing, start_multiple, start_has_input, parent_invalid,
// border_crossed, nesting, body_empty, cycle, unreachable (warn), no_output (warn).
void check_structure(const Document& document, Problems& problems);

// Each node's config and policy: field_…, condition_type, case_empty, case_duplicate, nesting, kind_not_available (triggers),
// expression_syntax, expression_unknown (roots), secret_misplaced.
void check_configs(const Document& document, Problems& problems);

// Names in expressions and targets of set: expression_unknown, expression_order (warn).
void check_names(const Document& document, Problems& problems);

// type_mismatch: attach edges (tools, workers), and main outputs where they are taken as text or messages.
void check_types(const Document& document, Problems& problems);

// inputs, state, limits, and what §8 says of each type of flow: field_…, id_duplicate, orchestration_invalid.
void check_settings(const Document& document, Problems& problems);

// reducer_missing (warn), loop_target_invalid.
void check_flow(const Document& document, Problems& problems);

// field_range: require_approval names no tool of its agent.
void check_approvals(const Document& document, Problems& problems);

// All of the above.
void check_document(const Document& document, Problems& problems);

}  // namespace dure::flows

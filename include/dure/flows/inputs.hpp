// The inputs of a run against those the flow declares (flow-format §1): checked before anything runs, of a sub-flow before it begins.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/flows/document.hpp"

namespace dure::flows {

// Whether it is one of the types of flow-format §2.
bool value_type_allowed(std::string_view type);
// Whether a value is of one of the types of flow-format §2 ("text", "list<integer>" …). Everything is `any`.
bool fits_type(const std::string& type, const Json& value);
// Whether a value is among the options of an input or of a field of a form; of a list: each of its entries.
bool is_offered(const Json& options, const Json& value);
// Whether the reducer of a variable of the state (§1), declared so, can go on from the value.
bool can_go_on_from(const Json& declared, const Json& value);
// Whether the variable can hold the value: of its type too.
bool fits_variable(const Json& declared, const Json& value);

// Given inputs with defaults filled in. `declared`: Document::inputs. invalid_argument with a problem at ["body", "inputs", name] for
// each wrong one. A flow that declares none takes any.
Result<Json> check_inputs(const Json& declared, const Json& given);

inline Result<Json> check_inputs(const Document& document, const Json& given)
{
    return check_inputs(Json(document.inputs), given);
}

}  // namespace dure::flows

// The inputs of an execute request against those the flow declares (flow-format §1): checked before anything runs.
#pragma once

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"
#include "dure/flows/document.hpp"

namespace dure::executions {

// Given inputs with defaults filled in. invalid_argument with a problem at ["body", "inputs", name] for each wrong one. A flow
// that declares none takes any.
Result<Json> check_inputs(const flows::Document& document, const Json& given);

}  // namespace dure::executions

// Schemas of bodies and answers for the OpenAPI document.
#pragma once

#include <string_view>

#include "dure/base/json.hpp"

namespace dure::api {

OrderedJson component_schemas();
OrderedJson account_schemas();   // a part of them
OrderedJson flow_schemas();   // another
OrderedJson query_schema(std::string_view parameter);

}  // namespace dure::api

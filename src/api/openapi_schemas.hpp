// Schemas of bodies and answers for the OpenAPI document.
#pragma once

#include <string_view>

#include "dure/base/json.hpp"

namespace dure::api {

OrderedJson component_schemas();
OrderedJson account_schemas();   // a part of them
OrderedJson flow_schemas();   // another
OrderedJson node_schemas();   // made from the table of kinds
OrderedJson execution_schemas();
OrderedJson query_schema(std::string_view parameter);
OrderedJson path_schema(std::string_view parameter);
OrderedJson header_schema(std::string_view header);   // of requests and answers

}  // namespace dure::api

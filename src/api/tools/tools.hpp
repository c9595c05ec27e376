// GET /api/tools, GET /api/tools/{name}, POST /api/tools/{name}/execute, POST /api/tools/select, POST /api/tools/reload
#pragma once

#include "api/routes.hpp"

namespace dure::api {

Handler list_tools(const ApiParts& parts);
Handler get_tool(const ApiParts& parts);
Handler execute_tool(const ApiParts& parts);
Handler select_tools(const ApiParts& parts);
Handler reload_tools(const ApiParts& parts);

}  // namespace dure::api

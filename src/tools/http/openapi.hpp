// OpenAPI 3.0 and 3.1 documents as tools: every operation one HttpToolPlan. No network and no disk; any document gives
// tools and problems in bounded time.
#pragma once

#include "tools/http/tool_file.hpp"

namespace dure::tools {

struct OpenApiTools {
    std::vector<HttpToolPlan> tools;
    std::vector<LoadProblem> problems;
};

// `source` is what the tools say of themselves, "openapi:petstore.json".
OpenApiTools read_openapi(const Json& document, const OpenApiImport& import, const std::string& source);

}  // namespace dure::tools

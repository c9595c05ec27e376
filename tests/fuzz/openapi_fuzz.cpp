// Any JSON as an OpenAPI document: tools with legal names, schemas that compile or are refused, never a crash.
#include <cstdlib>

#include "dure/schema/json_schema.hpp"
#include "dure/tools/registry.hpp"
#include "tools/http/openapi.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto document = dure::tools::parse_tool_json({reinterpret_cast<const char*>(data), size});
    if (!document)
        return 0;
    dure::tools::OpenApiImport import;
    import.base_url = "https://api.example/base";
    for (const auto& tool : dure::tools::read_openapi(*document, import, "fuzz").tools) {
        if (!dure::tools::is_function_name(tool.definition.name))
            std::abort();
        static_cast<void>(dure::schema::JsonSchema::compile(tool.definition.parameters));
        static_cast<void>(dure::tools::http_tool_request(tool, {{"id", "a/b"}, {"body", 1}}, {}));
    }
    return 0;
}

// Any bytes as a tool file, TOML, JSON and YAML: plans whose requests stay on their origin, never a crash.
#include <cstdlib>

#include "tools/http/tool_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace dure::tools;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& document : {parse_toml(text), parse_tool_json(text), parse_yaml(text)}) {
        if (!document)
            continue;
        const auto file = read_tool_file(*document, "fuzz", [](const std::string&) { return nullptr; });
        for (const auto& tool : file.tools) {
            const auto request = http_tool_request(tool, {{"a", "../x?y#z"}, {"b", {1, "two"}}}, {});
            if (request && !request->url.starts_with(tool.origin + "/"))
                std::abort();
        }
    }
    return 0;
}

// The folder of tool files: *.toml and *.json, read whole, in the order of their names. Blocks on the disk.
#pragma once

#include <string>

#include "tools/http/tool_file.hpp"

namespace dure::tools {

struct FolderTools {
    std::vector<HttpToolPlan> tools;
    std::vector<LoadProblem> problems;
};

// A folder that is not there holds no tools.
FolderTools read_tool_folder(const std::string& folder, const Variables& variables);

}  // namespace dure::tools

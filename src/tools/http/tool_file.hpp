// Tool files (docs/tools.md): TOML or JSON documents of the operator that declare HTTP tools and say how OpenAPI documents
// become tools. Reading needs no network and no disk: text in, plans and problems out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/http/http_tool.hpp"

namespace dure::tools {

// The value of an environment variable; null: not set or empty.
using Variables = std::function<const SecretString*(const std::string& name)>;

// How an OpenAPI document becomes tools; the defaults are those of a document that no tool file names.
struct OpenApiImport {
    std::string document;  // file name in the folder of tool files
    std::string base_url;  // empty: the document's first server
    std::string prefix;  // of every name
    std::vector<std::string> include{"*"};  // names or operation ids, * at the end stands for anything
    std::vector<std::string> exclude;
    std::vector<std::pair<std::string, SecretString>> secret_headers;
    std::vector<std::pair<std::string, SecretString>> secret_query;
    std::string permission;
    std::string unavailable;
    std::chrono::milliseconds timeout{0};
    bool approval = false;  // operations other than GET and HEAD run only when a person asks for them
};

struct ToolFile {
    std::vector<HttpToolPlan> tools;
    std::vector<OpenApiImport> imports;
    std::vector<LoadProblem> problems;  // what was left out, and why
};

// TOML to JSON; dates become text. invalid_argument with the line.
Result<Json> parse_toml(std::string_view text);
// YAML to JSON, one document: the types of JSON only, texts by the rules of YAML 1.2 (`no` is a text, dates are), no anchors, aliases
// and tags. invalid_argument with the line.
Result<Json> parse_yaml(std::string_view text);
// Strict JSON, up to 4 MiB.
Result<Json> parse_tool_json(std::string_view text);

// `source` is what the tools say of themselves, "file:rates.toml".
ToolFile read_tool_file(const Json& document, const std::string& source, const Variables& variables);

bool matches(const std::vector<std::string>& patterns, std::string_view name);

}  // namespace dure::tools

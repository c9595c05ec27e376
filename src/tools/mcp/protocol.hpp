// The words of the Model Context Protocol (JSON-RPC 2.0) without any transport: what is sent, and what answers mean.
// Everything a server says is untrusted: bounded and checked before it is used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/base/error.hpp"
#include "dure/base/json.hpp"

namespace dure::tools::mcp {

inline constexpr std::string_view newest_version = "2025-06-18";
inline constexpr std::size_t longest_message = 4u << 20;   // bytes of one JSON-RPC message from a server

bool is_known_version(std::string_view version);

std::string request_text(std::int64_t id, std::string_view method, const Json& parameters);
std::string notification_text(std::string_view method, const Json& parameters);
// To a request of the server: ping is answered, everything else is a method this client does not offer.
std::string answer_text(const Json& request);

Json initialize_parameters();
Json cancelled_parameters(std::int64_t id, std::string_view reason);

enum class MessageKind { response, request, notification, broken };
// One message, already checked JSON.
MessageKind kind_of(const Json& message);
// upstream_failed: no JSON object, or too deep. Batches (of 2025-03-26) come out as several messages.
Result<std::vector<Json>> read_messages(std::string_view text);
// The error of a call whose answer is larger than longest_message; reason() "too_large".
Error answer_too_long();
// The result of a response, or its error; reason() "rpc:CODE".
Result<Json> result_of(const Json& response);

struct ToolInfo {
    std::string name;
    std::string title;
    std::string description;
    Json schema;
    bool acts = false;           // said to be destructive
};
// Tools of one page of tools/list; what is no tool is left out and named in `problems`.
std::vector<ToolInfo> read_tools(const Json& result, std::vector<std::string>& problems);
std::string next_cursor(const Json& result);

// What the model gets of a tools/call: structured content, a single text, or the list of contents (binary data is named,
// not shown). An error when the server says isError.
Result<Json> read_call(const Json& result);

}  // namespace dure::tools::mcp

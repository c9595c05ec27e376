// Which top-level keys a document has, in the order of flow-format §1, and which belong to the server.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace dure::flows {

inline constexpr std::array<std::string_view, 19> document_keys{"format",
                                                                "format_version",
                                                                "flow_type",
                                                                "name",
                                                                "description",
                                                                "category",
                                                                "tags",
                                                                "is_active",
                                                                "orchestration_type",
                                                                "supervisor_config",
                                                                "chat_config",
                                                                "memory_config",
                                                                "rag_config",
                                                                "inputs",
                                                                "state",
                                                                "nodes",
                                                                "edges",
                                                                "viewport",
                                                                "limits"};

// What answers say beside the document: a designer sends it back with its changes.
inline constexpr std::array<std::string_view, 11> server_keys{
    "id",       "slug",     "owner",   "version", "created_at", "updated_at", "etag", "published_version",
    "warnings", "saved_at", "owner_id"};

inline bool is_document_key(std::string_view key)
{
    return !key.empty() && std::find(document_keys.begin(), document_keys.end(), key) != document_keys.end();
}

inline bool is_server_key(std::string_view key)
{
    return std::find(server_keys.begin(), server_keys.end(), key) != server_keys.end();
}

}  // namespace dure::flows

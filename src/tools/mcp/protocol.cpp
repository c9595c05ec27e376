// Words of MCP; see protocol.hpp.
#include "tools/mcp/protocol.hpp"

#include <algorithm>

#include "dure/base/log.hpp"
#include "dure/base/text.hpp"
#include "dure/schema/json_check.hpp"

namespace dure::tools::mcp {
namespace protocol_parts {

constexpr std::string_view known_versions[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
constexpr std::size_t longest_text = 16384;   // of a tool's description
constexpr std::size_t longest_problem = 500;

std::string text_of(const Json& object, const char* key)
{
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? to_valid_utf8(found->get<std::string>())
                                                                             : "";
}

Error broken(const char* what)
{
    return Error(Errc::upstream_failed, std::string("The tool server's message is not valid: ") + what + ".")
        .reason("protocol");
}

void leave_out(Json& part)
{
    for (const char* key : {"data", "blob"})
        if (part.is_object() && part.contains(key) && part[key].is_string())
            part[key] = "[" + std::to_string(part[key].get_ref<const std::string&>().size()) +
                        " characters of base64 left out]";
}

// Data of pictures and sound is of no use to a text model and may be large.
Json without_data(const Json& content)
{
    auto out = content;
    leave_out(out);
    if (out.is_object() && out.contains("resource"))
        leave_out(out["resource"]);
    return out;
}

std::string joined_texts(const Json& contents)
{
    std::string text;
    for (const auto& one : contents)
        if (text_of(one, "type") == "text")
            text += (text.empty() ? "" : "\n") + text_of(one, "text");
    return text;
}

}  // namespace protocol_parts

using namespace protocol_parts;

bool is_known_version(std::string_view version)
{
    return std::find(std::begin(known_versions), std::end(known_versions), version) != std::end(known_versions);
}

std::string request_text(std::int64_t id, std::string_view method, const Json& parameters)
{
    return dump(Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", parameters}});
}

std::string notification_text(std::string_view method, const Json& parameters)
{
    Json message{{"jsonrpc", "2.0"}, {"method", method}};
    if (!parameters.empty())
        message["params"] = parameters;
    return dump(message);
}

std::string answer_text(const Json& request)
{
    Json answer{{"jsonrpc", "2.0"}, {"id", request.at("id")}};
    if (request.at("method") == "ping")
        answer["result"] = Json::object();
    else
        answer["error"] = {{"code", -32601}, {"message", "Method not found"}};
    return dump(answer);
}

Json initialize_parameters()
{
    return {{"protocolVersion", newest_version},
            {"capabilities", Json::object()},
            {"clientInfo", {{"name", "dure"}, {"title", "Dure"}, {"version", "1"}}}};
}

Json cancelled_parameters(std::int64_t id, std::string_view reason)
{
    return {{"requestId", id}, {"reason", reason}};
}

MessageKind kind_of(const Json& message)
{
    if (!message.is_object())
        return MessageKind::broken;
    const bool has_id = message.contains("id") && (message["id"].is_number_integer() || message["id"].is_string());
    const bool has_method = message.contains("method") && message["method"].is_string();
    if (has_method)
        return has_id ? MessageKind::request : MessageKind::notification;
    return has_id && (message.contains("result") || message.contains("error")) ? MessageKind::response
                                                                               : MessageKind::broken;
}

Result<std::vector<Json>> read_messages(std::string_view text)
{
    if (text.size() > longest_message)
        return broken("it is larger than 4 MiB, the most that is taken");
    if (!schema::check_json(text, {.refuse_duplicates = false, .refuse_nul = false}))
        return broken("it is no JSON");
    auto document = Json::parse(text);
    std::vector<Json> messages;
    if (document.is_object())
        messages.push_back(std::move(document));
    else if (document.is_array())
        for (auto& one : document)
            messages.push_back(std::move(one));
    else
        return broken("it is no object");
    return messages;
}

Error answer_too_long()
{
    return Error(Errc::upstream_failed, "The tool server's answer is larger than " +
                                            std::to_string(longest_message >> 20) + " MiB, the most that is taken.")
        .reason("too_large");
}

Result<Json> result_of(const Json& response)
{
    if (const auto error = response.find("error"); error != response.end()) {
        const auto code = error->is_object() && error->contains("code") && (*error)["code"].is_number_integer()
                              ? std::to_string((*error)["code"].get<std::int64_t>())
                              : std::string("none");
        const auto said = redact(utf8_prefix(text_of(*error, "message"), longest_problem));
        return Error(Errc::upstream_failed, "The tool server refused: " + (said.empty() ? "it gave no reason." : said))
            .reason("rpc:" + code);
    }
    const auto result = response.find("result");
    if (result == response.end() || !result->is_object())
        return broken("it has no result");
    return *result;
}

std::vector<ToolInfo> read_tools(const Json& result, std::vector<std::string>& problems)
{
    std::vector<ToolInfo> tools;
    const auto list = result.find("tools");
    if (list == result.end() || !list->is_array()) {
        problems.emplace_back("the server's list of tools is no list");
        return tools;
    }
    for (const auto& one : *list) {
        ToolInfo tool;
        tool.name = text_of(one, "name");
        tool.title = text_of(one, "title");
        tool.description = std::string(utf8_prefix(text_of(one, "description"), longest_text));
        if (tool.name.empty()) {
            problems.emplace_back("a tool has no name");
            continue;
        }
        tool.schema = one.contains("inputSchema") && one["inputSchema"].is_object() ? one["inputSchema"]
                                                                                    : Json{{"type", "object"}};
        const auto annotations = one.contains("annotations") ? one["annotations"] : Json::object();
        tool.acts = annotations.is_object() && annotations.value("destructiveHint", Json(false)) == Json(true) &&
                    annotations.value("readOnlyHint", Json(false)) != Json(true);
        tools.push_back(std::move(tool));
    }
    return tools;
}

std::string next_cursor(const Json& result)
{
    return text_of(result, "nextCursor");
}

Result<Json> read_call(const Json& result)
{
    const auto found = result.find("content");
    const Json contents = found != result.end() && found->is_array() ? *found : Json::array();
    if (result.value("isError", Json(false)) == Json(true)) {
        const auto said = joined_texts(contents);
        return Error(Errc::upstream_failed,
                     said.empty() ? "The tool failed." : redact(utf8_prefix(said, longest_text)));
    }
    if (const auto structured = result.find("structuredContent"); structured != result.end() && structured->is_object())
        return *structured;
    const bool texts_only =
        std::all_of(contents.begin(), contents.end(), [](const Json& one) { return text_of(one, "type") == "text"; });
    if (texts_only)
        return Json(joined_texts(contents));
    auto list = Json::array();
    for (const auto& one : contents)
        list.push_back(without_data(one));
    return list;
}

}  // namespace dure::tools::mcp

// Turns by role: blocks are gathered message by message and neighbours of one role join; see messages.hpp.
#include "llm/anthropic/messages.hpp"

#include <algorithm>
#include <string>

#include "dure/base/text.hpp"

namespace dure::llm::anthropic {

namespace {

std::string text_at(const OrderedJson& object, const char* name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
}

Error wrong_message(const std::string& place, const std::string& sentence)
{
    return Error(Errc::invalid_argument, place + " " + sentence).reason("invalid_value").param(place);
}

OrderedJson text_block(const std::string& text)
{
    return {{"type", "text"}, {"text", text}};
}

// data:image/png;base64,… or an address.
OrderedJson source_of(const std::string& url)
{
    const auto comma = url.find(',');
    if (url.starts_with("data:") && comma != std::string::npos) {
        const auto type = url.substr(5, std::min(url.find(';'), comma) - 5);
        return {{"type", "base64"}, {"media_type", type}, {"data", url.substr(comma + 1)}};
    }
    return {{"type", "url"}, {"url", url}};
}

Result<OrderedJson> block_of(const OrderedJson& part, const std::string& place)
{
    const auto type = text_at(part, "type");
    if (type == "text" || type == "refusal")
        return text_block(text_at(part, type.c_str()));
    if (type == "image_url") {
        const auto image = part.find("image_url");
        const auto url = image == part.end()  ? std::string()
                         : image->is_string() ? image->get<std::string>()
                                              : text_at(*image, "url");
        if (url.empty())
            return wrong_message(place + ".image_url", "must hold a url.");
        if (url.starts_with("data:") && url.substr(0, url.find(',')).find(";base64") == std::string::npos)
            return wrong_message(place + ".image_url", "must be in base64 where it holds its data.");
        return OrderedJson{{"type", "image"}, {"source", source_of(url)}};
    }
    if (type == "file") {
        const auto data = text_at(part.value("file", OrderedJson()), "file_data");
        if (!data.starts_with("data:application/pdf"))
            return wrong_message(place + ".file", "must be a PDF in file_data; the model takes no other files.");
        OrderedJson block = {{"type", "document"}, {"source", source_of(data)}};
        if (const auto name = text_at(part["file"], "filename"); !name.empty())
            block["title"] = name;
        return block;
    }
    return wrong_message(place, "is of the type '" + type.substr(0, 60) + "', which the model does not take.");
}

// Text blocks that are empty are refused there, so they are left out.
Result<OrderedJson> blocks_of(const OrderedJson& content, const std::string& place)
{
    auto blocks = OrderedJson::array();
    if (content.is_string()) {
        if (!content.get_ref<const std::string&>().empty())
            blocks.push_back(text_block(content.get<std::string>()));
        return blocks;
    }
    if (content.is_null())
        return blocks;
    if (!content.is_array())
        return wrong_message(place, "must be a text or a list of parts.");
    for (std::size_t i = 0; i < content.size(); ++i) {
        auto block = block_of(content[i], place + "[" + std::to_string(i) + "]");
        if (!block)
            return block.error();
        if (const auto mark = content[i].find("cache_control"); mark != content[i].end() && mark->is_object())
            (*block)["cache_control"] = *mark;   // of clients that know whom they talk to
        if ((*block)["type"] != "text" || (*block)["text"] != "")
            blocks.push_back(std::move(*block));
    }
    return blocks;
}

// Ids are of letters, digits, _ and - there; those of other providers stand for themselves in that form, the same for a call and its result.
std::string tool_id(const std::string& id)
{
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    return std::all_of(id.begin(), id.end(), fits) ? id : "toolu_" + hex(sha256(id)).substr(0, 32);
}

// Thinking of an earlier turn goes back unchanged. What another provider has signed or sealed would be refused.
void add_thinking(const OrderedJson& message, OrderedJson& blocks)
{
    const auto details = message.find("reasoning_details");
    if (details == message.end() || !details->is_array())
        return;
    for (const auto& detail : *details) {
        const auto type = text_at(detail, "type"), format = text_at(detail, "format");
        if (!format.empty() && format != thinking_format)
            continue;
        if (type == "reasoning.text" && !text_at(detail, "signature").empty())
            blocks.push_back({{"type", "thinking"},
                              {"thinking", text_at(detail, "text")},
                              {"signature", text_at(detail, "signature")}});
        else if (type == "reasoning.encrypted" && !text_at(detail, "data").empty())
            blocks.push_back({{"type", "redacted_thinking"}, {"data", text_at(detail, "data")}});
    }
}

Result<void> add_tool_uses(const OrderedJson& message, const std::string& place, OrderedJson& blocks, WrittenBy history)
{
    const auto calls = message.find("tool_calls");
    if (calls == message.end() || !calls->is_array())
        return {};
    for (std::size_t i = 0; i < calls->size(); ++i) {
        const auto& call = (*calls)[i];
        const auto here = place + ".tool_calls[" + std::to_string(i) + "].function";
        const auto function = call.is_object() ? call.value("function", OrderedJson()) : OrderedJson();
        if (text_at(function, "name").empty())
            return wrong_message(here + ".name", "must be there.");
        const auto text = text_at(function, "arguments");
        auto input = text.find_first_not_of(" \t\r\n") == std::string::npos ? OrderedJson::object()
                                                                            : OrderedJson::parse(text, nullptr, false);
        if (!input.is_object() && history == WrittenBy::agent)
            input = OrderedJson::object();  // the call's result tells the model what was wrong with it
        if (!input.is_object())
            return wrong_message(here + ".arguments", "must be a JSON object in a string.");
        blocks.push_back({{"type", "tool_use"},
                          {"id", tool_id(text_at(call, "id"))},
                          {"name", text_at(function, "name")},
                          {"input", std::move(input)}});
    }
    return {};
}

OrderedJson& turn_of(OrderedJson& turns, const char* role)
{
    if (turns.empty() || turns.back()["role"] != role)
        turns.push_back({{"role", role}, {"content", OrderedJson::array()}});
    return turns.back()["content"];
}

// All results of one assistant turn stand together, before any text.
void add_result(OrderedJson& turns, OrderedJson result)
{
    auto& blocks = turn_of(turns, "user");
    auto at = blocks.begin();
    while (at != blocks.end() && (*at)["type"] == "tool_result")
        ++at;
    blocks.insert(at, std::move(result));
}

Result<void> add_message(const OrderedJson& message, const std::string& place, WrittenBy history,
                         TranslatedMessages& into)
{
    if (!message.is_object())
        return wrong_message(place, "must be an object.");
    const auto role = text_at(message, "role");
    auto content = blocks_of(message.value("content", OrderedJson()), place + ".content");
    if (!content)
        return content.error();
    auto& blocks = *content;
    if (role == "system" || role == "developer") {
        for (auto& block : blocks) {
            if (block["type"] != "text")
                return wrong_message(place + ".content", "of the role " + role + " must be text.");
            into.system.push_back(std::move(block));
        }
        return {};
    }
    if (role == "tool") {
        OrderedJson result = {{"type", "tool_result"}, {"tool_use_id", tool_id(text_at(message, "tool_call_id"))}};
        if (!blocks.empty())
            result["content"] = std::move(blocks);
        if (message.value("is_error", OrderedJson()) == true)
            result["is_error"] = true;
        add_result(into.turns, std::move(result));
        return {};
    }
    if (role != "user" && role != "assistant")
        return wrong_message(place + ".role", "'" + role.substr(0, 60) + "' is unknown to the model.");
    auto all = OrderedJson::array();
    if (role == "assistant")
        add_thinking(message, all);
    if (role == "assistant" && blocks.empty())  // a turn that was refused is a turn
        if (auto refusal = text_at(message, "refusal"); !refusal.empty())
            blocks.push_back(text_block(refusal));
    for (auto& block : blocks)
        all.push_back(std::move(block));
    if (role == "assistant")
        if (auto added = add_tool_uses(message, place, all, history); !added)
            return added;
    if (all.empty())
        return {};
    auto& turn = turn_of(into.turns, role == "user" ? "user" : "assistant");
    for (auto& block : all)
        turn.push_back(std::move(block));
    return {};
}

}  // namespace

Result<TranslatedMessages> translate_messages(const OrderedJson& messages, WrittenBy history)
{
    TranslatedMessages all;
    if (!messages.is_array())
        return wrong_message("messages", "must be a list.");
    for (std::size_t i = 0; i < messages.size(); ++i)
        if (auto added = add_message(messages[i], "messages[" + std::to_string(i) + "]", history, all); !added)
            return added.error();
    return all;
}

}  // namespace dure::llm::anthropic

// OpenAI's answer form; see openai_chunks.hpp. Chunks are written as text, not through a document: this runs per token.
#include "api/chat/openai_chunks.hpp"

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"
#include "dure/base/text.hpp"

namespace dure::api {

namespace {

// A line stays well under 64 KiB even when every byte needs a six-byte escape (openai-clients §6.1).
constexpr std::size_t longest_delta = 10 * 1024;
constexpr std::size_t longest_detail = 120 * 1024;  // it cannot be cut; clients break at lines of 128 KiB

}  // namespace

ChunkWriter::ChunkWriter(std::string_view id, std::int64_t created, std::string_view model)
{
    head_ = "data: {\"id\":";
    append_json_string(head_, id);
    head_ += ",\"object\":\"chat.completion.chunk\",\"created\":" + std::to_string(created) + ",\"model\":";
    append_json_string(head_, model);
    head_ += ",\"choices\":[";
}

void ChunkWriter::role(std::string& out) const
{
    out += head_;
    out += R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})" "\n\n";
}

void ChunkWriter::text_delta(std::string& out, std::string_view key, std::string_view text) const
{
    while (!text.empty()) {
        const auto part = utf8_prefix(text, longest_delta);
        out += head_;
        out += R"({"index":0,"delta":{")";
        out += key;
        out += "\":";
        append_json_string(out, part);
        out += R"(},"logprobs":null,"finish_reason":null}]})" "\n\n";
        text.remove_prefix(part.size());
    }
}

void ChunkWriter::tool_call_delta(std::string& out, const model::ToolCallPiece& call) const
{
    std::string_view rest = call.arguments;
    bool first = true;
    do {
        const auto part = utf8_prefix(rest, longest_delta);
        out += head_;
        out += R"({"index":0,"delta":{"tool_calls":[{"index":)" + std::to_string(call.index);
        if (first && !call.id.empty()) {
            out += ",\"id\":";
            append_json_string(out, call.id);
            out += R"(,"type":"function")";
        }
        out += ",\"function\":{";
        if (first && !call.name.empty()) {
            out += "\"name\":";
            append_json_string(out, call.name);
            out += ',';
        }
        out += "\"arguments\":";
        append_json_string(out, part);
        out += R"(}}]},"logprobs":null,"finish_reason":null}]})" "\n\n";
        rest.remove_prefix(part.size());
        first = false;
    } while (!rest.empty());
}

void ChunkWriter::piece(std::string& out, const model::Piece& piece) const
{
    text_delta(out, "reasoning_content", piece.reasoning);
    text_delta(out, "content", piece.text);
    text_delta(out, "refusal", piece.refusal);
    for (const auto& call : piece.tool_calls)
        tool_call_delta(out, call);
}

void ChunkWriter::reasoning_details(std::string& out, const OrderedJson& details) const
{
    if (!details.is_array())
        return;
    for (const auto& detail : details) {
        const auto text = dump(detail);
        out += head_;
        out += R"({"index":0,"delta":{)";
        out += text.size() > longest_detail ? R"("dure_left_out":["reasoning_details"])"
                                            : "\"reasoning_details\":[" + text + "]";
        out += R"(},"logprobs":null,"finish_reason":null}]})"
               "\n\n";
    }
}

void ChunkWriter::status(std::string& out, const Status& status) const
{
    out += head_;
    out += R"(],"event":{"type":"status","data":{"description":)";
    append_json_string(out, utf8_prefix(status.description, longest_delta));
    out += status.done ? ",\"done\":true" : ",\"done\":false";
    out += status.hidden ? ",\"hidden\":true}}}\n\n" : "}}}\n\n";
}

void ChunkWriter::finish(std::string& out, std::string_view reason) const
{
    out += head_;
    out += R"({"index":0,"delta":{},"logprobs":null,"finish_reason":)";
    append_json_string(out, reason);
    out += "}]}\n\n";
}

void ChunkWriter::usage(std::string& out, const model::Usage& usage) const
{
    out += head_;
    out += "],\"usage\":" + dump(usage_json(usage)) + "}\n\n";
}

OrderedJson usage_json(const model::Usage& usage)
{
    OrderedJson prompt{{"cached_tokens", usage.cached_tokens}};
    if (usage.cache_write_tokens > 0)
        prompt["cache_write_tokens"] = usage.cache_write_tokens;
    return OrderedJson{{"prompt_tokens", usage.prompt_tokens},
                       {"completion_tokens", usage.completion_tokens},
                       {"total_tokens", usage.total()},
                       {"prompt_tokens_details", std::move(prompt)},
                       {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

std::string completion_json(std::string_view id, std::int64_t created, std::string_view model,
                            const model::Completion& completion)
{
    OrderedJson message{{"role", "assistant"}};
    message["content"] = completion.text.empty() && !completion.tool_calls.empty() ? OrderedJson(nullptr)
                                                                                  : OrderedJson(completion.text);
    message["refusal"] = completion.refusal.empty() ? OrderedJson(nullptr) : OrderedJson(completion.refusal);
    if (!completion.reasoning.empty())
        message["reasoning_content"] = completion.reasoning;
    if (completion.reasoning_details.is_array())
        message["reasoning_details"] = completion.reasoning_details;
    for (const auto& call : completion.tool_calls)
        message["tool_calls"].push_back(
            {{"id", call.id},
             {"type", "function"},
             {"function", {{"name", call.name}, {"arguments", call.arguments.empty() ? "{}" : call.arguments}}}});
    OrderedJson choice{{"index", 0}};
    choice["message"] = std::move(message);
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = completion.finish_reason;
    OrderedJson body{{"id", id}, {"object", "chat.completion"}, {"created", created}, {"model", model}};
    body["choices"].push_back(std::move(choice));
    body["usage"] = usage_json(completion.usage);
    return dump(body);
}

std::string new_completion_id()
{
    return "chatcmpl-" + random_base62(29);
}

}  // namespace dure::api

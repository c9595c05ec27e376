// What OpenAI-compatible servers answer, as bytes for ScriptedUpstream: completions, streams, embeddings, errors.
//
//   upstream.enqueue(stream_script({role_chunk(), text_chunk("Hel"), text_chunk("lo"), finish_chunk("stop")}));
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dure/base/json.hpp"
#include "support/scripted_upstream.hpp"

namespace dure::test {

inline Json usage_json(int prompt, int completion)
{
    return {{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}};
}

// The body of a chat.completion with one choice. `extra` is merged into its message (e.g. {"tool_calls": […]}).
inline std::string completion_body(std::string_view text, std::string_view finish = "stop", const Json& extra = Json::object())
{
    Json message = {{"role", "assistant"}, {"content", text}};
    message.update(extra);
    const Json choice = {{"index", 0}, {"message", message}, {"finish_reason", finish}};
    return Json{{"id", "chatcmpl-scripted"}, {"object", "chat.completion"}, {"created", 1700000000}, {"model", "scripted"},
                {"choices", Json::array({choice})}, {"usage", usage_json(7, 5)}}
        .dump();
}

inline Script completion_script(std::string_view text, const Fields& fields = {})
{
    return {send(http_answer(200, "application/json", completion_body(text), fields))};
}

inline Json tool_call_json(int index, std::string_view id, std::string_view name, std::string_view arguments)
{
    return {{"index", index}, {"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
}

// One chat.completion.chunk as an event.
inline std::string delta_chunk(const Json& delta, const Json& finish = nullptr)
{
    const Json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", finish}};
    const Json document = {{"id", "chatcmpl-scripted"}, {"object", "chat.completion.chunk"}, {"created", 1700000000},
                           {"model", "scripted"}, {"choices", Json::array({choice})}};
    return "data: " + document.dump() + "\n\n";
}

inline std::string role_chunk() { return delta_chunk({{"role", "assistant"}, {"content", ""}}); }
inline std::string text_chunk(std::string_view text) { return delta_chunk({{"content", text}}); }
inline std::string finish_chunk(std::string_view reason) { return delta_chunk(Json::object(), reason); }
inline std::string tool_chunk(const Json& call) { return delta_chunk({{"tool_calls", Json::array({call})}}); }

inline std::string usage_chunk(int prompt = 7, int completion = 5)
{
    const Json document = {{"id", "chatcmpl-scripted"}, {"object", "chat.completion.chunk"}, {"created", 1700000000},
                           {"model", "scripted"}, {"choices", Json::array()}, {"usage", usage_json(prompt, completion)}};
    return "data: " + document.dump() + "\n\n";
}

inline std::string done_event() { return "data: [DONE]\n\n"; }
inline std::string sse_data(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

inline std::string sse_head(const Fields& fields = {}) { return chunked_head(200, "text/event-stream", fields); }

// A whole stream, one HTTP chunk per event, `between` apart, with [DONE] and the last chunk.
inline Script stream_script(const std::vector<std::string>& events, std::chrono::milliseconds between = {})
{
    Script script{send(sse_head())};
    for (const std::string& event : events) {
        script.push_back(send(chunk(event)));
        if (between.count() > 0)
            script.push_back(pause(between));
    }
    script.push_back(send(chunk(done_event()) + last_chunk()));
    return script;
}

// The usual stream of a text: role, one chunk per word, finish, usage.
inline Script text_stream_script(std::string_view text, std::chrono::milliseconds between = {})
{
    std::vector<std::string> events{role_chunk()};
    while (!text.empty()) {
        const auto end = std::min(text.find(' ', 1), text.size());
        events.push_back(text_chunk(text.substr(0, end)));
        text.remove_prefix(end);
    }
    events.push_back(finish_chunk("stop"));
    events.push_back(usage_chunk());
    return stream_script(events, between);
}

inline std::string error_body(std::string_view message, std::string_view type, const Json& code = nullptr, const Json& param = nullptr)
{
    return Json{{"error", {{"message", message}, {"type", type}, {"param", param}, {"code", code}}}}.dump();
}

inline Script error_script(int status, std::string_view message, std::string_view type, const Json& code = nullptr,
                           const Fields& fields = {})
{
    return {send(http_answer(status, "application/json", error_body(message, type, code), fields))};
}

// Embeddings as floats, one vector per input.
inline Script embedding_script(const std::vector<std::vector<float>>& vectors)
{
    Json data = Json::array();
    for (const auto& vector : vectors)
        data.push_back({{"object", "embedding"}, {"index", data.size()}, {"embedding", vector}});
    const Json document = {{"object", "list"}, {"data", data}, {"model", "scripted"},
                           {"usage", {{"prompt_tokens", 3}, {"total_tokens", 3}}}};
    return {send(http_answer(200, "application/json", document.dump()))};
}

}  // namespace dure::test

// Renders an answer in OpenAI's form: chunks of a stream (openai-clients §6.2) and the whole object (§5).
#pragma once

#include <string>
#include <string_view>

#include "dure/model/chat.hpp"

namespace dure::api {

// A line of Open WebUI's about the answer that is being made (§10).
struct Status {
    std::string description;
    bool done = false;     // false: it is shown in motion
    bool hidden = false;   // as the last one it takes all of them from view
};

// The chunks of one answer: id, created and model are the same in all of them and rendered once.
class ChunkWriter {
public:
    ChunkWriter(std::string_view id, std::int64_t created, std::string_view model);

    // Each appends whole "data: …\n\n" events.
    void role(std::string& out) const;
    void piece(std::string& out, const model::Piece& piece) const;
    // What the provider wants back with the results of the calls, an array; nothing for null.
    void reasoning_details(std::string& out, const OrderedJson& details) const;
    void status(std::string& out, const Status& status) const;
    void finish(std::string& out, std::string_view reason) const;
    void usage(std::string& out, const model::Usage& usage) const;

private:
    void text_delta(std::string& out, std::string_view key, std::string_view text) const;
    void tool_call_delta(std::string& out, const model::ToolCallPiece& call) const;

    std::string head_;   // data: {"id":…,"object":…,"created":…,"model":…,"choices":[
};

inline constexpr std::string_view done_event = "data: [DONE]\n\n";

OrderedJson usage_json(const model::Usage& usage);

// The non-streamed answer.
std::string completion_json(std::string_view id, std::int64_t created, std::string_view model,
                            const model::Completion& completion);

// "chatcmpl-" and 29 characters.
std::string new_completion_id();

}  // namespace dure::api

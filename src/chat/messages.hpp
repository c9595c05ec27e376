// A client's message list, read without building a document where only little of it is needed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dure/chat/service.hpp"
#include "dure/model/chat.hpp"
#include "dure/schema/json_view.hpp"

namespace dure::chat {

bool is_empty_array(const schema::JsonView& view);

// Text of the first message, at most `bytes` of it: a part of the body, or of `room` where it had to be decoded or joined.
std::string_view first_text(std::span<const SentMessage> messages, std::size_t bytes, std::string& room);

// The newest user message of a conversation and where it stands.
struct UserTurn {
    std::string text;          // text parts joined by a line end
    std::string key;           // the same for every request of one turn: tool loops, regenerate, continue (hex SHA-256)
    std::int64_t number = 0;   // 1 for the first user message
};
// `message_id` (the client's id of the user message) makes the key when it is there; else the user texts up to here.
UserTurn newest_user_turn(std::span<const SentMessage> messages, std::string_view message_id);

// Errors name the place in param, e.g. "messages[2].tool_calls[0].function".
Result<std::vector<model::Message>> to_messages(const schema::JsonView& messages);
Result<std::vector<model::ToolDefinition>> to_tools(const schema::JsonView& tools);

}  // namespace dure::chat

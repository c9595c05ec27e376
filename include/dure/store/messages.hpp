// What was said in a session: messages and summaries. Reads see live sessions of the owner only; a summary of a session that is not
// the owner's, or is deleted, is not_found. A row per turn (question, answer, tools, cost) is the view chat_history of the messages.
#pragma once

#include <vector>

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

// What chat_history tells of a turn besides its messages.
struct TurnFacts {
    std::string_view user_text;
    std::string_view model;
    std::int64_t tokens_used = 0;
    std::int64_t cost_nano = 0;
    std::optional<std::string> tools_used = {};  // a JSON list
    std::string_view metadata = {};  // of the answer, when the caller has the text already
};

class Messages {
public:
    explicit Messages(sql::Connection& connection) : connection_(connection) {}

    // A turn: what was asked (null when the turn is recorded again: the messages have it already) and the answer. In the unit
    // of the Sessions::record_turn that counted the turn, which has found the session and holds it.
    Result<void> append_turn(const model::ChatMessage* question, const model::ChatMessage& answer,
                             const TurnFacts& facts);
    // Oldest first, bounded by page_text_bytes too; Page::after is the last message of the page before.
    Result<Listed<model::ChatMessage>> list(std::string_view session_id, std::string_view owner_id, const Page& page);
    // The newest `count` (at most 1000), oldest of them first. With after_turn: only later turns (behind a summary).
    Result<std::vector<model::ChatMessage>> newest(std::string_view session_id, std::string_view owner_id,
                                                   std::int64_t count, std::int64_t after_turn = 0);

private:
    sql::Connection& connection_;
};

class Summaries {
public:
    explicit Summaries(sql::Connection& connection) : connection_(connection) {}

    Result<void> append(const model::ConversationSummary& summary);
    // The newest 100, fewer where they are very long (page_text_bytes), oldest of them first.
    Result<std::vector<model::ConversationSummary>> list(std::string_view session_id, std::string_view owner_id);
    Result<std::optional<model::ConversationSummary>> newest(std::string_view session_id, std::string_view owner_id);

private:
    sql::Connection& connection_;
};

}  // namespace dure::store

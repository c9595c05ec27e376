// What was said in a session: messages, which Turns stores, and summaries. Reads see live sessions of the owner only; a summary of a session that is not
// the owner's, or is deleted, is not_found. A row per turn (question, answer, tools, cost) is the view chat_history of the messages.
#pragma once

#include <vector>

#include "dure/model/records.hpp"
#include "dure/sql/connection.hpp"
#include "dure/store/page.hpp"

namespace dure::store {

class Messages {
public:
    explicit Messages(sql::Connection& connection) : connection_(connection) {}

    // Oldest first, bounded by page_text_bytes too; Page::after is the last message of the page before.
    Result<Listed<model::ChatMessage>> list(std::string_view session_id, std::string_view owner_id, const Page& page);
    // The newest `count` (at most 1000), oldest of them first. With after_turn: only later turns (behind a summary).
    Result<std::vector<model::ChatMessage>> newest(std::string_view session_id, std::string_view owner_id,
                                                   std::int64_t count, std::int64_t after_turn = 0);
    // The same of at most `bytes` of texts (and 1000): the newest that fit, and one at least.
    Result<std::vector<model::ChatMessage>> newest_within(std::string_view session_id, std::string_view owner_id,
                                                          std::int64_t bytes, std::int64_t after_turn);

private:
    Result<sql::Rows> select_newest(std::string_view session_id, std::string_view owner_id, std::int64_t count,
                                    std::int64_t after_turn, std::optional<std::int64_t> bytes);

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

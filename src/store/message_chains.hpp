// The messages of a session on SQLite, where each names the one before it: SQL of the reads, as the beginning of a statement with a
// table `walk` of numbers. An index of all messages would have a page of its own for every session that is active, and each turn
// would write it; so the session names its last message, and the index chat_messages_by_session has one of 32.
// A read begins at its end and walks back. Places follow the order of time and id, by which pages are cut.
#pragma once

#include <string>

namespace dure::store {

// $1 the session, $3 and $4 the time and id behind which the page begins, $5 how many it holds. Some messages before the page and
// behind its end come along.
inline std::string walk_of_page()
{
    const std::string top = "COALESCE((SELECT number FROM chat_messages "
                            "WHERE session_id = $1 AND (created_at, id) > ($3, $4) AND place % 32 = 0 "
                            "ORDER BY created_at, id LIMIT 1 OFFSET $5 / 32 + 1), "
                            "(SELECT last_message FROM sessions WHERE id = $1))";
    return "WITH RECURSIVE known(low, top) AS MATERIALIZED (SELECT COALESCE((SELECT place FROM chat_messages "
           "WHERE session_id = $1 AND (created_at, id) <= ($3, $4) AND place % 32 = 0 "
           "ORDER BY created_at DESC, id DESC LIMIT 1), 0), " +
           top +
           "), walk(number, previous) AS ("
           "SELECT m.number, m.previous FROM known CROSS JOIN chat_messages m ON m.number = known.top UNION ALL "
           "SELECT m.number, m.previous FROM walk CROSS JOIN known CROSS JOIN chat_messages m "
           "ON m.number = walk.previous WHERE m.place > known.low) ";
}

// $1 the session, $4 how many.
inline std::string walk_of_newest()
{
    return "WITH RECURSIVE walk(number, previous, more) AS ("
           "SELECT m.number, m.previous, $4 - 1 FROM sessions s CROSS JOIN chat_messages m ON m.number = "
           "s.last_message "
           "WHERE s.id = $1 AND $4 > 0 UNION ALL "
           "SELECT m.number, m.previous, walk.more - 1 FROM walk CROSS JOIN chat_messages m ON m.number = "
           "walk.previous "
           "WHERE walk.more > 0) ";
}

}  // namespace dure::store

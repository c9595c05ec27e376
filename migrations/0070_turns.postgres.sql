-- What a recorded turn writes, in fewer places.

-- A row of the history has the id of the turn's answer among the messages and is found by it: without an index of its own.
UPDATE chat_history h SET id = answers.id
FROM (SELECT DISTINCT ON (m.session_id, m.turn, m.created_at) m.session_id, m.turn, m.created_at, m.id
      FROM chat_messages m WHERE m.role = 'assistant' ORDER BY m.session_id, m.turn, m.created_at, m.id) AS answers
WHERE answers.session_id = h.session_id AND answers.turn = h.turn AND answers.created_at = h.created_at
  AND h.id = (SELECT MIN(first.id) FROM chat_history first WHERE first.session_id = h.session_id AND first.turn = h.turn
              AND first.created_at = h.created_at);
DROP INDEX chat_history_by_session;

-- A turn is stored as its messages alone. What the history tells besides them (tokens, cost, model, tools; the question where the turn was
-- recorded again and the messages have it once) stands with the answer, and chat_history is a view; the rows of before stay.

ALTER TABLE chat_messages ADD COLUMN tokens_used BIGINT;  -- of an answer of a turn; NULL: no turn's, or one of before
ALTER TABLE chat_messages ADD COLUMN cost_nano BIGINT;
ALTER TABLE chat_messages ADD COLUMN model_used TEXT;
ALTER TABLE chat_messages ADD COLUMN tools_used TEXT;  -- a JSON list; NULL: none
ALTER TABLE chat_messages ADD COLUMN asked TEXT;  -- the question of a turn recorded again

ALTER TABLE chat_history RENAME TO chat_history_before;

CREATE VIEW chat_history AS
SELECT m.id, m.session_id, m.owner_id, m.turn,
    COALESCE(h.user_message, m.asked,
        (SELECT q.content FROM chat_messages q WHERE q.session_id = m.session_id AND q.created_at <= m.created_at
         AND q.turn = m.turn AND q.role = 'user' ORDER BY q.created_at DESC, q.id DESC LIMIT 1), '') AS user_message,
    COALESCE(h.assistant_message, m.content) AS assistant_message,
    COALESCE(h.tools_used, m.tools_used, '[]') AS tools_used,
    COALESCE(h.model_used, m.model_used) AS model_used,
    COALESCE(h.tokens_used, m.tokens_used) AS tokens_used,
    COALESCE(h.cost_nano, m.cost_nano) AS cost_nano,
    m.created_at,
    COALESCE(h.metadata, m.metadata) AS metadata
FROM chat_messages m LEFT JOIN chat_history_before h ON h.id = m.id
WHERE m.tokens_used IS NOT NULL OR h.id IS NOT NULL;

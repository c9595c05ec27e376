-- Messages of a session as a chain: each names the one before it, the session names its last, and an index has one message of 32 only.
-- With an index of all of them every turn wrote a page of its own there, nearly half of what a stored turn wrote.

ALTER TABLE sessions ADD COLUMN messages BIGINT NOT NULL DEFAULT 0;  -- how many it has
ALTER TABLE sessions ADD COLUMN last_message BIGINT;  -- chat_messages.number; NULL: none yet

CREATE TABLE chat_messages_chained (
    number      INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,  -- made by the server; nothing is found by it
    session_id  TEXT NOT NULL REFERENCES sessions (id),
    owner_id    TEXT NOT NULL,
    -- Before the content: a walk reads these of messages that are not asked for, and what stands behind a long text is found by
    -- reading all its pages.
    previous    BIGINT,  -- number of the session's message before; NULL: this is its first
    place       BIGINT NOT NULL,  -- among the session's messages, from 1
    turn        BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    role        TEXT NOT NULL,
    content     TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    tokens_used BIGINT,
    cost_nano   BIGINT,
    model_used  TEXT,
    tools_used  TEXT,
    asked       TEXT
);

-- Session by session, so that each message is numbered right behind the one before it.
INSERT INTO chat_messages_chained (number, id, session_id, owner_id, role, content, turn, created_at, metadata, previous, place,
    tokens_used, cost_nano, model_used, tools_used, asked)
SELECT ROW_NUMBER() OVER (), id, session_id, owner_id, role, content, turn, created_at, metadata,
    CASE WHEN place > 1 THEN ROW_NUMBER() OVER () - 1 END, place, tokens_used, cost_nano, model_used, tools_used, asked
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY session_id ORDER BY created_at, id) AS place FROM chat_messages);

UPDATE sessions SET messages = known.messages, last_message = known.last_message
FROM (SELECT session_id, MAX(place) AS messages, MAX(number) AS last_message FROM chat_messages_chained GROUP BY session_id) AS known
WHERE known.session_id = sessions.id;

DROP VIEW chat_history;
DROP TABLE chat_messages;
ALTER TABLE chat_messages_chained RENAME TO chat_messages;
CREATE INDEX chat_messages_by_session ON chat_messages (session_id, created_at, id) WHERE place % 32 = 0;

-- A turn's question stands right before its answer.
CREATE VIEW chat_history AS
SELECT m.id, m.session_id, m.owner_id, m.turn,
    COALESCE(h.user_message, m.asked,
        (SELECT q.content FROM chat_messages q WHERE q.number = m.previous AND q.turn = m.turn AND q.role = 'user'), '') AS user_message,
    COALESCE(h.assistant_message, m.content) AS assistant_message,
    COALESCE(h.tools_used, m.tools_used, '[]') AS tools_used,
    COALESCE(h.model_used, m.model_used) AS model_used,
    COALESCE(h.tokens_used, m.tokens_used) AS tokens_used,
    COALESCE(h.cost_nano, m.cost_nano) AS cost_nano,
    m.created_at,
    COALESCE(h.metadata, m.metadata) AS metadata,
    m.number AS message
FROM chat_messages m LEFT JOIN chat_history_before h ON h.id = m.id
WHERE m.tokens_used IS NOT NULL OR h.id IS NOT NULL;

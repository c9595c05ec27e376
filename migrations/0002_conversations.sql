-- Conversations. owner_id refers to no table: the local user of a server without accounts has no row.

CREATE TABLE sessions (
    id                  TEXT PRIMARY KEY,
    token               TEXT NOT NULL UNIQUE,
    owner_id            TEXT NOT NULL,
    title               TEXT NOT NULL,
    model               TEXT NOT NULL,
    flow_id             TEXT,
    client_chat_id      TEXT,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    is_active           INTEGER NOT NULL,
    conversation_turns  BIGINT NOT NULL,
    max_turns           BIGINT NOT NULL,
    turns_since_summary BIGINT NOT NULL,
    last_turn_key       TEXT NOT NULL
);

CREATE INDEX sessions_by_owner ON sessions (owner_id, created_at, id);
-- A deleted session frees the client's id.
CREATE UNIQUE INDEX sessions_by_client_chat ON sessions (owner_id, client_chat_id) WHERE is_active = 1;

CREATE TABLE chat_messages (
    id         TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id),
    owner_id   TEXT NOT NULL,
    role       TEXT NOT NULL,
    content    TEXT NOT NULL,
    turn       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    metadata   TEXT NOT NULL
);

CREATE INDEX chat_messages_by_session ON chat_messages (session_id, created_at, id);

CREATE TABLE conversation_summaries (
    id         TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id),
    owner_id   TEXT NOT NULL,
    content    TEXT NOT NULL,
    up_to_turn BIGINT NOT NULL,
    model      TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX conversation_summaries_by_session ON conversation_summaries (session_id, created_at, id);

CREATE TABLE chat_history (
    id                TEXT PRIMARY KEY,
    session_id        TEXT NOT NULL REFERENCES sessions (id),
    owner_id          TEXT NOT NULL,
    turn              BIGINT NOT NULL,
    user_message      TEXT NOT NULL,
    assistant_message TEXT NOT NULL,
    tools_used        TEXT NOT NULL,
    model_used        TEXT NOT NULL,
    tokens_used       BIGINT NOT NULL,
    cost_nano         BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    metadata          TEXT NOT NULL
);

CREATE INDEX chat_history_by_session ON chat_history (session_id, created_at, id);

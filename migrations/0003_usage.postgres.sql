-- Usage rows come in masses: an ascending integer key and no second index keep the writes at the end of the table.

CREATE TABLE usage (
    id                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id           TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    model             TEXT NOT NULL,
    target            TEXT NOT NULL,
    session_id        TEXT,
    status            TEXT NOT NULL,
    prompt_tokens     BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cached_tokens     BIGINT NOT NULL,
    reasoning_tokens  BIGINT NOT NULL,
    estimated         INTEGER NOT NULL,
    cost_nano         BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    request_id        TEXT NOT NULL,
    duration_ms       BIGINT NOT NULL,
    endpoint          TEXT NOT NULL
);

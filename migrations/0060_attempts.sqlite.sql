-- One row for each attempt at a model provider. Rows come in masses: an ascending integer key and no second index keep the
-- writes at the end of the table.

CREATE TABLE attempts (
    id                  INTEGER PRIMARY KEY,
    request_id          TEXT NOT NULL,
    user_id             TEXT NOT NULL,
    model               TEXT NOT NULL,
    target              TEXT NOT NULL,
    provider_key        BIGINT NOT NULL,
    number              BIGINT NOT NULL,
    class               TEXT NOT NULL,
    status              BIGINT NOT NULL,
    upstream_request_id TEXT NOT NULL,
    started_at          BIGINT NOT NULL,
    first_output_ms     BIGINT,
    duration_ms         BIGINT NOT NULL,
    prompt_tokens       BIGINT NOT NULL,
    completion_tokens   BIGINT NOT NULL,
    cached_tokens       BIGINT NOT NULL,
    reasoning_tokens    BIGINT NOT NULL,
    estimated           INTEGER NOT NULL,
    cost_nano           BIGINT NOT NULL,
    price_version       TEXT NOT NULL
);

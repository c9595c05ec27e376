-- Access tokens that were ended before their time (logout), kept until they would have expired anyway.

CREATE TABLE ended_tokens (
    jti        TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);

CREATE INDEX ended_tokens_by_end ON ended_tokens (expires_at);
CREATE INDEX ended_tokens_by_user ON ended_tokens (user_id);

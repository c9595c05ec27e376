-- Accounts: roles, users, API keys. Times are UTC milliseconds, flags 0/1, lists JSON texts.

CREATE TABLE roles (
    name        TEXT PRIMARY KEY,
    permissions TEXT,                -- JSON list; NULL: built in, the server defines them
    builtin     INTEGER NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

INSERT INTO roles (name, permissions, builtin, created_at, updated_at) VALUES
    ('user', NULL, 1, 0, 0),
    ('developer', NULL, 1, 0, 0),
    ('admin', NULL, 1, 0, 0);

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL UNIQUE,    -- lower case: what is unique
    username      TEXT,
    username_key  TEXT UNIQUE,
    role          TEXT NOT NULL REFERENCES roles (name),
    password_hash TEXT,
    is_active     INTEGER NOT NULL,
    is_verified   INTEGER NOT NULL,
    token_version BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);

CREATE INDEX users_by_role ON users (role);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    owner_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    prefix       TEXT NOT NULL,
    permissions  TEXT,                     -- JSON list; NULL: all of the owner's
    models       TEXT,                     -- JSON list; NULL: all
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

CREATE INDEX api_keys_by_owner ON api_keys (owner_id, created_at, id);

-- Flows. `flows` is narrow: what lists show and filter by; documents lie in flow_versions, one row per save, never changed.
-- Texts sort and compare by bytes, as on SQLite. Times are UTC milliseconds.

CREATE TABLE flows (
    id                TEXT COLLATE "C" PRIMARY KEY,
    owner_id          TEXT COLLATE "C" NOT NULL,
    flow_type         TEXT NOT NULL,
    name              TEXT COLLATE "C" NOT NULL,
    slug              TEXT COLLATE "C" NOT NULL,
    description       TEXT NOT NULL,
    category          TEXT COLLATE "C" NOT NULL,
    tags              TEXT NOT NULL,
    search_text       TEXT NOT NULL,
    is_active         INTEGER NOT NULL,
    version           BIGINT NOT NULL,
    revision          BIGINT NOT NULL,
    published_version BIGINT,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    deleted_at        BIGINT
);

-- A deleted flow frees its slug.
CREATE UNIQUE INDEX flows_by_slug ON flows (slug) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_time ON flows (owner_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_name ON flows (owner_id, name) WHERE deleted_at IS NULL;

CREATE TABLE flow_tags (
    flow_id TEXT COLLATE "C" NOT NULL REFERENCES flows (id),
    tag     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (flow_id, tag)
);

CREATE TABLE flow_versions (
    flow_id    TEXT COLLATE "C" NOT NULL REFERENCES flows (id),
    version    BIGINT NOT NULL,
    document   TEXT NOT NULL,
    saved_by   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (flow_id, version)
);

-- Events of an aggregate as a chain: each names the one before it, a small row per aggregate names its last, and an index has one event of
-- 32 only. With an index of all of them every append wrote a page of its own there, a third of what a stored turn wrote.

CREATE TABLE event_aggregates (
    aggregate_id   TEXT NOT NULL,
    aggregate_type TEXT NOT NULL,
    version        BIGINT NOT NULL,  -- of the last event
    position       BIGINT NOT NULL,
    PRIMARY KEY (aggregate_id, aggregate_type)
) WITHOUT ROWID;

INSERT INTO event_aggregates (aggregate_id, aggregate_type, version, position)
SELECT aggregate_id, aggregate_type, MAX(version), position FROM events GROUP BY aggregate_id, aggregate_type;

CREATE TABLE events_chained (
    position       INTEGER PRIMARY KEY,
    event_id       TEXT NOT NULL UNIQUE,
    aggregate_id   TEXT NOT NULL,
    aggregate_type TEXT NOT NULL,
    version        BIGINT NOT NULL,
    previous       BIGINT,  -- position of the aggregate's event before; NULL: this is its first
    event_type     TEXT NOT NULL,
    data           TEXT NOT NULL,
    metadata       TEXT NOT NULL,
    owner_id       TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    created_at     BIGINT NOT NULL
);

INSERT INTO events_chained (position, event_id, aggregate_id, aggregate_type, version, previous, event_type, data, metadata, owner_id,
    user_id, created_at)
SELECT e.position, e.event_id, e.aggregate_id, e.aggregate_type, e.version,
    (SELECT b.position FROM events b WHERE b.aggregate_id = e.aggregate_id AND b.aggregate_type = e.aggregate_type
     AND b.version < e.version ORDER BY b.version DESC LIMIT 1),
    e.event_type, e.data, e.metadata, e.owner_id, e.user_id, e.created_at
FROM events e ORDER BY e.position;
DROP TABLE events;
ALTER TABLE events_chained RENAME TO events;
CREATE INDEX events_by_owner ON events (owner_id, position);
CREATE INDEX events_by_user ON events (user_id, position);
CREATE INDEX events_by_type ON events (event_type, position);
CREATE UNIQUE INDEX events_by_aggregate ON events (aggregate_id, aggregate_type, version) WHERE version % 32 = 0;

-- The event store. Rows are only ever added. data and metadata are JSON objects, times UTC milliseconds.

CREATE TABLE events (
    position       BIGINT PRIMARY KEY,
    event_id       TEXT NOT NULL UNIQUE,
    aggregate_id   TEXT NOT NULL,
    aggregate_type TEXT NOT NULL,
    version        BIGINT NOT NULL,
    event_type     TEXT NOT NULL,
    data           TEXT NOT NULL,
    metadata       TEXT NOT NULL,
    owner_id       TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    UNIQUE (aggregate_id, aggregate_type, version)
);

CREATE INDEX events_by_owner ON events (owner_id, position);
CREATE INDEX events_by_user ON events (user_id, position);
CREATE INDEX events_by_type ON events (event_type, position);

-- The one row whose lock an append takes and holds until its commit: positions become visible in their order.
CREATE TABLE event_position (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);

INSERT INTO event_position (id, position) VALUES (1, 0);

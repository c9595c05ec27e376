-- What a recorded turn writes, in fewer places.

-- A row of the history has the id of the turn's answer among the messages and is found by it: without an index of its own.
UPDATE OR IGNORE chat_history SET id = (
    SELECT m.id FROM chat_messages m WHERE m.session_id = chat_history.session_id AND m.created_at = chat_history.created_at
    AND m.turn = chat_history.turn AND m.role = 'assistant' ORDER BY m.id LIMIT 1)
WHERE EXISTS (
    SELECT 1 FROM chat_messages m WHERE m.session_id = chat_history.session_id AND m.created_at = chat_history.created_at
    AND m.turn = chat_history.turn AND m.role = 'assistant');
DROP INDEX chat_history_by_session;

-- There is one writer: the next position follows from the rows, and the position is the row's own number.
CREATE TABLE events_in_order (
    position       INTEGER PRIMARY KEY,
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

INSERT INTO events_in_order (position, event_id, aggregate_id, aggregate_type, version, event_type, data, metadata, owner_id,
    user_id, created_at)
SELECT position, event_id, aggregate_id, aggregate_type, version, event_type, data, metadata, owner_id, user_id, created_at
FROM events ORDER BY position;
DROP TABLE events;
ALTER TABLE events_in_order RENAME TO events;
CREATE INDEX events_by_owner ON events (owner_id, position);
CREATE INDEX events_by_user ON events (user_id, position);
CREATE INDEX events_by_type ON events (event_type, position);
DROP TABLE event_position;

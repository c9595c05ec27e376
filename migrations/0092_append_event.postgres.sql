-- One append, in one round trip: the lock of the global order is taken, and everything that has to be seen under it is seen, since
-- each statement of a function has a snapshot of its own. No position: refused (another version than expected, or the id is known) and
-- nothing changed; newest_version is then the aggregate's newest, else the event's own.

CREATE FUNCTION append_event(new_event_id TEXT, new_aggregate_id TEXT, new_aggregate_type TEXT, expected_version BIGINT,
                             new_event_type TEXT, new_data TEXT, new_metadata TEXT, new_owner_id TEXT, new_user_id TEXT,
                             new_created_at BIGINT)
RETURNS TABLE (taken_position BIGINT, newest_version BIGINT)
-- Who shares a transaction does not wait long for rows, but for its turn in the order.
LANGUAGE plpgsql SET lock_timeout = 0 AS $append_event$
BEGIN
    UPDATE event_position SET position = position + 1 WHERE id = 1 RETURNING position INTO STRICT taken_position;
    SELECT COALESCE(MAX(version), 0) INTO newest_version FROM events
    WHERE aggregate_id = new_aggregate_id AND aggregate_type = new_aggregate_type;
    IF expected_version IS NULL OR expected_version = newest_version THEN
        INSERT INTO events (position, event_id, aggregate_id, aggregate_type, version, event_type, data, metadata, owner_id, user_id,
                            created_at)
        VALUES (taken_position, new_event_id, new_aggregate_id, new_aggregate_type, newest_version + 1, new_event_type, new_data,
                new_metadata, new_owner_id, new_user_id, new_created_at)
        ON CONFLICT (event_id) DO NOTHING;
        IF FOUND THEN
            newest_version := newest_version + 1;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    UPDATE event_position SET position = position - 1 WHERE id = 1;
    taken_position := NULL;
    RETURN NEXT;
END
$append_event$;

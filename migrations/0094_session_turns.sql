-- Which of a session's executions left its state last: executions that go at once end in another order than they began.

ALTER TABLE executions ADD COLUMN session_turn BIGINT NOT NULL DEFAULT 0;
CREATE INDEX executions_by_session ON executions (flow_id, owner_id, session_id, session_turn, id)
WHERE session_id <> '' AND status = 'succeeded';

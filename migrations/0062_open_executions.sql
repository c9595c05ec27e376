-- What is queued or works, for the look at those that ended without their worker: few, whatever waits for people.
CREATE INDEX executions_open ON executions (id) WHERE status IN ('queued', 'running');

-- What an execution may use: {"permissions": [...], "models": [...] or null}; empty: of executions from before, all that its owner may.
ALTER TABLE executions ADD COLUMN rights TEXT NOT NULL DEFAULT '';
-- How often a person has put it back into the queue after it had failed or was cancelled.
ALTER TABLE executions ADD COLUMN retries BIGINT NOT NULL DEFAULT 0;

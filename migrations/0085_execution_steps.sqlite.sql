-- Steps by the node they were visits of: one key, by which the next visit is found too, in the place of two.

CREATE TABLE execution_steps_by_node (
    execution_id TEXT NOT NULL,
    task_id      TEXT NOT NULL,
    node_id      TEXT NOT NULL,
    number       BIGINT NOT NULL,
    visit        BIGINT NOT NULL,
    step         BIGINT NOT NULL,
    status       TEXT NOT NULL,
    input        TEXT NOT NULL,
    output       TEXT NOT NULL,
    error        TEXT,
    started_at   BIGINT NOT NULL,
    duration_ms  BIGINT NOT NULL,
    tokens       BIGINT NOT NULL,
    cost_nano    BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    PRIMARY KEY (execution_id, node_id, task_id)
);
INSERT INTO execution_steps_by_node (execution_id, task_id, node_id, number, visit, step, status, input, output, error,
                                     started_at, duration_ms, tokens, cost_nano, attempts)
    SELECT execution_id, task_id, node_id, number, visit, step, status, input, output, error,
           started_at, duration_ms, tokens, cost_nano, attempts FROM execution_steps;
DROP TABLE execution_steps;
ALTER TABLE execution_steps_by_node RENAME TO execution_steps;

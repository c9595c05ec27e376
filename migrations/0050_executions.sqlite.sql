-- Executions of flows. The id is also that of the run and of the thread in graph_runs, whose row is the queue; here stands what the
-- world sees of it. Texts compare by bytes, as on PostgreSQL with its collation "C". Times are UTC milliseconds, cost is in billionths of a USD.

CREATE TABLE executions (
    id              TEXT PRIMARY KEY,
    owner_id        TEXT NOT NULL,
    flow_id         TEXT NOT NULL,
    flow_slug       TEXT NOT NULL,
    flow_version    BIGINT NOT NULL,
    flow_type       TEXT NOT NULL,
    pins            TEXT NOT NULL,
    status          TEXT NOT NULL,
    user_label      TEXT NOT NULL,
    session_id      TEXT NOT NULL,
    message         TEXT NOT NULL,
    inputs          TEXT NOT NULL,
    facts           TEXT NOT NULL,
    output          TEXT,
    error           TEXT,
    waiting         TEXT,
    limits          TEXT NOT NULL,
    idempotency_key TEXT,
    request_hash    TEXT NOT NULL,
    forked_from     TEXT,
    forked_step     BIGINT,
    created_at      BIGINT NOT NULL,
    started_at      BIGINT,
    ended_at        BIGINT,
    updated_at      BIGINT NOT NULL,
    active_since    BIGINT,
    active_ms       BIGINT NOT NULL,
    crashes         BIGINT NOT NULL,
    crashed_at      BIGINT NOT NULL,
    wake_at         BIGINT
);

CREATE INDEX executions_by_owner ON executions (owner_id, id);
CREATE INDEX executions_by_flow ON executions (flow_id, owner_id, id);
CREATE INDEX executions_by_status ON executions (owner_id, status, id);
CREATE INDEX executions_to_wake ON executions (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX executions_by_end ON executions (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX executions_by_key ON executions (owner_id, flow_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- One row per node of the flow that came to an end in a task of the graph: the same row when the task runs again.
CREATE TABLE execution_steps (
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
    PRIMARY KEY (execution_id, task_id, node_id)
);

CREATE UNIQUE INDEX execution_steps_by_visit ON execution_steps (execution_id, node_id, visit);

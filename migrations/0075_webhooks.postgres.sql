-- Ends of runs that are still to be posted to the address the run began with. due_at: when the next try may begin; while one is
-- made, when it counts as lost. A row goes when the receiver has taken it, or after the last try.

CREATE TABLE graph_webhooks (
    id         TEXT COLLATE "C" PRIMARY KEY,
    run_id     TEXT COLLATE "C" NOT NULL,
    graph      TEXT NOT NULL,
    url        TEXT NOT NULL,
    body       TEXT NOT NULL,
    tries      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL
);

CREATE INDEX graph_webhooks_due ON graph_webhooks (due_at);

ALTER TABLE executions ADD COLUMN webhook TEXT NOT NULL DEFAULT '';

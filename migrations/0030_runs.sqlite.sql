-- Durable threads of graphs. Ids, namespaces and names compare by bytes. A checkpoint names, for each channel, the checkpoint
-- that wrote its value; the data lies once in graph_channel_writes, whole or as a delta over the data of `base`.

CREATE TABLE graph_checkpoints (
    thread_id     TEXT NOT NULL,
    ns            TEXT NOT NULL,
    id            TEXT NOT NULL,
    parent        TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    step          BIGINT NOT NULL,
    source        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    graph_version TEXT NOT NULL,
    frontier      TEXT NOT NULL,
    metadata      TEXT NOT NULL,
    versions      TEXT NOT NULL,
    PRIMARY KEY (thread_id, ns, id)
) WITHOUT ROWID;

CREATE TABLE graph_channel_writes (
    thread_id     TEXT NOT NULL,
    ns            TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    channel       TEXT NOT NULL,
    base          TEXT NOT NULL,
    deltas        BIGINT NOT NULL,
    data          TEXT NOT NULL,
    PRIMARY KEY (thread_id, ns, checkpoint_id, channel)
);

-- What is durable about the tasks of an open superstep.
CREATE TABLE graph_pending_writes (
    thread_id     TEXT NOT NULL,
    ns            TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    key           TEXT NOT NULL,
    data          TEXT NOT NULL,
    PRIMARY KEY (thread_id, ns, checkpoint_id, task_id, kind, key)
);

-- One row per thread that runs were started on: who owns it, and the lock that orders the starts.
CREATE TABLE graph_threads (
    id         TEXT PRIMARY KEY,
    owner_id   TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- The row is the queue. A worker holds a run by its epoch until lease_until; who claims it next counts the epoch up.
CREATE TABLE graph_runs (
    id          TEXT PRIMARY KEY,
    thread_id   TEXT NOT NULL,
    owner_id    TEXT NOT NULL,
    graph       TEXT NOT NULL,
    input       TEXT NOT NULL,
    options     TEXT NOT NULL,
    status      TEXT NOT NULL,
    worker      TEXT NOT NULL,
    epoch       BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    crashes     BIGINT NOT NULL,
    crashed_at  TEXT NOT NULL,
    stop        TEXT NOT NULL,
    error       TEXT,
    output      TEXT,
    created_at  BIGINT NOT NULL,
    started_at  BIGINT,
    ended_at    BIGINT
);

CREATE INDEX graph_runs_by_thread ON graph_runs (thread_id, id);
CREATE INDEX graph_runs_open ON graph_runs (thread_id, id) WHERE status IN ('pending', 'running');
CREATE INDEX graph_runs_waiting ON graph_runs (id) WHERE status = 'pending';
CREATE INDEX graph_runs_held ON graph_runs (lease_until) WHERE status = 'running';
CREATE UNIQUE INDEX graph_runs_one_per_thread ON graph_runs (thread_id) WHERE status = 'running';

-- What a run told, by its number.
CREATE TABLE graph_run_events (
    run_id TEXT NOT NULL,
    seq    BIGINT NOT NULL,
    ns     TEXT NOT NULL,
    mode   TEXT NOT NULL,
    data   TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- Values shared by threads. ns holds the namespace's parts, each ended by U+001F, so that a prefix is a range of texts.
CREATE TABLE graph_store (
    ns         TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (ns, key)
);

CREATE INDEX graph_store_by_end ON graph_store (expires_at) WHERE expires_at IS NOT NULL;

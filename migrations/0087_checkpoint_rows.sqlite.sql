-- Checkpoints in the order they are written, found by an index. As the leaves of a tree by thread (WITHOUT ROWID) their rows of one to
-- two KB went to overflow pages, of which two thirds stayed empty, and every superstep moved its neighbours: four pages of the log each.

CREATE TABLE graph_checkpoints_in_order (
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
);

INSERT INTO graph_checkpoints_in_order (thread_id, ns, id, parent, run_id, step, source, created_at, graph_version, frontier, metadata,
    versions)
SELECT thread_id, ns, id, parent, run_id, step, source, created_at, graph_version, frontier, metadata, versions
FROM graph_checkpoints;
DROP TABLE graph_checkpoints;
ALTER TABLE graph_checkpoints_in_order RENAME TO graph_checkpoints;

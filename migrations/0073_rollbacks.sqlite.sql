-- What stood open on a run's thread when the run began, so that a rollback can put it back: answers, results and questions of
-- checkpoints that older runs made. Usually empty.

CREATE TABLE graph_rollbacks (
    run_id        TEXT NOT NULL,
    thread_id     TEXT NOT NULL,
    ns            TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    key           TEXT NOT NULL,
    data          TEXT NOT NULL,
    PRIMARY KEY (thread_id, run_id, ns, checkpoint_id, task_id, kind, key)
) WITHOUT ROWID;

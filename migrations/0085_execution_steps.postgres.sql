-- Steps by the node they were visits of: one key, by which the next visit is found too, in the place of two.

ALTER TABLE execution_steps DROP CONSTRAINT execution_steps_pkey;
ALTER TABLE execution_steps ADD PRIMARY KEY (execution_id, node_id, task_id);
DROP INDEX execution_steps_by_visit;

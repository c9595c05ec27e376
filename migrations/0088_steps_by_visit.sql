-- The newest visit of a node without reading all of them: an iteration over thousands of items asks at each.

CREATE INDEX execution_steps_by_visit ON execution_steps (execution_id, node_id, visit);

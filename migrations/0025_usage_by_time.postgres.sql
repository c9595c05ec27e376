-- Reports ask for a span of time. Rows stand nearly in the order of their times: the ranges of blocks are enough.

CREATE INDEX usage_by_time ON usage USING brin (created_at) WITH (pages_per_range = 32);

-- Reports ask for a span of time. The times of new rows ascend, so that their place in the index is its end as well.

CREATE INDEX usage_by_time ON usage (created_at);

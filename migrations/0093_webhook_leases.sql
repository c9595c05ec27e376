-- While a try is made: when it counts as lost, in the clock of leases. due_at stays in the wall clock: when the next try may begin.

ALTER TABLE graph_webhooks ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;

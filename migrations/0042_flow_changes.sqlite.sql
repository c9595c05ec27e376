-- Counts the changes of each owner's flows that can change what a list finds: a total that was counted stays true as long
-- as this number does.

CREATE TABLE flow_changes (
    owner_id TEXT PRIMARY KEY,
    changes  BIGINT NOT NULL
);

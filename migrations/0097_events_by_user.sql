-- What somebody does is mostly about what they own, and found by its owner: an index of these events would be written once more for each.

DROP INDEX events_by_user;
CREATE INDEX events_by_user ON events (user_id, position) WHERE user_id <> owner_id;

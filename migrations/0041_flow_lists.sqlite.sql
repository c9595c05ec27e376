-- Lists of flows without looking into rows: an index per order and filter, and tags as one text in the index of the default
-- order (each tag as a JSON string between unit separators, which JSON never has inside of a string).

ALTER TABLE flows ADD COLUMN tag_text TEXT NOT NULL DEFAULT '';
UPDATE flows SET tag_text = COALESCE((SELECT char(31) || group_concat(json_quote(value), char(31)) || char(31)
                                      FROM json_each(flows.tags)), '');
DROP TABLE flow_tags;

DROP INDEX flows_by_time;
DROP INDEX flows_by_name;
CREATE INDEX flows_by_time ON flows (owner_id, updated_at, id, flow_type, category, is_active, tag_text) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_creation ON flows (owner_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_name ON flows (owner_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_type ON flows (owner_id, flow_type, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_category ON flows (owner_id, category, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_activity ON flows (owner_id, is_active, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_published ON flows (owner_id, slug) WHERE deleted_at IS NULL AND published_version IS NOT NULL;

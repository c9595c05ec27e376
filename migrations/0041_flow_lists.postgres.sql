-- Lists of flows without looking into rows: an index per order and filter, and tags as one text (each tag as a JSON string
-- between unit separators, which JSON never has inside of a string).

ALTER TABLE flows ADD COLUMN tag_text TEXT NOT NULL DEFAULT '';
UPDATE flows SET tag_text = COALESCE((SELECT chr(31) || string_agg(to_json(tag)::text, chr(31)) || chr(31)
                                      FROM json_array_elements_text(flows.tags::json) AS tag), '');
DROP TABLE flow_tags;

DROP INDEX flows_by_name;
CREATE INDEX flows_by_creation ON flows (owner_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_name ON flows (owner_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_type ON flows (owner_id, flow_type, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_category ON flows (owner_id, category, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_by_activity ON flows (owner_id, is_active, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX flows_published ON flows (owner_id, slug) WHERE deleted_at IS NULL AND published_version IS NOT NULL;

-- By which turn a question was asked: 64 bits of a hash of its key (store::mark_of). NULL: of an answer, or of before.

ALTER TABLE chat_messages ADD COLUMN turn_mark BIGINT;
CREATE INDEX chat_messages_by_mark ON chat_messages (session_id, turn_mark) WHERE turn_mark IS NOT NULL;

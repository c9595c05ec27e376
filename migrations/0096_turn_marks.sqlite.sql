-- By which turn a question was asked: 64 bits of a hash of its key (store::mark_of). NULL: of an answer, or of before.
-- No index: each turn would write a page of it. Who stores a turn knows the marks of its session.

ALTER TABLE chat_messages ADD COLUMN turn_mark BIGINT;

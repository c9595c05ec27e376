-- What a user spent today is read from the newest rows, and a range of blocks that is not summed up is read whole: each is summed
-- up when it is full, not only by the next vacuum.

ALTER INDEX usage_by_time SET (autosummarize = on);
SELECT brin_summarize_new_values('usage_by_time');

-- What is left of the tables of 0.2 for those of `deliveries.sql`, which are made between the two halves of this file.
CREATE TEMP TABLE numbered AS SELECT number, kind, idempotency_key FROM change;
CREATE TEMP TABLE old_counter AS SELECT purged FROM change_counter;
CREATE TEMP TABLE old_message AS SELECT * FROM message;
CREATE TEMP TABLE old_flow AS SELECT * FROM flow;
CREATE TEMP TABLE old_reply AS SELECT * FROM reply;
CREATE TEMP TABLE kept (key TEXT PRIMARY KEY, id INTEGER NOT NULL);
DROP TABLE history;
DROP TABLE message;
DROP TABLE flow;
DROP TABLE reply;
DROP TABLE change;
DROP TABLE change_counter;

-- What asking for flows needs, and for what is unknown.
ALTER TABLE run ADD COLUMN window_start INTEGER;
ALTER TABLE run ADD COLUMN window_end INTEGER;
ALTER TABLE reconciliation ADD COLUMN recovered_flows INTEGER NOT NULL DEFAULT 0;
CREATE INDEX asked_unknown ON asked (next_at, tracking_id) WHERE outcome IN ('unknown', 'unreadable');

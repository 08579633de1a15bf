-- The names of these are needed again.
DROP INDEX IF EXISTS history_anomalies;
DROP INDEX IF EXISTS reply_received_at;
DROP INDEX IF EXISTS other_what;
DROP INDEX IF EXISTS unreadable_received_at;
ALTER TABLE history RENAME TO old_history;
ALTER TABLE message RENAME TO old_message;
ALTER TABLE flow RENAME TO old_flow;
ALTER TABLE reply RENAME TO old_reply;
ALTER TABLE other RENAME TO old_other;
ALTER TABLE unreadable RENAME TO old_unreadable;
ALTER TABLE change RENAME TO old_change;
ALTER TABLE change_counter RENAME TO old_change_counter;

-- What asking for flows needs, and for what is unknown.
ALTER TABLE run ADD COLUMN window_start INTEGER;
ALTER TABLE run ADD COLUMN window_end INTEGER;
ALTER TABLE reconciliation ADD COLUMN recovered_flows INTEGER NOT NULL DEFAULT 0;
CREATE INDEX asked_unknown ON asked (next_at, tracking_id) WHERE outcome IN ('unknown', 'unreadable');

-- What is left of purged messages, flows and replies. No change is left of them, so that their numbers are negative.
INSERT INTO message (number, tracking_id, key, rank, status_name, reason, changed_at, overdue_at, hour)
SELECT -row_number() OVER (), tracking_id, x'', '', status_name, reason, changed_at, overdue_at,
       max(changed_at / 3600000, 1) FROM old_message;
INSERT INTO flow (number, tracking_id, key, rank, status_name, termination_channel, changed_at, hour)
SELECT -row_number() OVER () - (SELECT count(*) FROM old_message), tracking_id, x'', '', status_name,
       termination_channel, changed_at, max(changed_at / 3600000, 1) FROM old_flow;
INSERT INTO reply
    (number, idempotency_key, key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at, hour)
SELECT -row_number() OVER () - (SELECT count(*) FROM old_message) - (SELECT count(*) FROM old_flow), idempotency_key, x'',
       reference_tracking_id, sender, recipient, message, media, sent_at, received_at,
       max(coalesce(sent_at, received_at) / 3600000, 1) FROM old_reply;
DROP TABLE old_message;
DROP TABLE old_flow;
DROP TABLE old_reply;

-- Overdue no later than before: statuses of one message that are kept together leave no more than that of the last.
UPDATE message SET overdue_at = overdue.overdue_at
FROM overdue WHERE overdue.tracking_id = message.tracking_id AND overdue.overdue_at < message.overdue_at;

UPDATE schema_version SET version = 2;

DROP TABLE arrived;
DROP TABLE renamed;
DROP TABLE last_number;
DROP TABLE purged_message;
DROP TABLE purged_flow;
DROP TABLE overdue;

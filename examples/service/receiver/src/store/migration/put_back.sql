-- What was kept again is nothing new. Consumers remember the numbers.
DELETE FROM change WHERE number > (SELECT number FROM numbered);
UPDATE change_counter SET number = (SELECT number FROM numbered);
UPDATE change SET kind = renamed.kind, idempotency_key = renamed.key
FROM renamed WHERE renamed.was = change.idempotency_key;

-- Overdue no later than before: statuses of one message that are kept together leave no more than that of the last.
UPDATE message SET overdue_at = overdue.overdue_at
FROM overdue WHERE overdue.tracking_id = message.tracking_id AND overdue.overdue_at < message.overdue_at;

UPDATE schema_version SET version = 2;

DROP TABLE arrived;
DROP TABLE renamed;
DROP TABLE numbered;
DROP TABLE overdue;

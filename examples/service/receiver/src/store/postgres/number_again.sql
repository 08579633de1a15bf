-- What was kept again is nothing new. Consumers remember the numbers.
DELETE FROM change WHERE number > (SELECT number FROM last_number);
UPDATE change_counter SET number = (SELECT number FROM last_number);
UPDATE change SET kind = renamed.kind, idempotency_key = renamed.key
FROM renamed WHERE renamed.was = change.idempotency_key;

-- How far the migration is: the step, how many rows it goes through, and the last of these that is done.
CREATE TABLE migration (
    step BIGINT NOT NULL,
    total BIGINT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    done BIGINT NOT NULL
);

-- The keys that are no longer what they were, and whose state is at them. Made of a table, for the collation of its keys.
CREATE TABLE renamed AS
SELECT idempotency_key AS was, idempotency_key AS key, kind FROM old_history WHERE received_at IS NULL;
CREATE INDEX renamed_was ON renamed (was);

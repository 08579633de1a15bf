-- Each delivery that moved the state of something, in the order of the commits and without gaps. `about` is the number of
-- the message, flow or reply that it moved, which is that of its first change; NULL if it is this one. Everything new is
-- added at the end of its table, so that a commit writes few pages: here, in `message`, and one of the index of ids.
-- `was` is what the message or flow counted as before; NULL if it was not there. `is_step` is that of the message by
-- then.
CREATE TABLE change (
    number INTEGER PRIMARY KEY,
    about INTEGER,
    kind TEXT NOT NULL,
    is_step INTEGER NOT NULL DEFAULT 0,
    received_at INTEGER NOT NULL,
    anomalies TEXT,
    was TEXT,
    body BLOB -- NULL if a migration found nothing else of it
) STRICT;
CREATE INDEX change_anomalies ON change (received_at) WHERE anomalies IS NOT NULL;
-- The number of the last change that a purge has removed.
CREATE TABLE purged (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL) STRICT;
INSERT INTO purged VALUES (1, 0);

-- The deliveries that moved nothing: a newer status was there, or the key with other bytes (`is_variant`).
CREATE TABLE no_change (
    id INTEGER PRIMARY KEY,
    about INTEGER NOT NULL,
    kind TEXT NOT NULL,
    is_variant INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    anomalies TEXT,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX no_change_about ON no_change (about);
CREATE INDEX no_change_anomalies ON no_change (received_at) WHERE anomalies IS NOT NULL;

-- The status of each message; `rank` never falls. `key` is the digest of the first delivery's idempotency key. `is_step`
-- is whether any delivery has said so far that it is a step of a flow. `hour` is when it was created, in hours of the
-- epoch, and `delivered_within` and `seen_within` how long that took, in seconds. `price_rank` is that of the status that
-- the price came with; NULL if that is `rank`.
CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    tracking_id TEXT NOT NULL UNIQUE,
    key BLOB NOT NULL,
    is_step INTEGER NOT NULL DEFAULT 0,
    rank BLOB NOT NULL, -- the bytes of its digits, which are hexadecimal
    status_name TEXT NOT NULL,
    reason TEXT,
    changed_at INTEGER NOT NULL,
    overdue_at INTEGER,
    campaign INTEGER,
    hour INTEGER NOT NULL,
    price TEXT,
    price_rank BLOB,
    delivered_within INTEGER,
    seen_within INTEGER
) STRICT;
CREATE INDEX message_overdue_at ON message (overdue_at) WHERE overdue_at IS NOT NULL;

CREATE TABLE flow (
    number INTEGER PRIMARY KEY,
    tracking_id TEXT NOT NULL UNIQUE,
    key BLOB NOT NULL,
    rank TEXT NOT NULL,
    status_name TEXT NOT NULL,
    termination_channel TEXT,
    changed_at INTEGER NOT NULL,
    overdue_at INTEGER,
    hour INTEGER NOT NULL
) STRICT;
CREATE INDEX flow_overdue_at ON flow (overdue_at) WHERE overdue_at IS NOT NULL;

CREATE TABLE reply (
    number INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    key BLOB NOT NULL,
    reference_tracking_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT,
    message TEXT,
    media TEXT,
    sent_at INTEGER,
    received_at INTEGER NOT NULL,
    campaign INTEGER,
    hour INTEGER NOT NULL
) STRICT;
CREATE INDEX reply_received_at ON reply (received_at);

-- The later deliveries of each message, flow and reply: digests of the key and of the body, and the change if it was one.
CREATE TABLE later (
    about INTEGER NOT NULL,
    key BLOB NOT NULL,
    body BLOB NOT NULL,
    change INTEGER,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (about, key, body)
) STRICT, WITHOUT ROWID;

-- What was answered 200 and is about something else, or could not be read or kept.
CREATE TABLE other (
    digest TEXT PRIMARY KEY NOT NULL, what TEXT NOT NULL, received_at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX other_what ON other (what, received_at);
CREATE TABLE unreadable (
    digest TEXT PRIMARY KEY NOT NULL, reason TEXT NOT NULL, received_at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX unreadable_received_at ON unreadable (received_at);

-- Every delivery that is there, with the id of what it is about.
CREATE VIEW history AS
SELECT change.number, change.kind, coalesce(message.tracking_id, flow.tracking_id, reply.reference_tracking_id) AS tracking_id,
       change.received_at, change.anomalies, change.body, 0 AS is_variant
FROM change
LEFT JOIN message ON message.number = coalesce(change.about, change.number)
LEFT JOIN flow ON flow.number = coalesce(change.about, change.number)
LEFT JOIN reply ON reply.number = coalesce(change.about, change.number)
WHERE change.body IS NOT NULL
UNION ALL
SELECT NULL, no_change.kind, coalesce(message.tracking_id, flow.tracking_id, reply.reference_tracking_id),
       no_change.received_at, no_change.anomalies, no_change.body, no_change.is_variant
FROM no_change
LEFT JOIN message ON message.number = no_change.about
LEFT JOIN flow ON flow.number = no_change.about
LEFT JOIN reply ON reply.number = no_change.about;

-- The number of the last change.
CREATE VIEW change_counter AS
SELECT 1 AS one, max(number, coalesce((SELECT max(number) FROM change), 0)) AS number FROM purged;

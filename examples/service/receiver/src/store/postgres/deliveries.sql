-- The numbers of messages, flows and replies.
CREATE SEQUENCE number_of_subject CACHE 32;

-- The status of each message; `rank` never falls. Its page has room for it to grow, so that an update stays there, unless
-- `overdue_at` changes, which it does once in a message's life. `hour` is when it was created, in hours of the epoch, and
-- `delivered_within` and `seen_within` how long that took, in seconds. `was` is what the last update leaves for the change,
-- because an INSERT that updates can return nothing else of the row before.
CREATE TABLE message (
    number BIGINT NOT NULL DEFAULT nextval('number_of_subject'),
    tracking_id TEXT COLLATE "C" PRIMARY KEY,
    rank TEXT COLLATE "C" NOT NULL,
    status_name TEXT NOT NULL,
    reason TEXT,
    changed_at BIGINT NOT NULL,
    overdue_at BIGINT,
    campaign TEXT COLLATE "C",
    hour BIGINT NOT NULL,
    price TEXT COLLATE "C",
    delivered_within BIGINT,
    seen_within BIGINT,
    was JSONB
) WITH (fillfactor = 50);
CREATE INDEX message_overdue_at ON message (overdue_at) WHERE overdue_at IS NOT NULL;

CREATE TABLE flow (
    number BIGINT NOT NULL DEFAULT nextval('number_of_subject'),
    tracking_id TEXT COLLATE "C" PRIMARY KEY,
    rank TEXT COLLATE "C" NOT NULL,
    status_name TEXT NOT NULL,
    termination_channel TEXT,
    changed_at BIGINT NOT NULL,
    overdue_at BIGINT,
    hour BIGINT NOT NULL,
    was JSONB
) WITH (fillfactor = 70);
CREATE INDEX flow_overdue_at ON flow (overdue_at) WHERE overdue_at IS NOT NULL;

CREATE TABLE reply (
    number BIGINT NOT NULL DEFAULT nextval('number_of_subject'),
    idempotency_key TEXT COLLATE "C" PRIMARY KEY,
    reference_tracking_id TEXT COLLATE "C" NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT,
    message TEXT,
    media TEXT,
    sent_at BIGINT,
    received_at BIGINT NOT NULL,
    campaign TEXT COLLATE "C",
    hour BIGINT NOT NULL
);
CREATE INDEX reply_received_at ON reply (received_at);

-- What was answered 200 and is about something else, or could not be read or kept.
CREATE TABLE other (
    digest TEXT COLLATE "C" PRIMARY KEY, what TEXT NOT NULL, received_at BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX other_what ON other (what, received_at);
CREATE TABLE unreadable (
    digest TEXT COLLATE "C" PRIMARY KEY, reason TEXT NOT NULL, received_at BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX unreadable_received_at ON unreadable (received_at);

-- The numbers of the last change and of the last that a purge has removed. The one row is the last that a statement locks:
-- who has it commits before the next one numbers anything.
CREATE TABLE change_counter (one BIGINT PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL, purged BIGINT NOT NULL)
    WITH (fillfactor = 10);
INSERT INTO change_counter VALUES (1, 0, 0);

-- Each delivery that moved the state of something, in the order of the commits and without gaps. `about` is the number of
-- the message, flow or reply that it moved, and `key` a digest of its idempotency key, which tells the deliveries about
-- one of these apart. From `campaign` on it says what that counts as, for the tallies, and `was` is the same of before:
-- whether it had that campaign, its status, reason and price, and how long it took to be delivered and seen. Whatever is
-- new goes to the end of this table and of its indexes; the only random page that a commit writes for a message is one of
-- the index of ids.
CREATE TABLE change (
    number BIGINT PRIMARY KEY,
    about BIGINT, -- NULL, as the rest, if a migration found nothing else of it
    received_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    tracking_id TEXT COLLATE "C",
    campaign TEXT COLLATE "C",
    hour BIGINT,
    status TEXT,
    reason TEXT,
    price TEXT,
    delivered_within BIGINT,
    seen_within BIGINT,
    was JSONB,
    anomalies TEXT,
    key BYTEA,
    body BYTEA
);
CREATE INDEX change_about ON change (about);
CREATE INDEX change_anomalies ON change (received_at) WHERE anomalies IS NOT NULL;

-- The deliveries that moved nothing: a newer status was there, or the key with other bytes (`is_variant`), of which
-- `digest` is one.
CREATE TABLE no_change (
    about BIGINT NOT NULL,
    key BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    is_variant BOOLEAN NOT NULL,
    received_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    tracking_id TEXT COLLATE "C" NOT NULL,
    anomalies TEXT,
    body BYTEA NOT NULL,
    PRIMARY KEY (about, key, digest)
);
CREATE INDEX no_change_anomalies ON no_change (received_at) WHERE anomalies IS NOT NULL;

-- Every delivery that is there. Those of one message are found by its number, which is in `about`.
CREATE VIEW history AS
SELECT number, about, key, kind, tracking_id, received_at, anomalies, body, FALSE AS is_variant FROM change
WHERE body IS NOT NULL
UNION ALL
SELECT NULL, about, key, kind, tracking_id, received_at, anomalies, body, is_variant FROM no_change;

-- Every delivery, once. A message's rows are a range of keys, so that there is no second index to keep. `digest` is empty
-- for the first delivery of a key, and that of the body for the variants, which have the key and other bytes.
CREATE TABLE history (
    idempotency_key TEXT COLLATE "C",
    digest TEXT COLLATE "C" NOT NULL DEFAULT '',
    kind TEXT NOT NULL,
    tracking_id TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    anomalies TEXT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (idempotency_key, digest)
);
CREATE INDEX history_anomalies ON history (received_at) WHERE anomalies <> '';

-- The status of each message; `rank` never falls. No second index, so that an update stays in its page.
CREATE TABLE message (
    tracking_id TEXT COLLATE "C" PRIMARY KEY,
    rank TEXT COLLATE "C" NOT NULL,
    status_name TEXT NOT NULL,
    reason TEXT,
    changed_at BIGINT NOT NULL,
    overdue_at BIGINT
) WITH (fillfactor = 70);

CREATE TABLE flow (
    tracking_id TEXT COLLATE "C" PRIMARY KEY,
    rank TEXT COLLATE "C" NOT NULL,
    status_name TEXT NOT NULL,
    termination_channel TEXT,
    changed_at BIGINT NOT NULL,
    overdue_at BIGINT
) WITH (fillfactor = 70);

CREATE TABLE reply (
    idempotency_key TEXT COLLATE "C" PRIMARY KEY,
    reference_tracking_id TEXT COLLATE "C" NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT,
    message TEXT,
    media TEXT,
    sent_at BIGINT,
    received_at BIGINT NOT NULL
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

-- Which delivery moved the state of something, in the order of the commits and without gaps. The one row of the counter
-- is the last that a statement locks: who has it commits before the next one numbers anything.
CREATE TABLE change (number BIGINT PRIMARY KEY, kind TEXT NOT NULL, idempotency_key TEXT COLLATE "C" NOT NULL);
CREATE TABLE change_counter (one BIGINT PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL, purged BIGINT NOT NULL)
    WITH (fillfactor = 10);
INSERT INTO change_counter VALUES (1, 0, 0);

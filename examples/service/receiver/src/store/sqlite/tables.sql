CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (2);

-- The status of each message; `rank` never falls.
CREATE TABLE message (
    tracking_id TEXT PRIMARY KEY NOT NULL,
    rank TEXT NOT NULL,
    status_name TEXT NOT NULL,
    reason TEXT,
    status TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    overdue_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE flow (
    tracking_id TEXT PRIMARY KEY NOT NULL,
    rank TEXT NOT NULL,
    status_name TEXT NOT NULL,
    termination_channel TEXT,
    changed_at INTEGER NOT NULL,
    overdue_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE reply (
    idempotency_key TEXT PRIMARY KEY NOT NULL,
    reference_tracking_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT,
    message TEXT,
    media TEXT,
    sent_at INTEGER,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX reply_received_at ON reply (received_at);

-- What was answered 200 and is about something else, or could not be read or kept.
CREATE TABLE other (
    digest TEXT PRIMARY KEY NOT NULL, what TEXT NOT NULL, received_at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX other_what ON other (what, received_at);
CREATE TABLE unreadable (
    digest TEXT PRIMARY KEY NOT NULL, reason TEXT NOT NULL, received_at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX unreadable_received_at ON unreadable (received_at);

-- Which delivery moved the state of something, in the order of the commits and without gaps.
CREATE TABLE change (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, idempotency_key TEXT NOT NULL
) STRICT;
CREATE TABLE change_counter (
    one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, purged INTEGER NOT NULL
) STRICT;
INSERT INTO change_counter VALUES (1, 0, 0);

-- The addresses that Routee's callback host had, for a start when it does not resolve.
CREATE TABLE sender (address TEXT PRIMARY KEY NOT NULL, seen_at INTEGER NOT NULL) STRICT;

-- What was asked of Routee's tracking APIs: when last, how often in a row without learning the end, when it may be asked
-- next, and which run's pages had it.
CREATE TABLE asked (
    tracking_id TEXT PRIMARY KEY NOT NULL,
    asked_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    run TEXT
) STRICT, WITHOUT ROWID;

-- The runs of `receiver reconcile` that have not come to their end. The window is in minutes of the epoch.
CREATE TABLE run (
    name TEXT PRIMARY KEY NOT NULL,
    started_at INTEGER NOT NULL,
    page INTEGER NOT NULL,
    reading INTEGER NOT NULL,
    unreadable INTEGER NOT NULL,
    window_start INTEGER,
    window_end INTEGER
) STRICT;

-- Who is asking Routee and until when that counts, when somebody last did, and how many messages and flows moved by it.
CREATE TABLE reconciliation (
    one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, until INTEGER NOT NULL, ran_at INTEGER, recovered INTEGER NOT NULL,
    recovered_flows INTEGER NOT NULL
) STRICT;
INSERT INTO reconciliation VALUES (1, '', 0, NULL, 0, 0);

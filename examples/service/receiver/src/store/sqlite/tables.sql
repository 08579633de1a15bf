CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (2);

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
CREATE INDEX asked_unknown ON asked (next_at, tracking_id) WHERE outcome IN ('unknown', 'unreadable');

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

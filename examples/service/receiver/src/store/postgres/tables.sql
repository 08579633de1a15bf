CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version VALUES (2);

-- The addresses that Routee's callback host had, for a start when it does not resolve.
CREATE TABLE sender (address TEXT PRIMARY KEY, seen_at BIGINT NOT NULL);

-- What was asked of Routee's tracking APIs: when last, how often in a row without learning the end, when it may be asked
-- next, and which run's pages had it.
CREATE TABLE asked (
    tracking_id TEXT COLLATE "C" PRIMARY KEY,
    asked_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    run TEXT
) WITH (fillfactor = 70);
CREATE INDEX asked_unknown ON asked (next_at, tracking_id) WHERE outcome IN ('unknown', 'unreadable');

-- The runs of `receiver reconcile` that have not come to their end. The window is in minutes of the epoch.
CREATE TABLE run (
    name TEXT COLLATE "C" PRIMARY KEY,
    started_at BIGINT NOT NULL,
    page BIGINT NOT NULL,
    reading BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    window_start BIGINT,
    window_end BIGINT
);

-- Who is asking Routee and until when that counts, when somebody last did, and how many messages and flows moved by it.
CREATE TABLE reconciliation (
    one BIGINT PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, until BIGINT NOT NULL, ran_at BIGINT, recovered BIGINT NOT NULL,
    recovered_flows BIGINT NOT NULL
);
INSERT INTO reconciliation VALUES (1, '', 0, NULL, 0, 0);

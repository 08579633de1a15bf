-- In SQLite's words; `store` puts PostgreSQL's for the two that differ.

-- Raw bodies that were answered 200 and not processed yet.
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY,
    received_at BIGINT NOT NULL,
    body BLOB NOT NULL
);

-- The newest status of each message, as JSON.
CREATE TABLE IF NOT EXISTS message (
    tracking_id TEXT PRIMARY KEY,
    status_name TEXT NOT NULL,
    status TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_changed_at ON message (changed_at);

-- Every callback, once.
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    tracking_id TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    status TEXT NOT NULL,
    anomalies TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS history_tracking_id ON history (tracking_id);
CREATE INDEX IF NOT EXISTS history_anomalies ON history (id) WHERE anomalies <> '';

-- What was answered 200 and is no callback, kept for somebody to look at.
CREATE TABLE IF NOT EXISTS unreadable (
    id INTEGER PRIMARY KEY,
    received_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
);

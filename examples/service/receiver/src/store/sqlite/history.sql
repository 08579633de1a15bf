-- Every delivery, once. A message's rows are a range of keys, so that there is no second index to keep. `digest` is empty
-- for the first delivery of a key, and that of the body for the variants, which have the key and other bytes.
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL,
    digest TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,
    tracking_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    anomalies TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (idempotency_key, digest)
) STRICT;
CREATE INDEX history_anomalies ON history (received_at) WHERE anomalies <> '';

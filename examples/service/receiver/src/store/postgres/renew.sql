-- The tables stay, with the rights that others have to them.
ALTER TABLE history ADD COLUMN digest TEXT COLLATE "C" NOT NULL DEFAULT '',
    DROP CONSTRAINT history_pkey, ADD PRIMARY KEY (idempotency_key, digest);
ALTER TABLE message DROP COLUMN status;

-- What asking for flows needs, and for what is unknown.
ALTER TABLE flow ADD COLUMN overdue_at BIGINT;
ALTER TABLE run ADD COLUMN window_start BIGINT;
ALTER TABLE run ADD COLUMN window_end BIGINT;
ALTER TABLE reconciliation ADD COLUMN recovered_flows BIGINT NOT NULL DEFAULT 0;
CREATE INDEX asked_unknown ON asked (next_at, tracking_id) WHERE outcome IN ('unknown', 'unreadable');

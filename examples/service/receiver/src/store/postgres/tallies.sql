-- How many messages, flows, replies and other bodies there are, by the `hour`, `day`, `week` (from Monday on) and `month` in
-- UTC, and of all times, which `unit` calls `ever`. `hour` is when that begins, in hours of the epoch; 0 for `ever`.
-- `what` is `status`, `reason` (of those that failed), `price`, `delivered` or `seen` (within how many seconds), `reply`,
-- `flow` or `other`. Of `count`, so many as `forgotten` says are no longer in their tables.
CREATE TABLE tally (
    unit TEXT COLLATE "C" NOT NULL CHECK (unit IN ('hour', 'day', 'week', 'month', 'ever')),
    hour BIGINT NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    count BIGINT NOT NULL,
    forgotten BIGINT NOT NULL,
    PRIMARY KEY (what, unit, hour, value)
) WITH (fillfactor = 70);

-- The same for each campaign; the one with an empty id has the messages without any. Flows and other bodies have none.
CREATE TABLE campaign_tally (
    campaign TEXT COLLATE "C" NOT NULL,
    unit TEXT COLLATE "C" NOT NULL CHECK (unit IN ('hour', 'day', 'week', 'month', 'ever')),
    hour BIGINT NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    count BIGINT NOT NULL,
    forgotten BIGINT NOT NULL,
    PRIMARY KEY (campaign, what, unit, hour, value)
) WITH (fillfactor = 70);

-- The hour with which the unit begins that has this hour in it.
CREATE FUNCTION first_hour(unit TEXT, hour BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE $1 WHEN 'hour' THEN $2
                   WHEN 'day' THEN $2 / 24 * 24
                   -- The first Monday is hour 96.
                   WHEN 'week' THEN ($2 + 72) / 168 * 168 - 72
                   WHEN 'month' THEN
                       extract(EPOCH FROM date_trunc('month', to_timestamp($2 * 3600) AT TIME ZONE 'UTC'))::bigint / 3600
                   WHEN 'ever' THEN 0 END
$$;

-- The campaigns, and the last hour in which a message or reply of each was counted.
CREATE TABLE campaign (id TEXT COLLATE "C" PRIMARY KEY, last_hour BIGINT NOT NULL);
CREATE INDEX campaign_last_hour ON campaign (last_hour DESC, id);

-- The last change that is in the tallies. A change says what its message or flow counts as, and as what it did before.
CREATE TABLE counted (one BIGINT PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL) WITH (fillfactor = 10);
INSERT INTO counted VALUES (1, 0);

-- By how much the tallies are behind because of what is no change. Every statement adds rows of its own, so that none waits
-- for another.
CREATE TABLE tally_delta (
    campaign TEXT COLLATE "C",
    hour BIGINT NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C",
    count BIGINT NOT NULL,
    forgotten BIGINT NOT NULL
);

-- The reason that a message of this status counts as, if it failed.
CREATE FUNCTION counted_reason(status_name TEXT, reason TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN $1 IN ('EXPIRED', 'FAILED', 'UNDELIVERED', 'UNSENT') THEN left(coalesce($2, ''), 100) END
$$;

-- What each message, flow, reply and other body counts as now. Flows and other bodies have no campaign, not even an empty one.
CREATE FUNCTION fact() RETURNS TABLE (campaign TEXT, hour BIGINT, what TEXT, value TEXT) LANGUAGE sql STABLE AS $$
SELECT coalesce(message.campaign, ''), message.hour, each.what, each.value
FROM message CROSS JOIN LATERAL (VALUES
    ('status', left(status_name, 100)), ('reason', counted_reason(status_name, reason)), ('price', price),
    ('delivered', delivered_within::text), ('seen', seen_within::text)) AS each (what, value)
WHERE each.value IS NOT NULL
UNION ALL
SELECT NULL, flow.hour, 'flow', left(status_name, 100) FROM flow
UNION ALL
SELECT coalesce(reply.campaign, ''), reply.hour, 'reply', '' FROM reply
UNION ALL
SELECT NULL, greatest(received_at / 3600000, 1), 'other', left(other.what, 100) FROM other
$$;

-- By how much the tallies are behind. With only the lower end of the range, PostgreSQL would expect a third of all changes in
-- it, and read the whole table.
CREATE VIEW uncounted AS
WITH moved AS MATERIALIZED (
    SELECT kind, campaign, hour, status, reason, price, delivered_within, seen_within, was FROM change
    WHERE number > (SELECT number FROM counted) AND number <= (SELECT number FROM change_counter) AND hour IS NOT NULL
),
state AS (
    SELECT kind, campaign, hour, status, reason, price, delivered_within::text AS delivered, seen_within::text AS seen,
           count(*) AS count
    FROM moved GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    UNION ALL
    SELECT kind, CASE WHEN was -> 0 = 'true' THEN campaign END, hour, was ->> 1, was ->> 2, was ->> 3, was ->> 4, was ->> 5, -count(*)
    FROM moved WHERE was IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
SELECT campaign, hour, what, value, sum(count)::bigint AS count, sum(forgotten)::bigint AS forgotten FROM (
    SELECT CASE WHEN kind NOT IN ('flow', 'tracked_flow') THEN coalesce(campaign, '') END AS campaign, hour, what, value,
           count, 0 AS forgotten
    FROM state CROSS JOIN LATERAL (VALUES
        (CASE kind WHEN 'flow' THEN 'flow' WHEN 'tracked_flow' THEN 'flow' WHEN 'reply' THEN 'reply' ELSE 'status' END, status),
        ('reason', reason), ('price', price), ('delivered', delivered), ('seen', seen)) AS each (what, value)
    UNION ALL
    SELECT campaign, hour, what, value, count, forgotten FROM tally_delta
) AS difference
WHERE value IS NOT NULL GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0 OR sum(forgotten) <> 0;

-- What is deleted, by whomever, is forgotten.
CREATE FUNCTION forget_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally_delta (campaign, hour, what, value, count, forgotten)
    SELECT coalesce(campaign, ''), hour, what, value, 0, count(*)
    FROM gone CROSS JOIN LATERAL (VALUES
        ('status', left(status_name, 100)), ('reason', counted_reason(status_name, reason)), ('price', price),
        ('delivered', delivered_within::text), ('seen', seen_within::text)) AS each (what, value)
    WHERE value IS NOT NULL GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget AFTER DELETE ON message REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_messages();

CREATE FUNCTION forget_flows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally_delta (hour, what, value, count, forgotten)
    SELECT hour, 'flow', left(status_name, 100), 0, count(*) FROM gone GROUP BY 1, 3;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget AFTER DELETE ON flow REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_flows();

CREATE FUNCTION forget_replies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally_delta (campaign, hour, what, value, count, forgotten)
    SELECT coalesce(campaign, ''), hour, 'reply', '', 0, count(*) FROM gone GROUP BY 1, 2;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget AFTER DELETE ON reply REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_replies();

CREATE FUNCTION forget_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally_delta (hour, what, value, count, forgotten)
    SELECT greatest(received_at / 3600000, 1), 'other', left(what, 100), 0, count(*) FROM gone GROUP BY 1, 3;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget AFTER DELETE ON other REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_others();

-- How many messages, flows, replies and other bodies there are, by the `hour`, `day`, `week` (from Monday on) and `month` in
-- UTC, and of all times, which `unit` calls `ever`. `hour` is when that begins, in hours of the epoch; 0 for `ever`.
-- `what` is `status`, `reason` (of those that failed), `price`, `delivered` or `seen` (within how many seconds), `reply`,
-- `flow` or `other`. Of `count`, so many as `forgotten` says are no longer in their tables.
CREATE TABLE tally (
    unit TEXT NOT NULL CHECK (unit IN ('hour', 'day', 'week', 'month', 'ever')),
    hour INTEGER NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    count INTEGER NOT NULL,
    forgotten INTEGER NOT NULL,
    PRIMARY KEY (what, unit, hour, value)
) STRICT, WITHOUT ROWID;

-- The same for each campaign; the one with an empty id has the messages without any. Flows and other bodies have none.
CREATE TABLE campaign_tally (
    campaign TEXT NOT NULL,
    unit TEXT NOT NULL CHECK (unit IN ('hour', 'day', 'week', 'month', 'ever')),
    hour INTEGER NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    count INTEGER NOT NULL,
    forgotten INTEGER NOT NULL,
    PRIMARY KEY (campaign, what, unit, hour, value)
) STRICT, WITHOUT ROWID;

-- The campaigns, and the last hour in which a message or reply of each was counted; 0 if none was.
CREATE TABLE campaign (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, last_hour INTEGER NOT NULL) STRICT;
CREATE INDEX campaign_last_hour ON campaign (last_hour DESC, id);

-- The last change that is in the tallies.
CREATE TABLE counted (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL) STRICT;
INSERT INTO counted VALUES (1, 0);

-- What each message, flow and reply counts as now. Flows have no campaign, not even an empty one.
CREATE VIEW fact AS
SELECT message.number, coalesce(campaign.id, '') AS campaign, message.hour,
       json_object(
           'status', substr(status_name, 1, 100),
           'reason', CASE WHEN status_name IN ('EXPIRED', 'FAILED', 'UNDELIVERED', 'UNSENT')
                          THEN substr(coalesce(reason, ''), 1, 100) END,
           'price', price, 'delivered', CAST(delivered_within AS TEXT), 'seen', CAST(seen_within AS TEXT)) AS facts
FROM message LEFT JOIN campaign ON campaign.number = message.campaign
UNION ALL
SELECT number, NULL, hour, json_object('flow', substr(status_name, 1, 100)) FROM flow
UNION ALL
SELECT reply.number, coalesce(campaign.id, ''), reply.hour, json_object('reply', '')
FROM reply LEFT JOIN campaign ON campaign.number = reply.campaign;

-- By how much the tallies are behind. Of each message, flow and reply that has changes which are not counted, what it was
-- before the first of them is taken away, and what it is now comes to it.
CREATE VIEW uncounted AS
WITH first AS MATERIALIZED (
    SELECT min(number) AS number, coalesce(about, number) AS about FROM change
    WHERE number > (SELECT number FROM counted) GROUP BY 2
)
SELECT campaign, hour, each.key AS what, each.atom AS value, sum(count) AS count FROM (
    SELECT campaign, hour, facts, sum(count) AS count FROM (
        SELECT fact.campaign, fact.hour, fact.facts, 1 AS count FROM first CROSS JOIN fact ON fact.number = first.about
        UNION ALL
        SELECT change.was ->> 'campaign', change.was ->> 'hour', change.was -> 'facts', -1
        FROM first CROSS JOIN change ON change.number = first.number
    )
    WHERE facts IS NOT NULL GROUP BY 1, 2, 3
) AS state, json_each(state.facts) AS each
WHERE each.atom IS NOT NULL GROUP BY 1, 2, 3, 4 HAVING sum(count) <> 0;

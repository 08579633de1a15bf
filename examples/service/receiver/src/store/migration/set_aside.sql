-- Everything that has arrived, in its order: a flow before its steps.
CREATE TEMP TABLE arrived AS
SELECT row_number() OVER (ORDER BY received_at, kind, key) AS place, received_at, kind, key, said, body
FROM (
    SELECT received_at, kind, idempotency_key AS key, anomalies AS said, body FROM history
    UNION ALL
    SELECT received_at, 'other', digest, what, body FROM other
    UNION ALL
    SELECT received_at, 'unreadable', digest, reason, body FROM unreadable
) AS everything;
CREATE UNIQUE INDEX arrived_place ON arrived (place);

-- The keys that are no longer what they were, and whose state is at them.
CREATE TEMP TABLE renamed AS SELECT key AS was, key, kind FROM arrived WHERE place = 0;

CREATE TEMP TABLE last_number AS SELECT number FROM change_counter;
CREATE TEMP TABLE overdue AS SELECT tracking_id, overdue_at FROM message WHERE overdue_at IS NOT NULL;

-- A state whose delivery is there comes again with it. What is left is all that there is of what was purged.
DELETE FROM message
WHERE (tracking_id, changed_at) IN
    (SELECT tracking_id, received_at FROM history WHERE kind IN ('status', 'step', 'tracked'));

-- A flow before its first step, which was taken for a message: its status was no more than a name, and what came later has
-- made it a flow.
DELETE FROM message
WHERE status = '{"name":"' || status_name || '"}' AND tracking_id IN (SELECT tracking_id FROM flow);

DELETE FROM flow WHERE (tracking_id, changed_at) IN (SELECT tracking_id, received_at FROM history WHERE kind = 'flow');

-- Of a purge that was stopped, replies are left that Routee can no longer send again. They keep their keys.
DELETE FROM reply WHERE idempotency_key IN (SELECT idempotency_key FROM history);

-- Their ranks are made anew.
CREATE TEMP TABLE purged_message AS SELECT tracking_id, status_name, status FROM message;
CREATE UNIQUE INDEX purged_message_id ON purged_message (tracking_id);
CREATE TEMP TABLE purged_flow AS SELECT tracking_id, status_name, rank FROM flow;
CREATE UNIQUE INDEX purged_flow_id ON purged_flow (tracking_id);

DELETE FROM history;
DELETE FROM other;
DELETE FROM unreadable;

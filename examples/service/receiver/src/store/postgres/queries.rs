//! What is read of deliveries.

use crate::store::Queries;
use crate::store::invariants::{CHANGES, COUNTED, FORGOTTEN, LISTED, OF_CAMPAIGNS, STEPS, of_hours};
use crate::store::purgeable::{ASKED, Purgeable, RUN, UNREADABLE};
use crate::store::value::Value;

pub static QUERIES: Queries = Queries {
    history: |tracking_id, most| (HISTORY, vec![tracking_id.into(), most.into()]),
    message: "SELECT rank, status_name, reason, changed_at, overdue_at, campaign FROM message WHERE tracking_id = $1",
    latest_messages: "
        SELECT changed_at, tracking_id, status_name FROM message WHERE tracking_id IN
            (SELECT tracking_id FROM change WHERE kind IN ('status', 'step', 'tracked') ORDER BY number DESC LIMIT 20)
        ORDER BY changed_at DESC",
    latest_anomalies: "
        SELECT received_at, tracking_id, anomalies FROM
            ((SELECT received_at, tracking_id, anomalies FROM change WHERE anomalies IS NOT NULL
              ORDER BY received_at DESC LIMIT 20)
             UNION ALL
             (SELECT received_at, tracking_id, anomalies FROM no_change WHERE anomalies IS NOT NULL
              ORDER BY received_at DESC LIMIT 20)) AS latest
        ORDER BY received_at DESC LIMIT 20",
    // A number that is known when it is planned is looked for among all that was purged: 10 ms after a million. Here and
    // below, `(SELECT $1)` is not known then.
    oldest_changes: "
        SELECT number, CASE WHEN body IS NOT NULL THEN received_at END, length(body)::bigint FROM change
        WHERE number > (SELECT $1::bigint) AND number <= (SELECT number FROM counted) ORDER BY number LIMIT $2",
    purgeable: &[
        Purgeable {
            table: "no_change",
            first: Value::Integer(i64::MIN),
            next: "SELECT about, received_at, length(body)::bigint FROM no_change
                   WHERE about > (SELECT $1::bigint) ORDER BY about LIMIT $2",
            remove: "DELETE FROM no_change
                     WHERE about > (SELECT $1::bigint) AND about <= (SELECT $2::bigint) AND received_at < $3",
            then: &[],
            is_in_order: false,
        },
        Purgeable {
            table: "reply",
            first: Value::Integer(i64::MIN),
            next: "SELECT received_at, received_at, 0::bigint FROM reply
                   WHERE received_at > (SELECT $1::bigint) ORDER BY received_at LIMIT $2",
            remove: "DELETE FROM reply
                     WHERE received_at > (SELECT $1::bigint) AND received_at <= (SELECT $2::bigint) AND received_at < $3
                         AND NOT EXISTS (SELECT FROM change WHERE about = reply.number)",
            then: &[],
            is_in_order: true,
        },
        Purgeable {
            table: "other",
            first: Value::Text(String::new()),
            next: "SELECT digest, received_at, length(body)::bigint FROM other
                   WHERE digest > $1 ORDER BY digest LIMIT $2",
            remove: "DELETE FROM other WHERE digest > $1 AND digest <= $2 AND received_at < $3",
            then: &[],
            is_in_order: false,
        },
        UNREADABLE,
        ASKED,
        RUN,
    ],
    // What a callback has locked is about to change. Waiting for it, a step could wait in a circle.
    forgettable: &[
        Purgeable {
            table: "message",
            first: Value::Text(String::new()),
            next: "SELECT tracking_id, changed_at, 0::bigint FROM message
                   WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2",
            remove: "
                WITH gone AS (
                    DELETE FROM message WHERE tracking_id IN
                        (SELECT tracking_id FROM message
                         WHERE tracking_id > $1 AND tracking_id <= $2 AND changed_at < $3
                             AND NOT EXISTS (SELECT FROM change WHERE about = message.number)
                             AND NOT EXISTS (SELECT FROM no_change WHERE about = message.number)
                         ORDER BY tracking_id FOR UPDATE SKIP LOCKED)
                    RETURNING tracking_id
                ),
                no_longer_asked AS (DELETE FROM asked WHERE tracking_id IN (SELECT tracking_id FROM gone))
                SELECT 1 FROM gone",
            then: &[],
            is_in_order: false,
        },
        Purgeable {
            table: "flow",
            first: Value::Text(String::new()),
            next: "SELECT tracking_id, changed_at, 0::bigint FROM flow
                   WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2",
            remove: "
                WITH gone AS (
                    DELETE FROM flow WHERE tracking_id IN
                        (SELECT tracking_id FROM flow
                         WHERE tracking_id > $1 AND tracking_id <= $2 AND changed_at < $3
                             AND NOT EXISTS (SELECT FROM change WHERE about = flow.number)
                             AND NOT EXISTS (SELECT FROM no_change WHERE about = flow.number)
                         ORDER BY tracking_id FOR UPDATE SKIP LOCKED)
                    RETURNING tracking_id
                ),
                no_longer_asked AS (DELETE FROM asked WHERE tracking_id IN (SELECT tracking_id FROM gone))
                SELECT 1 FROM gone",
            then: &[],
            is_in_order: false,
        },
    ],
    invariants: &[
        CHANGES,
        COUNTED,
        (
            "every change is about something",
            "SELECT 'change ' || change.number FROM change WHERE body IS NOT NULL
                 AND about NOT IN (SELECT number FROM message) AND about NOT IN (SELECT number FROM flow)
                 AND about NOT IN (SELECT number FROM reply) LIMIT 20",
        ),
        STEPS,
        (
            "the tallies of each hour equal a count",
            "SELECT 'hour ' || hour || ', ' || what || ' ' || value || ': off by ' || sum(count) FROM (
                 SELECT hour, what, value, count - forgotten AS count FROM tally WHERE unit = 'hour'
                 UNION ALL SELECT hour, what, value, count - forgotten FROM uncounted
                 UNION ALL SELECT hour, what, value, -count(*) FROM fact() GROUP BY 1, 2, 3
             ) AS every GROUP BY hour, what, value HAVING sum(count) <> 0 LIMIT 20",
        ),
        (
            "the tallies of each campaign equal a count",
            "SELECT 'campaign ' || campaign || ', hour ' || hour || ', ' || what || ' ' || value
                 || ': off by ' || sum(count) FROM (
                 SELECT campaign, hour, what, value, count - forgotten AS count FROM campaign_tally WHERE unit = 'hour'
                 UNION ALL SELECT campaign, hour, what, value, count - forgotten FROM uncounted
                 UNION ALL SELECT campaign, hour, what, value, -count(*) FROM fact() GROUP BY 1, 2, 3, 4
             ) AS every WHERE campaign IS NOT NULL
             GROUP BY campaign, hour, what, value HAVING sum(count) <> 0 LIMIT 20",
        ),
        OF_CAMPAIGNS,
        of_hours!("first_hour(unit, hour)"),
        LISTED,
        FORGOTTEN,
    ],
};

const HISTORY: &str = "
    WITH it AS (SELECT number FROM message WHERE tracking_id = $1)
    SELECT received_at, kind, anomalies, body, 0::bigint AS is_variant FROM change
    WHERE about = (SELECT number FROM it) AND body IS NOT NULL
    UNION ALL
    SELECT received_at, kind, anomalies, body, is_variant::integer::bigint FROM no_change
    WHERE about = (SELECT number FROM it)
    ORDER BY received_at, is_variant LIMIT $2";

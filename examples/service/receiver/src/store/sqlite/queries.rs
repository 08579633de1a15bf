//! What is read of deliveries.

use crate::store::Queries;
use crate::store::value::Value;

pub static QUERIES: Queries = Queries {
    history: |tracking_id, most| (HISTORY, vec![tracking_id.into(), most.into()]),
    changes: "
        SELECT number, CASE kind WHEN 'flow' THEN 'flow' WHEN 'tracked_flow' THEN 'flow' WHEN 'reply' THEN 'reply'
                       ELSE 'message' END, received_at, body
        FROM change WHERE number > $1 ORDER BY number LIMIT $2",
    latest_messages: "
        SELECT changed_at, tracking_id, status_name FROM message WHERE number IN
            (SELECT coalesce(about, number) FROM change WHERE kind IN ('status', 'step', 'tracked')
             ORDER BY number DESC LIMIT 20)
        ORDER BY changed_at DESC",
    latest_anomalies: "
        SELECT latest.received_at, coalesce(message.tracking_id, flow.tracking_id, reply.reference_tracking_id),
               latest.anomalies
        FROM (SELECT * FROM (SELECT coalesce(about, number) AS about, received_at, anomalies FROM change
                             WHERE anomalies IS NOT NULL ORDER BY received_at DESC LIMIT 20)
              UNION ALL
              SELECT * FROM (SELECT about, received_at, anomalies FROM no_change
                             WHERE anomalies IS NOT NULL ORDER BY received_at DESC LIMIT 20)) AS latest
        LEFT JOIN message ON message.number = latest.about
        LEFT JOIN flow ON flow.number = latest.about
        LEFT JOIN reply ON reply.number = latest.about
        ORDER BY latest.received_at DESC LIMIT 20",
    last_old_change: "
        SELECT max(number) FROM
            (SELECT number, received_at FROM change WHERE number > $1 AND body IS NOT NULL ORDER BY number LIMIT $2)
        WHERE received_at < $3",
    set_purged: "UPDATE purged SET number = $1",
    purgeable: &[("no_change", "id", Value::Integer(0)), ("later", "about", Value::Integer(i64::MIN))],
    invariants: &[
        (
            "the file is whole",
            "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 20",
        ),
        (
            "the changes have no gaps",
            "SELECT format('%d changes are there, and %d of %d were purged', count, purged, number)
             FROM change_counter, (SELECT count(*) AS count FROM change) WHERE count <> number - purged",
        ),
        (
            "every change is about something",
            "SELECT format('change %d', change.number) FROM change
             WHERE coalesce(about, number) NOT IN (SELECT number FROM message)
                 AND coalesce(about, number) NOT IN (SELECT number FROM flow)
                 AND coalesce(about, number) NOT IN (SELECT number FROM reply) LIMIT 20",
        ),
        (
            "every later change is there",
            "SELECT format('change %d', change) FROM later
             WHERE change > (SELECT number FROM purged) AND change NOT IN (SELECT number FROM change) LIMIT 20",
        ),
        (
            "the tallies of each hour equal a count",
            "SELECT format('hour %d, %s %s: %d too many', hour, what, value, sum(count)) FROM (
                 SELECT hour, what, value, count - forgotten AS count FROM tally WHERE hour > 0
                 UNION ALL SELECT hour, what, value, count FROM uncounted
                 UNION ALL SELECT hour, each.key, each.atom, -count(*)
                     FROM fact, json_each(fact.facts) AS each WHERE each.atom IS NOT NULL GROUP BY 1, 2, 3
                 UNION ALL SELECT max(received_at / 3600000, 1), 'other', substr(what, 1, 100), -count(*)
                     FROM other GROUP BY 1, 3
             ) GROUP BY hour, what, value HAVING sum(count) <> 0 LIMIT 20",
        ),
        (
            "the tallies of each campaign equal a count",
            "SELECT format('campaign %s, hour %d, %s %s: %d too many', campaign, hour, what, value, sum(count)) FROM (
                 SELECT campaign, hour, what, value, count - forgotten AS count FROM campaign_tally WHERE hour > 0
                 UNION ALL SELECT campaign, hour, what, value, count FROM uncounted WHERE campaign IS NOT NULL
                 UNION ALL SELECT campaign, hour, each.key, each.atom, -count(*)
                     FROM fact, json_each(fact.facts) AS each
                     WHERE campaign IS NOT NULL AND each.atom IS NOT NULL GROUP BY 1, 2, 3, 4
             ) GROUP BY campaign, hour, what, value HAVING sum(count) <> 0 LIMIT 20",
        ),
        ("the tallies of all hours are the sum of each", SUMS),
    ],
};

const SUMS: &str = "
    SELECT format('campaign %s, %s %s: %d too many, %d too many forgotten', coalesce(campaign, '(all)'), what, value, 
        sum(CASE hour WHEN 0 THEN count ELSE -count END), sum(CASE hour WHEN 0 THEN forgotten ELSE -forgotten END))
    FROM (SELECT NULL AS campaign, * FROM tally UNION ALL SELECT * FROM campaign_tally)
    GROUP BY campaign, what, value
    HAVING sum(CASE hour WHEN 0 THEN count ELSE -count END) <> 0
        OR sum(CASE hour WHEN 0 THEN forgotten ELSE -forgotten END) <> 0 LIMIT 20";

const HISTORY: &str = "
    WITH it AS (SELECT number FROM message WHERE tracking_id = $1)
    SELECT received_at, kind, anomalies, body, 0 AS is_variant FROM change
    WHERE number IN (SELECT number FROM it UNION ALL SELECT change FROM later WHERE about = (SELECT number FROM it))
    UNION ALL
    SELECT received_at, kind, anomalies, body, is_variant FROM no_change WHERE about = (SELECT number FROM it)
    ORDER BY received_at, is_variant LIMIT $2";

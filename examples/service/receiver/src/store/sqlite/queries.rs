//! What is read of deliveries.

use crate::store::Queries;
use crate::store::invariants::{CHANGES, COUNTED, FORGOTTEN, LISTED, OF_CAMPAIGNS, STEPS, of_hours};
use crate::store::purgeable::{ASKED, Purgeable, RUN, UNREADABLE};
use crate::store::sqlite::tallies::first_hour;
use crate::store::value::Value;

/// Counts those in `gone` as forgotten.
const COUNT_GONE: &str = "
    INSERT INTO moved SELECT fact.campaign, fact.hour, each.key, each.atom, 0, count(*)
    FROM gone CROSS JOIN fact ON fact.number = gone.number, json_each(fact.facts) AS each
    WHERE each.atom IS NOT NULL GROUP BY 1, 2, 3, 4";

pub static QUERIES: Queries = Queries {
    history: |tracking_id, most| (HISTORY, vec![tracking_id.into(), most.into()]),
    message: "
        SELECT lower(hex(rank)), status_name, reason, changed_at, overdue_at, campaign.id
        FROM message LEFT JOIN campaign ON campaign.number = message.campaign WHERE tracking_id = $1",
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
    oldest_changes: "
        SELECT number, CASE WHEN body IS NOT NULL THEN received_at END, length(body) FROM change
        WHERE number > $1 AND number <= (SELECT number FROM counted) ORDER BY number LIMIT $2",
    purgeable: &[
        Purgeable {
            table: "no_change",
            first: Value::Integer(0),
            next: "SELECT id, received_at, length(body) FROM no_change WHERE id > $1 ORDER BY id LIMIT $2",
            remove: "DELETE FROM no_change WHERE id > $1 AND id <= $2 AND received_at < $3",
            then: &[],
            is_in_order: true,
        },
        // What is about something that is not old cannot be old itself.
        Purgeable {
            table: "later",
            first: Value::Integer(i64::MIN),
            next: "SELECT about, received_at, 0 FROM later
                   WHERE about > $1 AND about <= (SELECT number FROM purged) ORDER BY about LIMIT $2",
            remove: "DELETE FROM later WHERE about > $1 AND about <= $2 AND received_at < $3
                         AND coalesce(change, 0) <= (SELECT number FROM purged)",
            then: &[],
            is_in_order: false,
        },
        Purgeable {
            table: "reply",
            first: Value::Integer(i64::MIN),
            next: "SELECT received_at, received_at, 0 FROM reply WHERE received_at > $1 ORDER BY received_at LIMIT $2",
            remove: "INSERT INTO gone
                     SELECT number FROM reply WHERE received_at > $1 AND received_at <= $2 AND received_at < $3
                         AND number <= (SELECT number FROM purged)",
            then: &[COUNT_GONE, "DELETE FROM reply WHERE number IN (SELECT number FROM gone)"],
            is_in_order: true,
        },
        Purgeable {
            table: "other",
            first: Value::Integer(0),
            next: "SELECT rowid, received_at, length(body) FROM other WHERE rowid > $1 ORDER BY rowid LIMIT $2",
            remove: "INSERT INTO gone
                     SELECT rowid FROM other WHERE rowid > $1 AND rowid <= $2 AND received_at < $3",
            then: &[
                "INSERT INTO moved SELECT NULL, max(received_at / 3600000, 1), 'other', substr(what, 1, 100), 0, count(*)
                 FROM other WHERE rowid IN (SELECT number FROM gone) GROUP BY 2, 4",
                "DELETE FROM other WHERE rowid IN (SELECT number FROM gone)",
            ],
            is_in_order: true,
        },
        UNREADABLE,
        ASKED,
        RUN,
    ],
    // What a later delivery or one that moved nothing is about stays until that is gone.
    forgettable: &[
        Purgeable {
            table: "message",
            first: Value::Integer(i64::MIN),
            next: "SELECT number, changed_at, 0 FROM message
                   WHERE number > $1 AND number <= (SELECT number FROM purged) ORDER BY number LIMIT $2",
            remove: "INSERT INTO gone SELECT number FROM message
                     WHERE number > $1 AND number <= $2 AND changed_at < $3
                         AND NOT EXISTS (SELECT 1 FROM later WHERE about = message.number)
                         AND NOT EXISTS (SELECT 1 FROM no_change WHERE about = message.number)",
            then: &[
                COUNT_GONE,
                "DELETE FROM asked WHERE tracking_id IN
                     (SELECT tracking_id FROM message WHERE number IN (SELECT number FROM gone))",
                "DELETE FROM message WHERE number IN (SELECT number FROM gone)",
            ],
            is_in_order: false,
        },
        Purgeable {
            table: "flow",
            first: Value::Integer(i64::MIN),
            next: "SELECT number, changed_at, 0 FROM flow
                   WHERE number > $1 AND number <= (SELECT number FROM purged) ORDER BY number LIMIT $2",
            remove: "INSERT INTO gone SELECT number FROM flow
                     WHERE number > $1 AND number <= $2 AND changed_at < $3
                         AND NOT EXISTS (SELECT 1 FROM later WHERE about = flow.number)
                         AND NOT EXISTS (SELECT 1 FROM no_change WHERE about = flow.number)",
            then: &[
                COUNT_GONE,
                "DELETE FROM asked WHERE tracking_id IN
                     (SELECT tracking_id FROM flow WHERE number IN (SELECT number FROM gone))",
                "DELETE FROM flow WHERE number IN (SELECT number FROM gone)",
            ],
            is_in_order: false,
        },
    ],
    invariants: &[
        (
            "the file is whole",
            "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 20",
        ),
        CHANGES,
        COUNTED,
        (
            "every change is about something",
            "SELECT format('change %d', change.number) FROM change
             WHERE body IS NOT NULL AND coalesce(about, number) NOT IN (SELECT number FROM message)
                 AND coalesce(about, number) NOT IN (SELECT number FROM flow)
                 AND coalesce(about, number) NOT IN (SELECT number FROM reply) LIMIT 20",
        ),
        (
            "every later change is there",
            "SELECT format('change %d', change) FROM later
             WHERE change > (SELECT number FROM purged) AND change NOT IN (SELECT number FROM change) LIMIT 20",
        ),
        STEPS,
        (
            "the tallies of each hour equal a count",
            "SELECT format('hour %d, %s %s: off by %d', hour, what, value, sum(count)) FROM (
                 SELECT hour, what, value, count - forgotten AS count FROM tally WHERE unit = 'hour'
                 UNION ALL SELECT hour, what, value, count FROM uncounted
                 UNION ALL SELECT hour, each.key, each.atom, -count(*)
                     FROM fact, json_each(fact.facts) AS each WHERE each.atom IS NOT NULL GROUP BY 1, 2, 3
                 UNION ALL SELECT max(received_at / 3600000, 1), 'other', substr(what, 1, 100), -count(*)
                     FROM other GROUP BY 1, 3
             ) GROUP BY hour, what, value HAVING sum(count) <> 0 LIMIT 20",
        ),
        (
            "the tallies of each campaign equal a count",
            "SELECT format('campaign %s, hour %d, %s %s: off by %d', campaign, hour, what, value, sum(count)) FROM (
                 SELECT campaign, hour, what, value, count - forgotten AS count FROM campaign_tally WHERE unit = 'hour'
                 UNION ALL SELECT campaign, hour, what, value, count FROM uncounted WHERE campaign IS NOT NULL
                 UNION ALL SELECT campaign, hour, each.key, each.atom, -count(*)
                     FROM fact, json_each(fact.facts) AS each
                     WHERE campaign IS NOT NULL AND each.atom IS NOT NULL GROUP BY 1, 2, 3, 4
             ) GROUP BY campaign, hour, what, value HAVING sum(count) <> 0 LIMIT 20",
        ),
        OF_CAMPAIGNS,
        of_hours!(first_hour!()),
        LISTED,
        FORGOTTEN,
    ],
};

const HISTORY: &str = "
    WITH it AS (SELECT number FROM message WHERE tracking_id = $1)
    SELECT received_at, kind, anomalies, body, 0 AS is_variant FROM change
    WHERE number IN (SELECT number FROM it UNION ALL SELECT change FROM later WHERE about = (SELECT number FROM it))
    UNION ALL
    SELECT received_at, kind, anomalies, body, is_variant FROM no_change WHERE about = (SELECT number FROM it)
    ORDER BY received_at, is_variant LIMIT $2";

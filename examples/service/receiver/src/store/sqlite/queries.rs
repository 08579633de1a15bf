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
};

const HISTORY: &str = "
    WITH it AS (SELECT number FROM message WHERE tracking_id = $1)
    SELECT received_at, kind, anomalies, body, 0 AS is_variant FROM change
    WHERE number IN (SELECT number FROM it UNION ALL SELECT change FROM later WHERE about = (SELECT number FROM it))
    UNION ALL
    SELECT received_at, kind, anomalies, body, is_variant FROM no_change WHERE about = (SELECT number FROM it)
    ORDER BY received_at, is_variant LIMIT $2";

//! What is read of deliveries.

use crate::entry::keys_of;
use crate::store::Queries;
use crate::store::value::Value;

pub static QUERIES: Queries = Queries {
    history: |tracking_id, most| {
        let (from, to) = keys_of(tracking_id);
        (HISTORY, vec![from.into(), to.into(), most.into()])
    },
    changes: "
        SELECT change.number, change.kind, history.received_at, history.body FROM change
        LEFT JOIN history ON history.idempotency_key = change.idempotency_key AND history.digest = ''
        WHERE change.number > $1 ORDER BY change.number LIMIT $2",
    latest_messages: "
        SELECT changed_at, tracking_id, status_name FROM message WHERE tracking_id IN
            (SELECT history.tracking_id FROM
                 (SELECT idempotency_key FROM change WHERE kind = 'message' ORDER BY number DESC LIMIT 20) AS latest
             JOIN history ON history.idempotency_key = latest.idempotency_key)
        ORDER BY changed_at DESC",
    latest_anomalies: "
        SELECT received_at, tracking_id, anomalies FROM history WHERE anomalies <> ''
        ORDER BY received_at DESC LIMIT 20",
    last_old_change: "
        SELECT max(number) FROM
            (SELECT change.number, history.received_at FROM change
             JOIN history ON history.idempotency_key = change.idempotency_key AND history.digest = ''
             WHERE change.number > $1 ORDER BY change.number LIMIT $2) AS oldest
        WHERE received_at < $3",
    set_purged: "UPDATE change_counter SET purged = $1",
    purgeable: &[("history", "idempotency_key", Value::Text(String::new()))],
    invariants: &[],
};

const HISTORY: &str = "
    SELECT received_at, kind, anomalies, body, (digest <> '')::integer::bigint FROM history
    WHERE idempotency_key >= $1 AND idempotency_key < $2 AND kind IN ('status', 'step', 'tracked')
    ORDER BY received_at, idempotency_key, digest LIMIT $3";

//! What is read of deliveries.

use crate::entry::keys_of;
use crate::store::Queries;
use crate::store::purgeable::{ASKED, Purgeable, RUN, UNREADABLE};
use crate::store::value::Value;

pub static QUERIES: Queries = Queries {
    history: |tracking_id, most| {
        let (from, to) = keys_of(tracking_id);
        (HISTORY, vec![from.into(), to.into(), most.into()])
    },
    message: "SELECT rank, status_name, reason, changed_at, overdue_at FROM message WHERE tracking_id = $1",
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
    oldest_changes: "
        SELECT oldest.number, history.received_at, length(history.body)::bigint
        FROM (SELECT number, idempotency_key FROM change WHERE number > $1 ORDER BY number LIMIT $2) AS oldest
        LEFT JOIN history ON history.idempotency_key = oldest.idempotency_key AND history.digest = ''
        ORDER BY oldest.number",
    set_purged: "UPDATE change_counter SET purged = $1 WHERE purged < $1",
    purgeable: &[
        Purgeable {
            table: "history",
            first: Value::Text(String::new()),
            next: "SELECT idempotency_key, received_at, length(body)::bigint FROM history
                   WHERE idempotency_key > $1 ORDER BY idempotency_key LIMIT $2",
            remove: "DELETE FROM history
                       WHERE idempotency_key > $1 AND idempotency_key <= $2 AND received_at < $3",
            then: &[],
            is_in_order: false,
        },
        Purgeable {
            table: "reply",
            first: Value::Integer(i64::MIN),
            next: "SELECT received_at, received_at, 0::bigint FROM reply
                   WHERE received_at > $1 ORDER BY received_at LIMIT $2",
            remove: "DELETE FROM reply WHERE received_at > $1 AND received_at <= $2 AND received_at < $3",
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
                         ORDER BY tracking_id FOR UPDATE SKIP LOCKED)
                    RETURNING tracking_id
                ),
                no_longer_asked AS (DELETE FROM asked WHERE tracking_id IN (SELECT tracking_id FROM gone))
                SELECT 1 FROM gone",
            then: &[],
            is_in_order: false,
        },
    ],
    invariants: &[],
};

const HISTORY: &str = "
    SELECT received_at, kind, anomalies, body, (digest <> '')::integer::bigint FROM history
    WHERE idempotency_key >= $1 AND idempotency_key < $2 AND kind IN ('status', 'step', 'tracked')
    ORDER BY received_at, idempotency_key, digest LIMIT $3";

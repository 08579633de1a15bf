//! Reads stored bodies and moves the status of their messages.
//!
//! A batch is one transaction that also takes its bodies out of the inbox: a crash leaves all of it or
//! nothing, and several receivers on one database never process the same body.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use routee_viber::{Progress, Status, ViberCallback};
use sqlx::{Any, Transaction, query, query_scalar};
use tokio::sync::Notify;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::store::Store;

/// The most bodies of one transaction. On SQLite it takes turns with storing, so it is as many as are
/// stored in one turn, or the inbox would grow under load.
const BATCH: i64 = 256;

/// How long to rest where nothing waits or the database fails. What another receiver stored and did
/// not live to process is found after that.
const REST: Duration = Duration::from_secs(1);

/// How long a batch may take before its connection is taken for dead.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest idempotency key, so that it fits into an index of PostgreSQL.
const LONGEST_KEY: usize = 2000;

/// What became of a body: a callback and how it stands to its message, or why it is none.
type Outcome = Result<(ViberCallback, Progress), String>;

/// Processes what is stored until it is told to stop.
pub async fn run(store: Store, stored: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let outcomes = time::timeout(LONGEST, process(&store)).await;
        let outcomes = outcomes.unwrap_or(Err(sqlx::Error::PoolTimedOut)).unwrap_or_else(|error| {
            error!(%error, "cannot process stored callbacks; trying again");
            Vec::new()
        });
        outcomes.iter().for_each(report);
        if outcomes.is_empty() {
            tokio::select! {
                () = stored.notified() => {}
                () = time::sleep(REST) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

fn report(outcome: &Outcome) {
    let verdict = match outcome {
        Ok((callback, progress)) => {
            info!("{callback}: {progress:?}");
            for anomaly in callback.anomalies() {
                // The path is from outside, and would make new series without end.
                counter!("routee_anomalies_total", "kind" => anomaly.kind.to_string()).increment(1);
            }
            format!("{progress:?}")
        }
        Err(reason) => {
            warn!("a body is kept aside: {reason}");
            "Unreadable".to_owned()
        }
    };
    counter!("routee_processed_total", "verdict" => verdict).increment(1);
}

/// Processes the oldest stored bodies, all or none of them.
async fn process(store: &Store) -> sqlx::Result<Vec<Outcome>> {
    let mut tx = store.writes.begin().await?;
    let mut outcomes = Vec::new();
    let mut callbacks = Vec::new();
    for (id, received_at, body) in store.take(&mut tx, BATCH).await? {
        match read(&body) {
            Ok(callback) => callbacks.push((callback, id, received_at, body)),
            Err(reason) => {
                query("INSERT INTO unreadable (received_at, reason, body) VALUES ($1, $2, $3)")
                    .bind(received_at)
                    .bind(reason.as_str())
                    .bind(body)
                    .execute(&mut *tx)
                    .await?;
                outcomes.push(Err(reason));
            }
        }
    }
    // All receivers lock messages in this order, or two could wait for each other.
    callbacks.sort_by(|(one, a, ..), (other, b, ..)| (&one.tracking_id, a).cmp(&(&other.tracking_id, b)));
    for (callback, _, received_at, body) in callbacks {
        let progress = apply(&mut tx, &callback, received_at, body).await?;
        outcomes.push(Ok((callback, progress)));
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// Reads a body. What the database cannot take must not get near it: it would fail there for ever.
fn read(body: &[u8]) -> Result<ViberCallback, String> {
    let callback = ViberCallback::from_slice(body).map_err(|error| error.to_string())?;
    if callback.tracking_id.contains('\0') || callback.status.name.as_str().contains('\0') {
        Err("a NUL in `trackingId` or `status.name`".to_owned())
    } else if callback.idempotency_key().len() > LONGEST_KEY {
        Err("`trackingId`, `status.name` and `status.updatedDate` are too long".to_owned())
    } else {
        Ok(callback)
    }
}

/// Adds a callback to the history, unless it is there, and moves its message if that is newer.
async fn apply(
    tx: &mut Transaction<'static, Any>,
    callback: &ViberCallback,
    received_at: i64,
    body: Vec<u8>,
) -> sqlx::Result<Progress> {
    // Locks the message's row until the end of the transaction, made just now where there was none.
    let current: String = query_scalar(
        "INSERT INTO message (tracking_id, status_name, status, changed_at) VALUES ($1, '', '', 0)
         ON CONFLICT (tracking_id) DO UPDATE SET tracking_id = excluded.tracking_id
         RETURNING status",
    )
    .bind(callback.tracking_id.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let progress = if current.is_empty() {
        Progress::Advance
    } else {
        let current: Status = serde_json::from_str(&current).map_err(json_error)?;
        callback.status.progress_from(&current)
    };

    let status = serde_json::to_string(&callback.status).map_err(json_error)?;
    let anomalies: Vec<_> = callback.anomalies().iter().map(ToString::to_string).collect();
    let added = query(
        "INSERT INTO history
             (idempotency_key, tracking_id, received_at, verdict, status, anomalies, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (idempotency_key) DO NOTHING",
    )
    .bind(callback.idempotency_key())
    .bind(callback.tracking_id.as_str())
    .bind(received_at)
    .bind(format!("{progress:?}"))
    .bind(status.as_str())
    .bind(anomalies.join(", "))
    .bind(body)
    .execute(&mut **tx)
    .await?;
    if added.rows_affected() == 0 {
        return Ok(Progress::Duplicate);
    }
    if progress == Progress::Advance {
        query(
            "UPDATE message SET status_name = $1, status = $2, changed_at = $3
             WHERE tracking_id = $4",
        )
        .bind(callback.status.name.as_str())
        .bind(status)
        .bind(received_at)
        .bind(callback.tracking_id.as_str())
        .execute(&mut **tx)
        .await?;
    }
    Ok(progress)
}

fn json_error(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

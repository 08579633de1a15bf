//! Reads stored bodies and moves the status of their messages.
//!
//! A batch is one transaction that also takes its bodies out of the inbox, so a crash leaves either all of
//! it or nothing, and several receivers on one database never process the same body.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use routee_viber::{AnomalyKind, Progress, Status, ViberCallback};
use sqlx::{Any, Transaction, query, query_scalar};
use tokio::sync::Notify;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::metrics::Metrics;
use crate::store::{Store, Stored};

/// The most bodies of one transaction. On SQLite callbacks wait for it to end before they are stored.
const BATCH: i64 = 64;

/// How long to rest where nothing waits, or where the database fails. What another receiver stored and did
/// not live to process is found after that.
const REST: Duration = Duration::from_secs(1);

/// The longest idempotency key that fits into an index of PostgreSQL; a documented one has a tenth of it.
const LONGEST_KEY: usize = 2000;

/// Processes what is stored until it is told to stop.
pub async fn run(
    store: Store,
    metrics: Arc<Metrics>,
    stored: Arc<Notify>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        match process(&store).await {
            Ok(done) if !done.is_empty() => {
                done.iter().for_each(|outcome| report(outcome, &metrics))
            }
            nothing => {
                if let Err(error) = nothing {
                    error!(%error, "cannot process stored callbacks; trying again");
                    time::sleep(REST).await;
                }
                tokio::select! {
                    () = stored.notified() => {}
                    () = time::sleep(REST) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
}

/// What became of a stored body.
enum Outcome {
    Processed(Box<ViberCallback>, Progress),
    Unreadable(String),
}

fn report(outcome: &Outcome, metrics: &Metrics) {
    match outcome {
        Outcome::Processed(callback, progress) => {
            let verdict = verdict(*progress);
            info!("{callback}: {verdict}");
            metrics.processed(verdict);
            if *progress != Progress::Duplicate {
                callback
                    .anomalies()
                    .iter()
                    .for_each(|anomaly| metrics.anomaly(label(anomaly.kind)));
            }
        }
        Outcome::Unreadable(reason) => {
            warn!("a body is kept aside: {reason}");
            metrics.processed("unreadable");
        }
    }
}

/// Processes the oldest stored bodies, all or none of them.
async fn process(store: &Store) -> sqlx::Result<Vec<Outcome>> {
    let mut tx = store.begin().await?;
    let mut outcomes = Vec::new();
    let mut callbacks = Vec::new();
    for stored in store.take(&mut tx, BATCH).await? {
        match read(&stored.body) {
            Ok(callback) => callbacks.push((callback, stored)),
            Err(reason) => {
                query("INSERT INTO unreadable (received_at, reason, body) VALUES ($1, $2, $3)")
                    .bind(stored.received_at)
                    .bind(reason.as_str())
                    .bind(stored.body)
                    .execute(&mut *tx)
                    .await?;
                outcomes.push(Outcome::Unreadable(reason));
            }
        }
    }

    // Two receivers must lock messages in one order, or they end up waiting for each other.
    callbacks
        .sort_by(|(one, a), (other, b)| (&one.tracking_id, a.id).cmp(&(&other.tracking_id, b.id)));
    let mut anomalies = BTreeMap::<String, (i64, i64)>::new();
    for (callback, stored) in callbacks {
        let progress = apply(&mut tx, &callback, &stored).await?;
        if progress != Progress::Duplicate {
            for anomaly in callback.anomalies() {
                let sentence = anomaly.to_string().chars().take(200).collect();
                let (seen, last_seen_at) = anomalies.entry(sentence).or_default();
                *seen += 1;
                *last_seen_at = stored.received_at.max(*last_seen_at);
            }
        }
        outcomes.push(Outcome::Processed(Box::new(callback), progress));
    }
    for (sentence, (seen, last_seen_at)) in anomalies {
        query(
            "INSERT INTO anomaly (sentence, seen, last_seen_at) VALUES ($1, $2, $3) ON CONFLICT (sentence)
             DO UPDATE SET seen = anomaly.seen + excluded.seen, last_seen_at = excluded.last_seen_at",
        )
        .bind(sentence)
        .bind(seen)
        .bind(last_seen_at)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// Reads a body. What the database could not take must not get near it: it would fail there for ever.
fn read(body: &[u8]) -> Result<ViberCallback, String> {
    let callback = ViberCallback::from_slice(body).map_err(|error| error.to_string())?;
    if callback.tracking_id.contains('\0') || callback.status.name.as_str().contains('\0') {
        Err("a NUL in `trackingId` or `status.name`".to_owned())
    } else if callback.idempotency_key().len() > LONGEST_KEY {
        Err("`trackingId`, `status.name` and `status.updatedDate` are too long together".to_owned())
    } else {
        Ok(callback)
    }
}

/// Adds a callback to the history, unless it is there, and moves its message's status, if that is newer.
async fn apply(
    tx: &mut Transaction<'static, Any>,
    callback: &ViberCallback,
    stored: &Stored,
) -> sqlx::Result<Progress> {
    let status = serde_json::to_string(&callback.status)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;

    // Locks the message's row until the end of the transaction, made just now where there was none.
    let current: String = query_scalar(
        "INSERT INTO message (tracking_id, status_name, status, changed_at) VALUES ($1, '', '', 0)
         ON CONFLICT (tracking_id) DO UPDATE SET tracking_id = excluded.tracking_id RETURNING status",
    )
    .bind(callback.tracking_id.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let progress = if current.is_empty() {
        Progress::Advance
    } else {
        let current: Status =
            serde_json::from_str(&current).map_err(|error| sqlx::Error::Decode(error.into()))?;
        callback.status.progress_from(&current)
    };

    let is_new = query(
        "INSERT INTO history (idempotency_key, tracking_id, received_at, verdict, status, body)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (idempotency_key) DO NOTHING",
    )
    .bind(callback.idempotency_key())
    .bind(callback.tracking_id.as_str())
    .bind(stored.received_at)
    .bind(verdict(progress))
    .bind(status.as_str())
    .bind(stored.body.as_slice())
    .execute(&mut **tx)
    .await?
    .rows_affected()
        == 1;
    if !is_new {
        return Ok(Progress::Duplicate);
    }
    if progress == Progress::Advance {
        query("UPDATE message SET status_name = $2, status = $3, changed_at = $4 WHERE tracking_id = $1")
            .bind(callback.tracking_id.as_str())
            .bind(callback.status.name.as_str())
            .bind(status)
            .bind(stored.received_at)
            .execute(&mut **tx)
            .await?;
    }
    Ok(progress)
}

fn verdict(progress: Progress) -> &'static str {
    match progress {
        Progress::Advance => "advance",
        Progress::Duplicate => "duplicate",
        Progress::Stale => "stale",
    }
}

fn label(kind: AnomalyKind) -> &'static str {
    match kind {
        AnomalyKind::UndocumentedField => "undocumented field",
        AnomalyKind::UnreadableValue => "unreadable value",
        AnomalyKind::UnrecognizedName => "unrecognized name",
        _ => "other",
    }
}

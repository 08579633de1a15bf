//! What the first page shows, counted in the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use routee_viber::{Stage, StatusName};

use crate::reconcile::{self, Reconciliation, Subject};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Row;

/// How long an overview counts at least.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// An overview also counts at least this many times as long as it took to make, so that counting millions of messages
/// leaves the database to the callbacks.
const SHARE: u32 = 20;

const NO_REASON: &str = "no reason given";

pub struct Overview {
    pub counted_at: i64,
    /// Status name, how many; in the order of a message's life.
    pub statuses: Vec<(String, i64)>,
    /// Reason, how many failed for it; the most frequent first.
    pub reasons: Vec<(String, i64)>,
    pub overdue: i64,
    pub reconciliation: Reconciliation,
    pub messages: Vec<Latest>,
    pub anomalies: Vec<Latest>,
    pub replies: Vec<Latest>,
    pub flows: Vec<(String, i64)>,
    pub flows_overdue: i64,
    pub others: Vec<(String, i64)>,
    pub unreadable: Vec<UnreadableBody>,
}

pub struct Latest {
    pub at: i64,
    pub id: String,
    pub what: String,
}

pub struct UnreadableBody {
    pub at: i64,
    pub reason: String,
    pub body: String,
}

impl Overview {
    /// Counts, and says for how long the result counts. A failure counts as long: if counting takes too long, trying
    /// again and again would take all that the database can do.
    pub async fn count(store: &dyn Store) -> (Result<Arc<Self>, StoreError>, Duration) {
        let begin = Instant::now();
        let overview = Self::read(store).await.map(Arc::new);
        (overview, FRESH_FOR.max(begin.elapsed() * SHARE))
    }

    async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let now = Utc::now().timestamp_millis();
        let latest = async |sql| -> Result<Vec<Latest>, StoreError> {
            let rows = store.query(sql, vec![]).await?;
            rows.iter().map(|row| Ok(Latest { at: row.get(0)?, id: text(row, 1)?, what: text(row, 2)? })).collect()
        };
        let counted = "SELECT substr(status_name, 1, 100), substr(reason, 1, 100), count(*),
                              count(CASE WHEN overdue_at <= $1 THEN 1 END)
                       FROM message GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1000";
        let (mut statuses, mut reasons, mut overdue) = (Vec::new(), Vec::new(), 0);
        for row in store.query(counted, vec![now.into()]).await? {
            let (name, reason, count) = (row.get(0)?, text(&row, 1)?, row.get(2)?);
            add(&mut statuses, name, count);
            if StatusName::from(name).is_failure() {
                add(&mut reasons, if reason.is_empty() { NO_REASON } else { &reason }, count);
            }
            overdue += row.get::<i64>(3)?;
        }
        statuses.sort_by_key(|(name, count)| (place(name), -count));
        statuses.truncate(30);
        reasons.sort_by_key(|(name, count)| (name == NO_REASON, -count));
        reasons.truncate(15);
        let counts = async |sql| -> Result<Vec<(String, i64)>, StoreError> {
            let rows = store.query(sql, vec![]).await?;
            rows.iter().map(|row| Ok((text(row, 0)?, row.get(1)?))).collect()
        };
        let unreadable = "SELECT received_at, reason, body FROM unreadable ORDER BY received_at DESC LIMIT 10";
        let unreadable = store.query(unreadable, vec![]).await?;
        Ok(Self {
            counted_at: now,
            statuses,
            reasons,
            overdue,
            reconciliation: Reconciliation::read(store).await?,
            messages: latest(store.queries().latest_messages).await?,
            anomalies: latest(store.queries().latest_anomalies).await?,
            replies: latest(
                "SELECT received_at, reference_tracking_id, message FROM reply ORDER BY received_at DESC LIMIT 10",
            )
            .await?,
            flows: counts("SELECT substr(status_name, 1, 100), count(*) FROM flow GROUP BY 1 ORDER BY 2 DESC LIMIT 10")
                .await?,
            flows_overdue: reconcile::overdue(store, Subject::Flow).await?,
            others: counts("SELECT what, count(*) FROM other GROUP BY what ORDER BY 2 DESC LIMIT 10").await?,
            unreadable: unreadable
                .iter()
                .map(|row| {
                    let body = String::from_utf8_lossy(row.get(2)?).into_owned();
                    Ok(UnreadableBody { at: row.get(0)?, reason: text(row, 1)?, body })
                })
                .collect::<Result<_, StoreError>>()?,
        })
    }

    /// The percentage of the delivered messages that were seen; `None` if none was delivered.
    pub fn percent_seen(&self) -> Option<f64> {
        let count = |is: fn(&StatusName) -> bool| -> i64 {
            self.statuses.iter().filter(|(name, _)| is(&StatusName::from(name.as_str()))).map(|(_, count)| count).sum()
        };
        let delivered = count(StatusName::is_success);
        #[allow(clippy::cast_precision_loss, reason = "it is shown with one decimal place")]
        (delivered > 0).then(|| count(|name| name.stage() == Some(Stage::Seen)) as f64 / delivered as f64 * 100.0)
    }
}

/// A text; empty if it is NULL.
fn text(row: &Row, column: usize) -> Result<String, StoreError> {
    Ok(row.get::<Option<&str>>(column)?.unwrap_or_default().to_owned())
}

fn add(counts: &mut Vec<(String, i64)>, name: &str, more: i64) {
    match counts.iter_mut().find(|(known, _)| known == name) {
        Some((_, count)) => *count += more,
        None => counts.push((name.to_owned(), more)),
    }
}

/// The place of a status in a message's life; unrecognized names come last.
fn place(name: &str) -> u8 {
    match StatusName::from(name).stage() {
        Some(Stage::Pending) => 0,
        Some(Stage::Delivered) => 1,
        Some(Stage::Seen) => 2,
        Some(Stage::Failed) => 3,
        None => 4,
    }
}

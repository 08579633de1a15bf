//! What the first page shows, counted in the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use routee_viber::{Stage, StatusName};
use tracing::warn;

use crate::reconcile::{self, Reconciliation, Subject};
use crate::store::error::StoreError;
use crate::store::value::Row;
use crate::store::{READ_WITHIN, Store};

/// How long an overview counts at least.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// An overview also counts at least this many times as long as it took to make, so that counting millions of messages
/// leaves the database to the callbacks.
const SHARE: u32 = 20;

/// What is missing if there are too many messages to count.
pub const MESSAGES: &str = "messages by status and reason";

const NO_REASON: &str = "no reason given";

#[derive(Default)]
pub struct Overview {
    pub counted_at: i64,
    /// Status name, how many; in the order of a message's life.
    pub statuses: Vec<(String, i64)>,
    /// Reason, how many failed for it; the most frequent first.
    pub reasons: Vec<(String, i64)>,
    pub overdue: Option<i64>,
    pub reconciliation: Option<Reconciliation>,
    pub messages: Vec<Latest>,
    pub anomalies: Vec<Latest>,
    pub replies: Vec<Latest>,
    pub flows: Vec<(String, i64)>,
    pub flows_overdue: Option<i64>,
    pub others: Vec<(String, i64)>,
    pub unreadable: Vec<UnreadableBody>,
    /// What could not be read, or would have taken too long.
    pub missing: Vec<&'static str>,
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

/// How many messages there are by status and by reason of failure.
#[derive(Default)]
struct Messages {
    statuses: Vec<(String, i64)>,
    reasons: Vec<(String, i64)>,
}

impl Overview {
    /// Counts, and says for how long the result counts, even if something is missing: if counting takes too long, trying
    /// again and again would take all that the database can do.
    pub async fn count(store: &dyn Store) -> (Arc<Self>, Duration) {
        let begin = Instant::now();
        let overview = Self::read(store, begin).await;
        (Arc::new(overview), FRESH_FOR.max(begin.elapsed() * SHARE))
    }

    /// What takes longest with many messages comes last, so that everything else is there if it takes too long.
    async fn read(store: &dyn Store, begin: Instant) -> Self {
        let mut overview = Self { counted_at: Utc::now().timestamp_millis(), ..Self::default() };
        let missing = &mut overview.missing;
        let queries = store.queries();
        let replies =
            "SELECT received_at, reference_tracking_id, message FROM reply ORDER BY received_at DESC LIMIT 10";
        overview.messages = found(begin, latest(store, queries.latest_messages), "latest messages", missing).await;
        overview.anomalies = found(begin, latest(store, queries.latest_anomalies), "latest anomalies", missing).await;
        overview.replies = found(begin, latest(store, replies), "latest replies", missing).await;
        overview.unreadable = found(begin, unreadable(store), "bodies that could not be read", missing).await;
        let state = async { Reconciliation::read(store).await.map(Some) };
        overview.reconciliation = found(begin, state, "what was recovered", missing).await;
        let overdue = async |subject| reconcile::overdue(store, subject).await.map(Some);
        overview.overdue = found(begin, overdue(Subject::Message), "overdue messages", missing).await;
        overview.flows_overdue = found(begin, overdue(Subject::Flow), "overdue flows", missing).await;
        let flows = "SELECT substr(status_name, 1, 100), count(*) FROM flow GROUP BY 1 ORDER BY 2 DESC LIMIT 10";
        overview.flows = found(begin, counts(store, flows), "failover flows", missing).await;
        let others = "SELECT what, count(*) FROM other GROUP BY what ORDER BY 2 DESC LIMIT 10";
        overview.others = found(begin, counts(store, others), "other kinds of bodies", missing).await;
        let messages = found(begin, Messages::count(store), MESSAGES, missing).await;
        (overview.statuses, overview.reasons) = (messages.statuses, messages.reasons);
        overview
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

impl Messages {
    async fn count(store: &dyn Store) -> Result<Self, StoreError> {
        let counted = "SELECT substr(status_name, 1, 100), substr(reason, 1, 100), count(*)
                       FROM message GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1000";
        let Self { mut statuses, mut reasons } = Self::default();
        for row in store.query(counted, vec![]).await? {
            let (name, reason, count) = (row.get(0)?, text(&row, 1)?, row.get(2)?);
            add(&mut statuses, name, count);
            if StatusName::from(name).is_failure() {
                add(&mut reasons, if reason.is_empty() { NO_REASON } else { &reason }, count);
            }
        }
        statuses.sort_by_key(|(name, count)| (place(name), -count));
        statuses.truncate(30);
        reasons.sort_by_key(|(name, count)| (name == NO_REASON, -count));
        reasons.truncate(15);
        Ok(Self { statuses, reasons })
    }
}

/// What was read, unless that fails or all before it has taken as long as a page may.
async fn found<T: Default>(
    begin: Instant,
    reading: impl Future<Output = Result<T, StoreError>>,
    what: &'static str,
    missing: &mut Vec<&'static str>,
) -> T {
    let read = if begin.elapsed() < READ_WITHIN {
        reading.await
    } else {
        Err(StoreError::unavailable("there is no time left"))
    };
    read.unwrap_or_else(|error| {
        warn!("the page lacks {what}: {error}");
        missing.push(what);
        T::default()
    })
}

async fn latest(store: &dyn Store, sql: &str) -> Result<Vec<Latest>, StoreError> {
    let rows = store.query(sql, vec![]).await?;
    rows.iter().map(|row| Ok(Latest { at: row.get(0)?, id: text(row, 1)?, what: text(row, 2)? })).collect()
}

async fn counts(store: &dyn Store, sql: &str) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = store.query(sql, vec![]).await?;
    rows.iter().map(|row| Ok((text(row, 0)?, row.get(1)?))).collect()
}

async fn unreadable(store: &dyn Store) -> Result<Vec<UnreadableBody>, StoreError> {
    let sql = "SELECT received_at, reason, body FROM unreadable ORDER BY received_at DESC LIMIT 10";
    let rows = store.query(sql, vec![]).await?;
    let body = |row: &Row| -> Result<_, StoreError> { Ok(String::from_utf8_lossy(row.get(2)?).into_owned()) };
    rows.iter().map(|row| Ok(UnreadableBody { at: row.get(0)?, reason: text(row, 1)?, body: body(row)? })).collect()
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::store::fake::{entry, open_in};

    #[tokio::test]
    async fn what_cannot_be_read_is_missing_and_the_rest_is_there() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        store.commit(&[entry(r#"{"trackingId":"m","status":"SEEN"}"#)]).await.unwrap();
        let overview = Overview::read(&*store, Instant::now()).await;
        assert!(overview.missing.is_empty() && overview.overdue == Some(0), "{:?}", overview.missing);

        let other = Connection::open(directory.path().join("routee.db")).unwrap();
        other.execute_batch("ALTER TABLE reconciliation RENAME TO gone").unwrap();
        let overview = Overview::read(&*store, Instant::now()).await;
        assert_eq!(overview.missing, ["what was recovered"]);
        assert_eq!((overview.reconciliation, overview.statuses), (None, vec![("SEEN".to_owned(), 1)]));

        let long_ago = Instant::now().checked_sub(READ_WITHIN).unwrap();
        let overview = Overview::read(&*store, long_ago).await;
        assert_eq!((overview.missing.len(), overview.missing.last()), (10, Some(&MESSAGES)));
        store.close().await;
    }
}

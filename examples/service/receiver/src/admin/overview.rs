//! What the first page shows, counted in the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use routee_viber::{Stage, StatusName};
use tracing::warn;

use crate::reconcile::{self, Reconciliation, Subject};
use crate::reports::NO_REASON;
use crate::reports::outcomes::percent;
use crate::reports::scope::Scope;
use crate::reports::timeline::{Timeline, Unit};
use crate::store::error::StoreError;
use crate::store::value::Row;
use crate::store::{READ_WITHIN, Store};

/// How long an overview counts at least.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// An overview also counts at least this many times as long as it took to make, so that the database is left to the
/// callbacks.
const SHARE: u32 = 20;

#[derive(Default)]
pub struct Overview {
    pub counted_at: i64,
    /// Status name, how many; in the order of a message's life.
    pub statuses: Vec<(String, i64)>,
    /// Reason, how many failed for it; the most frequent first.
    pub reasons: Vec<(String, i64)>,
    /// The messages that were created in the last 24 hours and 30 days, including those that have begun.
    pub last_hours: Option<Timeline>,
    pub last_days: Option<Timeline>,
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

impl Overview {
    /// Counts, and says for how long the result counts, even if something is missing: if counting takes too long, trying
    /// again and again would take all that the database can do.
    pub async fn count(store: &dyn Store) -> (Arc<Self>, Duration) {
        let begin = Instant::now();
        let overview = Self::read(store, begin).await;
        (Arc::new(overview), FRESH_FOR.max(begin.elapsed() * SHARE))
    }

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
        // If this fails, the counters are a little behind.
        found(begin, store.settle(), "what has just changed", missing).await;
        let counted = async |what| Scope::All.most_frequent(store, what, 1000).await;
        overview.statuses = by_stage(found(begin, counted("status"), "messages by status", missing).await);
        overview.reasons = named(found(begin, counted("reason"), "reasons of failure", missing).await);
        overview.flows = top(found(begin, counted("flow"), "failover flows", missing).await);
        overview.others = top(found(begin, counted("other"), "other kinds of bodies", missing).await);
        let now = Utc::now();
        let last = async |unit, span| {
            Timeline::between(store, Scope::All, unit, now - span, now)
                .await
                .map(|timeline| Some(timeline).filter(Timeline::has_messages))
        };
        overview.last_hours = found(begin, last(Unit::Hour, TimeDelta::hours(23)), "the last 24 hours", missing).await;
        overview.last_days = found(begin, last(Unit::Day, TimeDelta::days(29)), "the last 30 days", missing).await;
        overview
    }

    /// The percentage of the delivered messages that were seen; `None` if none was delivered.
    pub fn percent_seen(&self) -> Option<f64> {
        let count = |is: fn(&StatusName) -> bool| -> i64 {
            self.statuses.iter().filter(|(name, _)| is(&StatusName::from(name.as_str()))).map(|(_, count)| count).sum()
        };
        percent(count(|name| name.stage() == Some(Stage::Seen)), count(StatusName::is_success))
    }
}

/// In the order of a message's life.
fn by_stage(mut statuses: Vec<(String, i64)>) -> Vec<(String, i64)> {
    statuses.sort_by_key(|(name, count)| (place(name), -count));
    statuses.truncate(30);
    statuses
}

/// The most frequent reasons, and last those failures that have none.
pub fn named(mut reasons: Vec<(String, i64)>) -> Vec<(String, i64)> {
    reasons.sort_by_key(|(name, count)| (name.is_empty(), -count));
    reasons.truncate(15);
    reasons
        .into_iter()
        .map(|(name, count)| (if name.is_empty() { NO_REASON.to_owned() } else { name }, count))
        .collect()
}

fn top(mut counts: Vec<(String, i64)>) -> Vec<(String, i64)> {
    counts.truncate(10);
    counts
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
        assert_eq!((overview.missing.len(), overview.missing.last()), (14, Some(&"the last 30 days")));
        store.close().await;
    }
}
